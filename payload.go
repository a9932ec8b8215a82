package millrace

import "encoding/json"

// RunPayload is the payload of the events of a sync job run: its row, and sums for receivers that read nothing else.
type RunPayload struct {
	*SyncJobRun
	RecordsSynced int64 `json:"records_synced"`
	DurationMS    int64 `json:"duration_ms,omitempty"`
	RetryAfter    int64 `json:"retry_after,omitempty"` // seconds, while the run is rate_limited
}

// RecordPayload is the payload of sync_job_run:record.
type RecordPayload struct {
	Resource string            `json:"resource"`
	Records  []json.RawMessage `json:"records"`
	Meta     RecordMeta        `json:"meta"`
}

// RecordMeta says where the records of a delivery come from.
type RecordMeta struct {
	SyncJobRunID        SyncJobRunID        `json:"sync_job_run_id"`
	SyncJobID           SyncJobID           `json:"sync_job_id"`
	IntegratedAccountID IntegratedAccountID `json:"integrated_account_id"`
	Node                string              `json:"node"`
	Method              string              `json:"method"`
	Sequence            int64               `json:"sequence"` // of the delivery in its run; only grows
}

// RecordErrorPayload is the payload of sync_job_run:record_error: one error, or a list of them with error_handling batch.
type RecordErrorPayload struct {
	Resource            string              `json:"resource,omitempty"`
	Method              string              `json:"method,omitempty"`
	Error               *RecordError        `json:"error,omitempty"`
	Errors              []json.RawMessage   `json:"errors,omitempty"` // of RecordError
	SyncJobRunID        SyncJobRunID        `json:"sync_job_run_id"`
	SyncJobID           SyncJobID           `json:"sync_job_id"`
	IntegratedAccountID IntegratedAccountID `json:"integrated_account_id"`
	Args                json.RawMessage     `json:"args"`
}

// RecordError is something that went wrong in a run and did not end it.
type RecordError struct {
	RunError
	Method string          `json:"method,omitempty"`
	Status int             `json:"status,omitempty"` // of the provider's response
	Body   json.RawMessage `json:"body,omitempty"`   // the beginning of that response
}

// CronFailedPayload is the payload of sync_job_cron_trigger:failed: the schedule, and why its instant made no run.
type CronFailedPayload struct {
	*SyncJobCronTrigger
	DueAt Time   `json:"due_at"` // the instant
	Error string `json:"error"`
}

// DeletedPayload is the payload of the events about something that is gone.
type DeletedPayload struct {
	ID string `json:"id" format:"uuid" doc:"The id of the object that is gone."`
}
