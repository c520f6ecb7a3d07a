{{- define "squab.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 characters at most: what is put behind it must fit into the 63 of a label. */}}
{{- define "squab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Never changes while a release lives: selectors and claim templates are immutable. */}}
{{- define "squab.identity" -}}
app.kubernetes.io/name: {{ include "squab.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "squab.selector" -}}
{{ include "squab.identity" . }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels of an object; takes a list of the root and the component. */}}
{{- define "squab.labels" -}}
{{- $root := first . -}}
{{ include "squab.identity" $root }}
app.kubernetes.io/component: {{ last . }}
app.kubernetes.io/version: {{ $root.Values.image.tag | default $root.Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "squab.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "squab.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "squab.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* "strict", "known-keys" or "off"; YAML reads a bare off as false. */}}
{{- define "squab.authMode" -}}
{{- if kindIs "bool" .Values.auth.mode -}}off{{- else -}}{{ .Values.auth.mode }}{{- end -}}
{{- end -}}

{{/* Whether the chart makes the Secret: "true" or nothing. */}}
{{- define "squab.ownsSecret" -}}
{{- if and (ne (include "squab.authMode" .) "off") (not .Values.auth.existingSecret) -}}true{{- end -}}
{{- end -}}

{{- define "squab.secretName" -}}
{{ .Values.auth.existingSecret | default (printf "%s-keys" (include "squab.fullname" .)) }}
{{- end -}}

{{/* The entry of the Secret that is a credentials file; nothing when there is none. */}}
{{- define "squab.credentialsEntry" -}}
{{- if .Values.auth.existingSecret -}}
{{ .Values.auth.existingSecretKeys.credentials }}
{{- else -}}
credentials.toml
{{- end -}}
{{- end -}}

{{/*
Decides the first key, once for each rendering: what was given, else what the Secret in the cluster
has, else a new one. It is left in .Release, which all templates share and which is not stored.
*/}}
{{- define "squab.chooseKey" -}}
{{- if not (hasKey .Release "squabKey") -}}
{{- $found := lookup "v1" "Secret" .Release.Namespace (include "squab.secretName" .) | default dict -}}
{{- $present := get $found "data" | default dict -}}
{{- $id := randAlphaNum 16 | upper | replace "0" "2" | replace "1" "3" | replace "8" "4" | replace "9" "5" | printf "AKIA%s" -}}
{{- $id = .Values.auth.accessKeyId | default (get $present "access-key-id" | b64dec) | default $id -}}
{{- $secret := .Values.auth.secretAccessKey | default (get $present "secret-access-key" | b64dec) | default (randAlphaNum 40) -}}
{{- $_ := set .Release "squabKey" (dict "id" $id "secret" $secret) -}}
{{- end -}}
{{- end -}}

{{/* The credentials file. */}}
{{- define "squab.credentials" -}}
{{- include "squab.chooseKey" . -}}
{{- $first := dict "accessKeyId" .Release.squabKey.id "secretAccessKey" .Release.squabKey.secret "account" .Values.auth.account "role" .Values.auth.role -}}
{{- range prepend .Values.auth.keys $first }}
[[credential]]
access_key_id = {{ .accessKeyId | toJson }}
secret_access_key = {{ .secretAccessKey | toJson }}
{{- with .account }}
account = {{ toJson . }}
{{- end }}
{{- with .user }}
user = {{ toJson . }}
{{- end }}
{{- with .role }}
role = {{ toJson . }}
{{- end }}
{{- with .sessionToken }}
session_token = {{ toJson . }}
{{- end }}
{{ end -}}
{{- end -}}

{{/*
A value as TOML. A text of JSON is one of TOML; numbers arrive as floats, which would be written
with an exponent; an object is a policy, which is text of JSON.
*/}}
{{- define "squab.toml" -}}
{{- if kindIs "bool" . -}}
{{ . }}
{{- else if kindIs "string" . -}}
{{ toJson . }}
{{- else if kindIs "map" . -}}
{{ toRawJson . | toJson }}
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "squab.toml" $item }}{{ end }}]
{{- else -}}
{{ int64 . }}
{{- end -}}
{{- end -}}

{{/* A map of simple values as an inline table of TOML. */}}
{{- define "squab.tomlTable" -}}
{{- $entries := list -}}
{{- range $key, $value := . -}}
{{- $entries = append $entries (printf "%s = %s" (toJson $key) (include "squab.toml" $value)) -}}
{{- end -}}
{ {{ join ", " $entries }} }
{{- end -}}

{{/* The program's file. */}}
{{- define "squab.config" -}}
{{- $config := omit .Values.config "log_level" "allowed_hosts" -}}
{{- $hosts := .Values.config.allowed_hosts | default list -}}
{{- if .Values.ingress.enabled -}}
{{- range .Values.ingress.hosts -}}
{{- with .host -}}
{{- $hosts = append $hosts . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $level := ternary "debug" (.Values.config.log_level | default "info") .Values.debug -}}
# Made from the values of the Helm chart.
auth = {{ include "squab.authMode" . | toJson }}
{{- if ne (include "squab.authMode" .) "strict" }}
allow_anonymous = true
{{- end }}
{{- $scraped := or .Values.metrics.serviceMonitor.enabled .Values.metrics.prometheusRule.enabled }}
{{- if and $scraped (not (hasKey $config "open_metrics")) }}
open_metrics = true
{{- end }}
{{- with uniq $hosts }}
allowed_hosts = {{ include "squab.toml" . }}
{{- end }}
log_level = {{ toJson $level }}
{{- if and (ne (include "squab.authMode" .) "off") (include "squab.credentialsEntry" .) }}
credentials = "/etc/squab/keys/credentials"
{{- end }}
{{- range $key, $value := $config }}
{{ $key }} = {{ include "squab.toml" $value }}
{{- end }}
{{- range $name, $queue := .Values.queues }}

[queues.{{ toJson $name }}]
{{- range $key, $value := $queue }}
{{- if has $key (list "attributes" "tags") }}
{{ $key }} = {{ include "squab.tomlTable" $value }}
{{- else }}
{{ $key }} = {{ include "squab.toml" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $topic := .Values.topics }}

[topics.{{ toJson $name }}]
{{- range $key, $value := omit ($topic | default dict) "subscriptions" }}
{{- if has $key (list "attributes" "tags") }}
{{ $key }} = {{ include "squab.tomlTable" $value }}
{{- else }}
{{ $key }} = {{ include "squab.toml" $value }}
{{- end }}
{{- end }}
{{- range ($topic | default dict).subscriptions }}

[[topics.{{ toJson $name }}.subscriptions]]
{{- range $key, $value := . }}
{{- if eq $key "attributes" }}
{{ $key }} = {{ include "squab.tomlTable" $value }}
{{- else }}
{{ $key }} = {{ include "squab.toml" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The claim with the state; nothing when there is none. */}}
{{- define "squab.claim" -}}
{{- if and .Values.persistence.enabled (not .Values.config.ephemeral) -}}
{{ .Values.persistence.existingClaim | default (printf "data-%s-0" (include "squab.fullname" .)) }}
{{- end -}}
{{- end -}}

{{/* Matchers of this server's metrics. */}}
{{- define "squab.metricSelector" -}}
{{- .Values.metrics.prometheusRule.selector | default (printf "namespace=%q, job=%q" .Release.Namespace (include "squab.fullname" .)) -}}
{{- end -}}

{{/* Regular expression of the names of dead-letter queues: the given one, and those declared. */}}
{{- define "squab.deadLetterQueues" -}}
{{- $names := list -}}
{{- range .Values.queues -}}
{{- with .dead_letter_queue -}}
{{- $names = append $names (replace "." "[.]" .) -}}
{{- end -}}
{{- end -}}
{{- prepend ($names | uniq | sortAlpha) .Values.metrics.prometheusRule.deadLetterQueues | compact | join "|" -}}
{{- end -}}

{{/* What values cannot mean; each sentence says what to do. */}}
{{- define "squab.refuseNonsense" -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- fail "replicaCount: one process writes the state, so there can be only one pod; a second would be refused the data directory" -}}
{{- end -}}
{{- if ge (int (.Values.config.shutdown_grace | default 8)) (int .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be more than config.shutdown_grace (%d), or running requests are killed" (int .Values.terminationGracePeriodSeconds) (int (.Values.config.shutdown_grace | default 8))) -}}
{{- end -}}
{{- if and .Values.auth.existingSecret (or .Values.auth.keys .Values.auth.accessKeyId .Values.auth.secretAccessKey .Values.auth.account) -}}
{{- fail "auth.existingSecret holds all keys: leave auth.accessKeyId, auth.secretAccessKey, auth.account and auth.keys empty, or put the keys into a credentials file in that Secret (auth.existingSecretKeys.credentials)" -}}
{{- end -}}
{{- end -}}
