{{/* The account's token, for the one container that speaks to the API server: what mounting it by itself
     would give to all containers. */}}
{{- define "holdfast.volumes.token" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}

{{- define "holdfast.volumes.data" -}}
{{- with .Values.proxy.state }}
{{- if .enabled }}
- name: state
  emptyDir:
    {{- if .medium }}
    medium: {{ .medium }}
    {{- end }}
    sizeLimit: {{ .sizeLimit }}
{{- end }}
{{- end }}
{{- if .Values.https.ticketSecret }}
- name: tickets
  secret:
    secretName: {{ .Values.https.ticketSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "holdfast.volumes.socket" -}}
- name: socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}

{{/* Of the Secret of that name. */}}
{{- define "holdfast.volumes.discovery" -}}
- name: discovery
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}

{{/* (dict "root" $ "selector" ...): where the pods run, and as whom. */}}
{{- define "holdfast.pod.common" -}}
{{- $v := .root.Values -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "holdfast.terminationGracePeriodSeconds" .root }}
{{- with $v.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and $v.topologySpreadConstraints .spread }}
topologySpreadConstraints:
  {{- range $v.topologySpreadConstraints }}
  - {{ toYaml (merge (dict "labelSelector" (dict "matchLabels" (fromYaml $.selector)) "matchLabelKeys" (list "pod-template-hash")) .) | indent 4 | trim }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "holdfast.pod.security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The pods that serve traffic. */}}
{{- define "holdfast.pod.traffic" -}}
{{- $v := .Values -}}
metadata:
  labels:
    {{- include "holdfast.podLabels" . | nindent 4 }}
    app.kubernetes.io/component: proxy
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or $v.metrics.annotations $v.podAnnotations }}
  annotations:
    {{- if $v.metrics.annotations }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ int $v.ports.admin | quote }}
    prometheus.io/path: /metrics
    {{- end }}
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  {{- $spread := eq $v.kind "Deployment" }}
  {{- include "holdfast.pod.common" (dict "root" . "selector" (include "holdfast.proxySelector" .) "spread" $spread) | nindent 2 }}
  {{- if ne $v.mode "split" }}
  serviceAccountName: {{ include "holdfast.serviceAccountName" . }}
  {{- end }}
  {{- if $v.hostNetwork }}
  hostNetwork: true
  {{- end }}
  dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" $v.hostNetwork) $v.dnsPolicy }}
  securityContext:
    {{- include "holdfast.pod.security" . | nindent 4 }}
    {{- if eq $v.lowPorts "pod" }}
    sysctls:
      - name: net.ipv4.ip_unprivileged_port_start
        value: {{ include "holdfast.lowestPort" . | quote }}
    {{- end }}
  containers:
    {{- if eq $v.mode "single" }}
    - {{ include "holdfast.container.ingress" . | indent 6 | trim }}
    {{- else }}
    {{- if eq $v.mode "pair" }}
    - {{ include "holdfast.container.controller" . | indent 6 | trim }}
    {{- end }}
    - {{ include "holdfast.container.proxy" . | indent 6 | trim }}
    {{- end }}
  volumes:
    {{- if ne $v.mode "split" }}
    {{- include "holdfast.volumes.token" . | nindent 4 }}
    {{- end }}
    {{- if eq $v.mode "pair" }}
    {{- include "holdfast.volumes.socket" . | nindent 4 }}
    {{- end }}
    {{- if eq $v.mode "split" }}
    {{- include "holdfast.volumes.discovery" $v.discovery.proxySecret | nindent 4 }}
    {{- end }}
    {{- include "holdfast.volumes.data" . | trim | nindent 4 }}
{{- end }}
