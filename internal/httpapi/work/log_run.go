package work

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

func runEntry(e *millrace.RunLogEntry) entry {
	out := entry{
		"_id": e.ID, "timestamp": e.CreatedAt,
		"sync_job_run_id": string(e.SyncJobRunID), "sync_job_id": string(e.SyncJobID),
		"integrated_account_id": string(e.IntegratedAccountID), "webhook_id": string(e.WebhookID),
		"sync_job_run_event": e.Event, "resource": e.Resource, "method": e.Method,
		"sync_job_request_type": requestType(e.Resource), "status": runStatusAt(e.Event),
	}
	if e.Event == millrace.EventRunRecord {
		out["num_records"] = e.Records
	}
	var logs []entry
	for i := range e.Lines {
		logs = append(logs, logLine(&e.Lines[i]))
		if after := retryAfter(e.Lines[i].Detail); after > 0 {
			out["retry_after"] = after
		}
	}
	if e.Status != "" {
		out["webhook_successful"] = e.Status == millrace.DeliveryDelivered
		out["delivery_status"] = string(e.Status)
	}
	if n := len(e.Attempts); n > 0 {
		out["retry_count"] = n - 1
		out["webhook_status"] = e.Attempts[n-1].StatusCode
	}
	for i := range e.Attempts {
		logs = append(logs, attemptLine(&e.Attempts[i]))
	}
	out["logs"] = logs
	return out
}

// requestType tells unified resources from those of an integration, by their two segments.
func requestType(resource string) string {
	switch {
	case resource == "":
		return ""
	case strings.Contains(resource, "/"):
		return "unified"
	}
	return "proxy"
}

// runStatusAt returns the status that a run has when it tells of an event.
func runStatusAt(event string) string {
	switch event {
	case millrace.EventRunCompleted:
		return string(millrace.RunCompleted)
	case millrace.EventRunFailed:
		return string(millrace.RunFailed)
	case millrace.EventRunRateLimited:
		return string(millrace.RunRateLimited)
	case "":
		return ""
	}
	return string(millrace.RunRunning)
}

func retryAfter(detail json.RawMessage) int64 {
	var d struct {
		RetryAfter int64 `json:"retry_after"`
	}
	if len(detail) == 0 || json.Unmarshal(detail, &d) != nil {
		return 0
	}
	return d.RetryAfter
}

func logLine(l *millrace.RunLog) entry {
	out := entry{"timestamp": l.CreatedAt, "level": l.Level, "message": l.Message}
	if l.Node != "" {
		out["node"] = l.Node
	}
	if len(l.Detail) > 0 {
		out["detail"] = l.Detail
	}
	return out
}

func attemptLine(a *millrace.Attempt) entry {
	out := entry{
		"timestamp": a.CreatedAt, "level": millrace.LogInfo, "attempt": a.Number, "duration_ms": a.DurationMS,
		"message": fmt.Sprintf("attempt %d: the webhook responded with %d", a.Number, a.StatusCode),
	}
	if a.StatusCode == 0 {
		out["level"], out["message"], out["error_class"] = millrace.LogError, fmt.Sprintf("attempt %d: no response: %s", a.Number, a.ErrorClass), a.ErrorClass
		return out
	}
	out["status_code"] = a.StatusCode
	if a.StatusCode >= 300 {
		out["level"] = millrace.LogError
	}
	return out
}

func fireEntry(f *millrace.CronFire) entry {
	line := entry{"timestamp": f.CreatedAt, "level": millrace.LogInfo, "message": string(f.Outcome)}
	if f.Reason != "" {
		line["message"] = string(f.Outcome) + ": " + f.Reason
	}
	if f.Outcome == millrace.FireFailed {
		line["level"] = millrace.LogError
	}
	return entry{
		"_id": f.ID, "timestamp": f.CreatedAt, "alarm_type": "cron", "entity_id": string(f.CronTriggerID),
		"due_at": f.DueAt, "outcome": string(f.Outcome), "sync_job_run_id": string(f.SyncJobRunID),
		"logs": []entry{line},
	}
}
