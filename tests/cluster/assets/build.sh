V=v1.37.2; X=k8s.io/component-base/version; C=k8s.io/client-go/pkg/version
LD="-s -w"; for p in $X $C; do LD="$LD -X $p.gitVersion=$V -X $p.gitMajor=1 -X $p.gitMinor=37 -X $p.gitTreeState=clean -X $p.buildDate=2026-01-01T00:00:00Z"; done
OUT=/tmp/assets-first; mkdir -p $OUT
(cd etcd && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -ldflags "-s -w" -o $OUT/etcd go.etcd.io/etcd/server/v3)
(cd k8s && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -p 2 -ldflags "$LD" -o $OUT/ k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl)
date; ls -la $OUT
