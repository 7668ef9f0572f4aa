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

{{/* What the one that leads writes about the objects of a namespace. */}}
{{- define "holdfast.rules.written" -}}
{{- if or .Values.status.publishAddresses (include "holdfast.publishService" .) }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
{{- end }}
{{- if .Values.events }}
{{ include "holdfast.rules.events" . }}
{{- end }}
{{- end }}

{{- define "holdfast.rules.events" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Who leads. A Lease that is not there yet has no name to create it by. */}}
{{- define "holdfast.rules.leader" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "holdfast.leaseName" . }}]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}

{{/* The Service whose addresses are published, where Services of its namespace are not watched. */}}
{{- define "holdfast.rules.publishedService" -}}
- apiGroups: [""]
  resources: [services]
  resourceNames: [{{ include "holdfast.fullname" . }}]
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
