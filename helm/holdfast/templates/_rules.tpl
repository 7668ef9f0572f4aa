{{/* What the control plane may do, each rule once. */}}

{{/* Of namespaces: in a ClusterRole, or in a Role for each namespace that is watched. `get` is what a client
     asks with after a lost connection, to learn whether the API server has gone back in time. Secrets are
     listed by type and by name, which RBAC cannot tell apart from a list of all. */}}
{{- define "holdfast.rules.namespaced" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
{{- if eq .Values.watch.endpointsApi "endpoints" }}
- apiGroups: [""]
  resources: [endpoints]
  verbs: [get, list, watch]
{{- else }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
{{- end }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}

{{/* Of the cluster, whichever namespaces are watched. */}}
{{- define "holdfast.rules.cluster" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [get, list, watch]
{{- end }}

{{/* The ConfigMap of defaults, in its own namespace; the argument is its name. */}}
{{- define "holdfast.rules.defaults" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ . }}]
  verbs: [get, list, watch]
{{- end }}
