{{- define "holdfast.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 50 characters at most: "-discovery" and the like come behind, and 63 is the most. */}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- $name := include "holdfast.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{ $full | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* What never changes in the life of a release: a Deployment's selector cannot. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Those pods that serve traffic, in every mode. */}}
{{- define "holdfast.proxySelector" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/component: proxy
{{- end }}

{{- define "holdfast.controllerSelector" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "holdfast.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "holdfast.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of pods: without the chart's version, so that a chart that changed elsewhere replaces no pod. */}}
{{- define "holdfast.podLabels" -}}
{{ include "holdfast.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "holdfast.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "holdfast.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "holdfast.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* NAMESPACE/NAME of the ConfigMap of defaults; empty: none. */}}
{{- define "holdfast.defaultsConfigMap" -}}
{{- if .Values.defaultsConfigMap -}}
{{ .Values.defaultsConfigMap }}
{{- else if .Values.defaults -}}
{{ .Release.Namespace }}/{{ include "holdfast.fullname" . }}-defaults
{{- end -}}
{{- end }}

{{/* Of its class and namespace: one of those that serve it writes. */}}
{{- define "holdfast.leaseName" -}}
holdfast-{{ .Values.ingressClass.name }}
{{- end }}

{{/* NAMESPACE/NAME of the Service whose addresses are published; empty: none. */}}
{{- define "holdfast.publishService" -}}
{{- if and .Values.status.publishService .Values.service.enabled (not .Values.status.publishAddresses) -}}
{{ .Release.Namespace }}/{{ include "holdfast.fullname" . }}
{{- end -}}
{{- end }}

{{/* Whether anything is written to the API server; empty: no. */}}
{{- define "holdfast.writes" -}}
{{- if or .Values.events .Values.status.publishAddresses (include "holdfast.publishService" .) -}}
true
{{- end -}}
{{- end }}

{{/* The lowest of the ports that are listened on. */}}
{{- define "holdfast.lowestPort" -}}
{{- $lowest := 65535 -}}
{{- range $name, $port := .Values.ports -}}
{{- $lowest = min $lowest (int $port) -}}
{{- end -}}
{{ $lowest }}
{{- end }}

{{- define "holdfast.terminationGracePeriodSeconds" -}}
{{ add (int .Values.shutdown.delaySeconds) (int .Values.shutdown.stopSeconds) }}
{{- end }}
