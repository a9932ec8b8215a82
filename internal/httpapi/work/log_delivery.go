package work

import "github.com/millrace/millrace"

func deliveryEntry(d *millrace.TriedDelivery) entry {
	out := entry{
		"_id": d.ID, "timestamp": d.CreatedAt, "queue": "webhooks", "event": d.Event, "webhook_id": string(d.WebhookID),
		"status": string(d.Status), "delivery_id": string(d.ID), "id": string(d.EventID),
		"sync_job_run_id": string(d.SyncJobRunID), "integrated_account_id": string(d.IntegratedAccountID),
	}
	if d.EventID == "" {
		out["id"] = string(d.ID) // of a run: what its body has as id
	}
	if n := len(d.Tries); n > 0 {
		out["webhook_endpoint_status"], out["retry_count"] = d.Tries[n-1].StatusCode, n-1
	}
	if d.NextAttemptAt > 0 {
		out["next_attempt_at"] = d.NextAttemptAt
	}
	var logs []entry
	for i := range d.Tries {
		logs = append(logs, attemptLine(&d.Tries[i]))
	}
	out["logs"] = logs
	return out
}
