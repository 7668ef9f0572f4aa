{{/* The containers, and what all of them have. */}}

{{- define "holdfast.container.common" -}}
image: {{ include "holdfast.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- if gt (int .Values.shutdown.delaySeconds) 0 }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .Values.shutdown.delaySeconds }}
{{- end }}
{{- end }}

{{/* What serves traffic: ports and probes. */}}
{{- define "holdfast.container.traffic" -}}
ports:
  - name: http
    containerPort: {{ int .Values.ports.http }}
    {{- if and .Values.hostPorts.enabled (not .Values.proxyProtocol.enabled) }}
    hostPort: {{ int .Values.hostPorts.http }}
    {{- end }}
  {{- if .Values.https.enabled }}
  - name: https
    containerPort: {{ int .Values.ports.https }}
    {{- if and .Values.hostPorts.enabled (not .Values.proxyProtocol.enabled) }}
    hostPort: {{ int .Values.hostPorts.https }}
    {{- end }}
  {{- end }}
  {{- if .Values.proxyProtocol.enabled }}
  - name: http-proxy
    containerPort: {{ int .Values.ports.httpProxy }}
    {{- if .Values.hostPorts.enabled }}
    hostPort: {{ int .Values.hostPorts.http }}
    {{- end }}
  {{- if .Values.https.enabled }}
  - name: https-proxy
    containerPort: {{ int .Values.ports.httpsProxy }}
    {{- if .Values.hostPorts.enabled }}
    hostPort: {{ int .Values.hostPorts.https }}
    {{- end }}
  {{- end }}
  {{- end }}
  - name: admin
    containerPort: {{ int .Values.ports.admin }}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
{{- with .Values.proxy.livenessProbe }}
livenessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .Values.proxy.resources | nindent 2 }}
{{- end }}

{{/* Who it is: the holder of the Lease, the writer of Events. */}}
{{- define "holdfast.env.controlPlane" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}

{{/* The pod's zone, from a label that newer clusters give to pods; an empty variable counts as not set. */}}
{{- define "holdfast.env.dataPlane" -}}
{{- if not .Values.proxy.zone -}}
- name: HOLDFAST_ZONE
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['topology.kubernetes.io/zone']
{{- end -}}
{{- end }}

{{- define "holdfast.mounts.data" -}}
{{- if .Values.proxy.state.enabled }}
- name: state
  mountPath: /var/lib/holdfast
{{- end }}
{{- if .Values.https.ticketSecret }}
- name: tickets
  mountPath: /etc/holdfast/tickets
  readOnly: true
{{- end }}
{{- end }}

{{- define "holdfast.mounts.token" -}}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{- define "holdfast.mounts.socket" -}}
- name: socket
  mountPath: /run/holdfast
{{- end }}

{{- define "holdfast.mounts.discovery" -}}
- name: discovery
  mountPath: /etc/holdfast/discovery
  readOnly: true
{{- end }}

{{- define "holdfast.container.controller" -}}
name: controller
{{ include "holdfast.container.common" . }}
args:
  {{- include "holdfast.args.controller" . | nindent 2 }}
env:
  {{- include "holdfast.env.controlPlane" . | nindent 2 }}
ports:
  {{- if eq .Values.mode "split" }}
  - name: discovery
    containerPort: {{ int .Values.ports.discovery }}
  {{- end }}
  - name: admin-control
    containerPort: {{ int .Values.ports.controllerAdmin }}
{{- if eq .Values.mode "split" }}
readinessProbe:
  httpGet: {path: /readyz, port: admin-control}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}
# Its restart closes no connection.
livenessProbe:
  httpGet: {path: /healthz, port: admin-control}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml .Values.controller.resources | nindent 2 }}
volumeMounts:
  {{- include "holdfast.mounts.token" . | nindent 2 }}
  {{- if eq .Values.mode "split" }}
  {{- include "holdfast.mounts.discovery" . | nindent 2 }}
  {{- else }}
  {{- include "holdfast.mounts.socket" . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "holdfast.container.proxy" -}}
name: proxy
{{ include "holdfast.container.common" . }}
args:
  {{- include "holdfast.args.proxy" . | nindent 2 }}
{{- with include "holdfast.env.dataPlane" . }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{ include "holdfast.container.traffic" . }}
volumeMounts:
  {{- if eq .Values.mode "split" }}
  {{- include "holdfast.mounts.discovery" . | nindent 2 }}
  {{- else }}
  {{- include "holdfast.mounts.socket" . | nindent 2 }}
  {{- end }}
  {{- include "holdfast.mounts.data" . | trim | nindent 2 }}
{{- end }}

{{- define "holdfast.container.ingress" -}}
name: ingress
{{ include "holdfast.container.common" . }}
args:
  {{- include "holdfast.args.ingress" . | nindent 2 }}
env:
  {{- include "holdfast.env.controlPlane" . | nindent 2 }}
  {{- with include "holdfast.env.dataPlane" . }}
  {{- . | nindent 2 }}
  {{- end }}
{{ include "holdfast.container.traffic" . }}
volumeMounts:
  {{- include "holdfast.mounts.token" . | nindent 2 }}
  {{- include "holdfast.mounts.data" . | trim | nindent 2 }}
{{- end }}
