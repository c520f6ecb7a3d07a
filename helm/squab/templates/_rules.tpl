{{/*
The alerts, as a list of YAML. docs/operations.md says what to do about each. Braces of Prometheus's
own templates are written as constants of Helm's.

Counters of results and deliveries begin to exist with their first event. increase() cannot see that
event, so what has come into being within the window is counted as a whole.
*/}}
{{- define "squab.rules" -}}
- alert: SquabDown
  expr: max by (namespace, job) (up{ {{- .own -}} }) == 0 or absent(up{ {{- .own -}} })
  for: 2m
  labels:
    severity: critical
  annotations:
    summary: {{ printf "Squab %s in %s does not answer" .name .namespace | quote }}
    description: Prometheus has not reached the server for two minutes. Nobody can send or receive.
- alert: SquabQueueDeep
  expr: |-
    max by (namespace, job, account, region, queue) (
      squab_queue_messages{ {{- .own }}, state="visible", queue!~{{ toJson .dead }}}
    ) > {{ .limits.queueDepth }}
  for: 10m
  labels:
    severity: warning
  annotations:
    summary: {{ `Queue {{ $labels.queue }} has {{ $value }} messages waiting` | quote }}
    description: Consumers are too few, too slow, or gone. Messages are kept until their retention period ends.
- alert: SquabOldestMessageOld
  expr: |-
    max by (namespace, job, account, region, queue) (
      squab_queue_oldest_message_age_seconds{ {{- .own }}, queue!~{{ toJson .dead }}}
    ) > {{ .limits.oldestMessageAgeSeconds }}
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: {{ `The oldest message of queue {{ $labels.queue }} was sent {{ $value | humanizeDuration }} ago` | quote }}
    description: Nobody has processed it since. At the end of the retention period it is lost.
- alert: SquabDeadLettersGrow
  expr: |-
    sum by (namespace, job, account, region, queue) (
      squab_queue_messages{ {{- .own }}, queue=~{{ toJson .dead }}}
    )
    - sum by (namespace, job, account, region, queue) (
      squab_queue_messages{ {{- .own }}, queue=~{{ toJson .dead }}} offset 15m
    ) > {{ .limits.deadLettersGrowth }}
  labels:
    severity: warning
  annotations:
    summary: {{ `Dead-letter queue {{ $labels.queue }} got {{ $value }} messages in 15 minutes` | quote }}
    description: Consumers fail on messages, or deliveries of topics fail. Look at the messages, mend the cause, then redrive.
- alert: SquabDeliveriesFail
  expr: |-
    sum by (namespace, job, protocol) (
      increase(squab_sns_deliveries_total{ {{- .own }}, result="failed"}[15m])
    ) > {{ .limits.deliveryFailures }}
    or
    (
      sum by (namespace, job, protocol) (squab_sns_deliveries_total{ {{- .own }}, result="failed"})
      unless
      sum by (namespace, job, protocol) (squab_sns_deliveries_total{ {{- .own }}, result="failed"} offset 15m)
    ) > {{ .limits.deliveryFailures }}
  labels:
    severity: warning
  annotations:
    summary: {{ `{{ $value | humanize }} deliveries of SNS by {{ $labels.protocol }} failed for good in 15 minutes` | quote }}
    description: They were given up, to the dead-letter queue of the subscription if it has one. The log has a line "not delivered" with the reason for each.
- alert: SquabDeliveriesWait
  expr: |-
    max by (namespace, job) (
      squab_sns_oldest_pending_delivery_age_seconds{ {{- .own -}} }
    ) > {{ .limits.pendingDeliveryAgeSeconds }}
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: {{ `A delivery of SNS has been tried for {{ $value | humanizeDuration }}` | quote }}
    description: An endpoint, a function or the mail relay does not take what it is sent, or a network policy is in between.
- alert: SquabServerErrors
  expr: |-
    sum by (namespace, job, result) (
      increase(squab_requests_total{ {{- .own }}, result=~"InternalFailure|InternalError|ServiceUnavailable"}[10m])
    ) > 0
    or
    (
      sum by (namespace, job, result) (squab_requests_total{ {{- .own }}, result=~"InternalFailure|InternalError|ServiceUnavailable"})
      unless
      sum by (namespace, job, result) (squab_requests_total{ {{- .own }}, result=~"InternalFailure|InternalError|ServiceUnavailable"} offset 10m)
    ) > 0
  labels:
    severity: critical
  annotations:
    summary: {{ `{{ $value | humanize }} requests met {{ $labels.result }} in 10 minutes` | quote }}
    description: The server could not do its work. A full or failing disk is the usual cause; see the log.
- alert: SquabErrorRatio
  expr: |-
    sum by (namespace, job) (rate(squab_requests_total{ {{- .own }}, result!="ok"}[5m]))
    / sum by (namespace, job) (rate(squab_requests_total{ {{- .own -}} }[5m]))
    > {{ .limits.errorRatio }}
  for: 10m
  labels:
    severity: warning
  annotations:
    summary: {{ `{{ $value | humanizePercentage }} of the requests fail` | quote }}
    description: Most often one caller is wrong, with a key, a queue that is gone, or receipts that have expired. The dashboard shows the errors by operation.
- alert: SquabSlow
  expr: |-
    histogram_quantile(0.99, sum by (namespace, job, le) (
      rate(squab_request_duration_seconds_bucket{ {{- .own }}, operation!="ReceiveMessage"}[5m])
    )) > {{ .limits.latencySeconds }}
  for: 10m
  labels:
    severity: warning
  annotations:
    summary: {{ `One request in a hundred takes more than {{ $value | humanizeDuration }}` | quote }}
    description: The disk is slow, or the processor is short. Receives are not counted, because they wait on purpose.
- alert: SquabPanics
  expr: sum by (namespace, job) (increase(squab_panics_total{ {{- .own -}} }[15m])) > 0
  labels:
    severity: warning
  annotations:
    summary: A request ended by a bug in Squab
    description: Nothing that was acknowledged is lost. Please report the lines of the log.
{{- if .claim }}
- alert: SquabDiskFills
  expr: |-
    kubelet_volume_stats_available_bytes{namespace={{ toJson .namespace }}, persistentvolumeclaim={{ toJson .claim }}}
    / kubelet_volume_stats_capacity_bytes{namespace={{ toJson .namespace }}, persistentvolumeclaim={{ toJson .claim }}}
    < {{ .limits.diskFreeRatio }}
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: {{ `Only {{ $value | humanizePercentage }} of the volume {{ $labels.persistentvolumeclaim }} is free` | quote }}
    description: When it is full, writes fail until there is room; nothing acknowledged is lost. Find the queue that grows, or enlarge the claim. The file does not shrink; room of deleted messages is used again.
- alert: SquabDiskFull
  expr: |-
    kubelet_volume_stats_available_bytes{namespace={{ toJson .namespace }}, persistentvolumeclaim={{ toJson .claim }}}
    / kubelet_volume_stats_capacity_bytes{namespace={{ toJson .namespace }}, persistentvolumeclaim={{ toJson .claim }}}
    < {{ .limits.diskFreeRatio }} / 3
  labels:
    severity: critical
  annotations:
    summary: {{ `Only {{ $value | humanizePercentage }} of the volume {{ $labels.persistentvolumeclaim }} is free` | quote }}
    description: Writes are about to fail. Enlarge the claim; deleting messages makes room in the file, but not on the volume.
{{- end }}
{{- end -}}
