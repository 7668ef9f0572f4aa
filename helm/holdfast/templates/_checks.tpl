{{/* Values that contradict each other end here, with a sentence that says what to do. */}}
{{- define "holdfast.checks" -}}
{{- $v := .Values -}}
{{- if eq $v.mode "split" -}}
{{- if not (and $v.discovery.controllerSecret $v.discovery.proxySecret) -}}
{{- fail "mode: split needs discovery.controllerSecret and discovery.proxySecret: name the two Secrets with tls.crt, tls.key and ca.crt, or use mode: pair, which needs none." -}}
{{- end -}}
{{- if not $v.discovery.allow -}}
{{- fail "mode: split needs discovery.allow: list the DNS name or URI in the proxies' certificate, or no proxy may connect." -}}
{{- end -}}
{{- else -}}
{{- if or $v.discovery.controllerSecret $v.discovery.proxySecret $v.discovery.allow $v.discovery.serverName -}}
{{- fail (printf "discovery.* is for mode: split, and mode is %s: set mode: split, or take discovery.* away." $v.mode) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.kind "DaemonSet" -}}
{{- if $v.autoscaling.enabled -}}
{{- fail "autoscaling.enabled needs kind: Deployment, since a DaemonSet has as many pods as nodes: choose one of the two." -}}
{{- end -}}
{{- if and (or $v.hostNetwork $v.hostPorts.enabled) (ne (toString $v.rollout.maxSurge) "0") -}}
{{- fail "A DaemonSet on the node's ports cannot run two pods on one node: set rollout.maxSurge: 0 and rollout.maxUnavailable: 1." -}}
{{- end -}}
{{- end -}}
{{- if and (eq (toString $v.rollout.maxSurge) "0") (eq (toString $v.rollout.maxUnavailable) "0") -}}
{{- fail "rollout.maxSurge and rollout.maxUnavailable are both 0, so no pod could ever be replaced: set one of them to 1." -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas: raise the one or lower the other." -}}
{{- end -}}
{{- if not (or $v.autoscaling.cpuPercent $v.autoscaling.openConnections.perPod) -}}
{{- fail "autoscaling.enabled without anything to scale by: set autoscaling.cpuPercent or autoscaling.openConnections.perPod." -}}
{{- end -}}
{{- if and $v.autoscaling.cpuPercent (not (dig "requests" "cpu" "" $v.proxy.resources)) -}}
{{- fail "autoscaling.cpuPercent is a part of the CPU request: set proxy.resources.requests.cpu, or autoscaling.cpuPercent: 0." -}}
{{- end -}}
{{- end -}}
{{- if and $v.podDisruptionBudget.enabled (eq $v.kind "Deployment") -}}
{{- $least := $v.podDisruptionBudget.minAvailable -}}
{{- $pods := ternary $v.autoscaling.minReplicas $v.replicaCount $v.autoscaling.enabled -}}
{{- if and (not (kindIs "string" $least)) (ge (int $least) (int $pods)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable: %d with %d pods would let no node be drained: lower it, or have more pods." (int $least) (int $pods)) -}}
{{- end -}}
{{- if and (not (kindIs "string" $v.podDisruptionBudget.maxUnavailable)) (eq (int $v.podDisruptionBudget.maxUnavailable) 0) (eq (toString $least) "") -}}
{{- fail "podDisruptionBudget.maxUnavailable: 0 would let no node be drained: set it to 1." -}}
{{- end -}}
{{- end -}}
{{- if and $v.hostNetwork $v.hostPorts.enabled -}}
{{- fail "hostNetwork already puts every one of `ports` on the node: take hostPorts.enabled away, and set ports.http and ports.https." -}}
{{- end -}}
{{- $low := lt (int (include "holdfast.lowestPort" .)) 1024 -}}
{{- if and $low (eq $v.lowPorts "") -}}
{{- fail "One of `ports` is below 1024, which a container that is not root may not open: set lowPorts: pod, with hostNetwork lowPorts: node, or keep the ports high; the Service shows 80 and 443 all the same." -}}
{{- end -}}
{{- if and (eq $v.lowPorts "pod") $v.hostNetwork -}}
{{- fail "lowPorts: pod sets a sysctl of the pod's own network, which a pod with hostNetwork has not: set net.ipv4.ip_unprivileged_port_start on the nodes, and lowPorts: node." -}}
{{- end -}}
{{- if and $v.lowPorts (not $low) -}}
{{- fail "lowPorts is set and none of `ports` is below 1024: take lowPorts away." -}}
{{- end -}}
{{- $numbers := values $v.ports -}}
{{- if ne (len (uniq (sortAlpha (toStrings $numbers)))) (len $numbers) -}}
{{- fail "Two of `ports` are the same: give each its own." -}}
{{- end -}}
{{- if and $v.proxyProtocol.enabled (not $v.trustedProxies) -}}
{{- fail "proxyProtocol.enabled needs trustedProxies, or nobody's PROXY header would be believed: list the load balancer's addresses." -}}
{{- end -}}
{{- if and $v.defaults $v.defaultsConfigMap -}}
{{- fail "defaults and defaultsConfigMap are both set: move what `defaults` says into that ConfigMap, or take defaultsConfigMap away." -}}
{{- end -}}
{{- if and $v.externalNames.dnsServers (not $v.externalNames.allow) -}}
{{- fail "externalNames.dnsServers resolve names that are not served: set externalNames.allow: true, or take them away." -}}
{{- end -}}
{{- if and $v.defaultCertificate $v.watch.namespaces (not (has (first (splitList "/" $v.defaultCertificate)) $v.watch.namespaces)) -}}
{{- fail (printf "defaultCertificate %s is in none of watch.namespaces, so it may not be read: add its namespace there." $v.defaultCertificate) -}}
{{- end -}}
{{- if and $v.defaultBackend $v.watch.namespaces (not (has (first (splitList "/" $v.defaultBackend)) $v.watch.namespaces)) -}}
{{- fail (printf "defaultBackend %s is in none of watch.namespaces, so it may not be read: add its namespace there." $v.defaultBackend) -}}
{{- end -}}
{{- with $v.service -}}
{{- if .enabled -}}
{{- if and (ne .type "LoadBalancer") .loadBalancerClass -}}
{{- fail (printf "service.loadBalancerClass is for service.type: LoadBalancer, and it is %s: change the type, or take the class away." .type) -}}
{{- end -}}
{{- if and (ne .type "LoadBalancer") .loadBalancerSourceRanges -}}
{{- fail (printf "service.loadBalancerSourceRanges is for service.type: LoadBalancer, and it is %s: change the type, or take the ranges away." .type) -}}
{{- end -}}
{{- if and (eq .type "ClusterIP") (or .nodePorts.http .nodePorts.https) -}}
{{- fail "service.nodePorts is for service.type: NodePort or LoadBalancer, and it is ClusterIP: change the type, or take the ports away." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) (not $v.serviceAccount.name) $v.rbac.create -}}
{{- fail "serviceAccount.create: false without serviceAccount.name would give the roles to the namespace's default account, and so to every pod there: name an account, or set serviceAccount.create: true." -}}
{{- end -}}
{{- if and $v.proxy.livenessProbe (not (or (hasKey $v.proxy.livenessProbe "httpGet") (hasKey $v.proxy.livenessProbe "tcpSocket"))) -}}
{{- fail "proxy.livenessProbe needs httpGet or tcpSocket: the image has no other program to run." -}}
{{- end -}}
{{- end }}
