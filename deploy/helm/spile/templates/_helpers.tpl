{{- define "spile.labels" -}}
app.kubernetes.io/name: spile
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spile.selector" -}}
app.kubernetes.io/name: spile
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spile.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "spile.claim" -}}
{{ .Values.data.existingClaim | default (printf "%s-data" .Release.Name) }}
{{- end }}

{{- /* Whether nothing of the servers is on one machine alone. */ -}}
{{- define "spile.shared" -}}
{{- if and .Values.catalog.url .Values.store.url }}yes{{ end }}
{{- end }}

{{- /* Whether there is a claim. */ -}}
{{- define "spile.hasClaim" -}}
{{- if or (not .Values.store.url) .Values.pipelines.sharesData }}yes{{ end }}
{{- end }}

{{- define "spile.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not (include "spile.shared" .)) }}
{{- fail "replicas: several servers need catalog.url and store.url; with one of them missing, data is on one machine" }}
{{- end }}
{{- if and .Values.pipelines.sharesData (not .Values.data.existingClaim) (ne .Values.data.accessMode "ReadWriteMany") }}
{{- fail "pipelines.sharesData: pods of any node mount the claim, so data.accessMode has to be ReadWriteMany" }}
{{- end }}
{{- if and .Values.catalog.url (eq .Values.pipelines.launcher "kubernetes") (not .Values.pipelines.toolImage) }}
{{- fail "pipelines.toolImage: a server with catalog.url is not static: name an image of deploy/Containerfile" }}
{{- end }}
{{- if not (has .Values.pipelines.launcher (list "kubernetes" "process")) }}
{{- fail "pipelines.launcher: kubernetes or process" }}
{{- end }}
{{- end }}
