{{/* Every flag that the chart gives is here, once: those of the control plane, of the data plane, and of
     both. `holdfast ingress` gets all of them. One a line, as items of a list. */}}

{{- define "holdfast.flags.common" -}}
- --log-level={{ .Values.logLevel }}
{{- end }}

{{- define "holdfast.flags.controlPlane" -}}
- --ingress-class={{ .Values.ingressClass.name }}
{{- with .Values.watch }}
{{- if .namespaces }}
- --namespaces={{ join "," .namespaces }}
{{- end }}
{{- if .labelSelector }}
- {{ printf "--label-selector=%s" .labelSelector | quote }}
{{- end }}
{{- if .withoutClass }}
- --watch-without-class
{{- end }}
{{- if ne .endpointsApi "endpointslices" }}
- --endpoints-api={{ .endpointsApi }}
{{- end }}
{{- if .streamedLists }}
- --watch-list
{{- end }}
{{- end }}
{{- with include "holdfast.defaultsConfigMap" . }}
- --defaults-configmap={{ . }}
{{- end }}
{{- with .Values.defaultBackend }}
- --default-backend={{ . }}
{{- end }}
{{- with .Values.defaultCertificate }}
- --default-certificate={{ . }}
{{- end }}
{{- with include "holdfast.publishService" . }}
- --publish-service={{ . }}
{{- end }}
{{- with .Values.status.publishAddresses }}
- {{ printf "--publish-address=%s" (join "," .) | quote }}
{{- end }}
{{- if not .Values.events }}
- --events=off
{{- end }}
{{- if include "holdfast.writes" . }}
- --leader-lease={{ .Release.Namespace }}/{{ include "holdfast.leaseName" . }}
{{- end }}
{{- if .Values.externalNames.allow }}
- --allow-external-name
{{- with .Values.externalNames.dnsServers }}
- {{ printf "--dns-server=%s" (join "," .) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* (dict "flag" ... "port" ... "root" $): the flag for every address. */}}
{{- define "holdfast.flags.listen" -}}
{{- range .root.Values.listenAddresses }}
- {{ printf "--%s=%s:%d" $.flag . (int $.port) | quote }}
{{- end }}
{{- end }}

{{/* (dict "flag" ... "port" ... "root" $): the flag for the first address. */}}
{{- define "holdfast.flags.listenOnce" -}}
- {{ printf "--%s=%s:%d" .flag (first .root.Values.listenAddresses) (int .port) | quote }}
{{- end }}

{{- define "holdfast.flags.dataPlane" -}}
{{- include "holdfast.flags.listen" (dict "flag" "http-listen" "port" .Values.ports.http "root" .) | trim }}
{{- if .Values.https.enabled }}
{{- include "holdfast.flags.listen" (dict "flag" "https-listen" "port" .Values.ports.https "root" .) }}
- --tls-profile={{ .Values.https.profile }}
{{- if .Values.https.ticketSecret }}
- --tls-ticket-secret=/etc/holdfast/tickets/{{ .Values.https.ticketSecretKey }}
{{- end }}
{{- else }}
- --https-listen=off
{{- end }}
{{- if .Values.proxyProtocol.enabled }}
{{- include "holdfast.flags.listen" (dict "flag" "http-proxy-listen" "port" .Values.ports.httpProxy "root" .) }}
{{- if .Values.https.enabled }}
{{- include "holdfast.flags.listen" (dict "flag" "https-proxy-listen" "port" .Values.ports.httpsProxy "root" .) }}
{{- end }}
{{- end }}
{{- with .Values.trustedProxies }}
- {{ printf "--trusted-proxies=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.proxy }}
{{- if .workers }}
- --workers={{ int .workers }}
{{- end }}
{{- if .upstreamSources }}
- {{ printf "--upstream-source=%s" (join "," .upstreamSources) | quote }}
{{- end }}
{{- if .zone }}
- --zone={{ .zone }}
{{- end }}
- --access-log={{ .accessLog }}
{{- if .state.enabled }}
- --state-folder=/var/lib/holdfast
{{- end }}
{{- end }}
{{ include "holdfast.flags.listenOnce" (dict "flag" "admin-listen" "port" .Values.ports.admin "root" .) }}
{{- end }}

{{- define "holdfast.flags.discoveryFiles" -}}
- --discovery-certificate=/etc/holdfast/discovery/tls.crt
- --discovery-key=/etc/holdfast/discovery/tls.key
- --discovery-ca=/etc/holdfast/discovery/ca.crt
{{- end }}

{{- define "holdfast.args.controller" -}}
- controller
{{ if eq .Values.mode "split" -}}
{{ include "holdfast.flags.listenOnce" (dict "flag" "discovery-listen" "port" .Values.ports.discovery "root" .) }}
{{ include "holdfast.flags.discoveryFiles" . }}
{{- range .Values.discovery.allow }}
- {{ printf "--discovery-allow=%s" . | quote }}
{{- end }}
{{- else -}}
- --discovery-listen=unix:/run/holdfast/discovery.sock
{{- end }}
{{ include "holdfast.flags.listenOnce" (dict "flag" "admin-listen" "port" .Values.ports.controllerAdmin "root" .) }}
{{ include "holdfast.flags.controlPlane" . }}
{{ include "holdfast.flags.common" . }}
{{- with .Values.controller.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "holdfast.args.proxy" -}}
- proxy
{{ if eq .Values.mode "split" -}}
- --discovery={{ include "holdfast.fullname" . }}-discovery.{{ .Release.Namespace }}.svc:{{ int .Values.ports.discovery }}
{{ include "holdfast.flags.discoveryFiles" . }}
{{- with .Values.discovery.serverName }}
- --discovery-server-name={{ . }}
{{- end }}
{{- else -}}
- --discovery=unix:/run/holdfast/discovery.sock
{{- end }}
{{- include "holdfast.flags.dataPlane" . | nindent 0 }}
{{ include "holdfast.flags.common" . }}
{{- with .Values.proxy.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "holdfast.args.ingress" -}}
- ingress
{{- include "holdfast.flags.dataPlane" . | nindent 0 }}
{{ include "holdfast.flags.controlPlane" . }}
{{ include "holdfast.flags.common" . }}
{{- with concat .Values.controller.extraArgs .Values.proxy.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}
