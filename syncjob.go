package millrace

import "encoding/json"

// SyncJob is the plan of a sync: which resources to read, in what order, where to send them.
type SyncJob struct {
	ID                    SyncJobID       `json:"id"`
	EnvironmentID         EnvironmentID   `json:"environment_id"`
	Label                 string          `json:"label"`
	IntegrationName       string          `json:"integration_name"`
	DefaultRuntimeVersion int64           `json:"default_runtime_version"` // 0: decided by the shape of resources
	ArgsSchema            json.RawMessage `json:"args_schema"`
	ArgsValidation        string          `json:"args_validation,omitempty"` // JSONata over { args }
	MutexKey              string          `json:"mutex_key,omitempty"`       // template
	StateKey              string          `json:"state_key,omitempty"`       // template
	ErrorHandling         ErrorHandling   `json:"error_handling,omitempty"`
	Resources             json.RawMessage `json:"resources"` // array: legacy list or node graph
	CreatedAt             Time            `json:"created_at"`
	UpdatedAt             Time            `json:"updated_at"`
	Warnings              []Failure       `json:"-"` // what was probably not meant when it was saved
}

// ErrorHandling says what a failed request does to a sync job run.
type ErrorHandling string

// The ways to handle errors.
const (
	ErrorIgnore   ErrorHandling = "ignore"    // go on; one record_error each (the default)
	ErrorFailFast ErrorHandling = "fail_fast" // stop at the first
	ErrorBatch    ErrorHandling = "batch"     // go on; record_error with a list
)

// RunStatus says how far a sync job run has come.
type RunStatus string

// The states of a sync job run. A run that is parked, because its webhook does not respond, stays running.
const (
	RunCreated     RunStatus = "created"
	RunRunning     RunStatus = "running"
	RunRateLimited RunStatus = "rate_limited"
	RunCompleted   RunStatus = "completed"
	RunFailed      RunStatus = "failed"
	RunStopped     RunStatus = "stopped"
)

// RunStatuses returns the states of a sync job run.
func RunStatuses() []RunStatus {
	return []RunStatus{RunCreated, RunRunning, RunRateLimited, RunCompleted, RunFailed, RunStopped}
}

// Finished reports whether s is final.
func (s RunStatus) Finished() bool {
	switch s {
	case RunCompleted, RunFailed, RunStopped:
		return true
	case RunCreated, RunRunning, RunRateLimited:
	}
	return false
}

// Next reports whether a run in state s may go to state t.
func (s RunStatus) Next(t RunStatus) bool {
	switch s {
	case RunCreated:
		return t == RunRunning || t.Finished()
	case RunRunning:
		return t == RunRateLimited || t.Finished()
	case RunRateLimited:
		return t == RunRunning || t.Finished()
	case RunCompleted, RunFailed, RunStopped:
	}
	return false
}

// SyncJobRun is one execution of a sync job for an account.
type SyncJobRun struct {
	ID                   SyncJobRunID         `json:"id"`
	EnvironmentID        EnvironmentID        `json:"environment_id"`
	SyncJobID            SyncJobID            `json:"sync_job_id"`
	IntegratedAccountID  IntegratedAccountID  `json:"integrated_account_id"`
	WebhookID            WebhookID            `json:"webhook_id"`
	WorkflowRunID        WorkflowRunID        `json:"workflow_run_id,omitempty"`
	StepIndex            int64                `json:"-"`
	SyncJobCronTriggerID SyncJobCronTriggerID `json:"sync_job_cron_trigger_id,omitempty"`
	Status               RunStatus            `json:"status"`
	Args                 json.RawMessage      `json:"args"`
	Resources            json.RawMessage      `json:"resources"` // the plan as it was when the run was created
	ErrorHandling        ErrorHandling        `json:"error_handling"`
	IgnorePreviousRun    bool                 `json:"ignore_previous_run"`
	EventsToSend         json.RawMessage      `json:"events_to_send"`
	Version              int64                `json:"version"` // runtime version
	ResourceStats        json.RawMessage      `json:"resource_stats"`
	MutexKey             string               `json:"mutex_key,omitempty"`   // resolved
	Force                bool                 `json:"force,omitempty"`       // takes no part in the line of its mutex_key
	WaitingFor           SyncJobRunID         `json:"waiting_for,omitempty"` // the run with the same mutex_key in front of it
	StateKey             string               `json:"state_key,omitempty"`   // resolved
	Error                json.RawMessage      `json:"error"`                 // RunError, or null
	ErrorCount           int64                `json:"error_count"`           // requests, expressions and destinations that failed
	FirstError           json.RawMessage      `json:"first_error"`           // FirstError, or null
	IsPartial            bool                 `json:"is_partial"`            // it is completed and something in it failed
	WaitReason           string               `json:"wait_reason,omitempty"` // why it does not go on until retry_at, or the run in waiting_for
	RetryAt              Time                 `json:"retry_at"`
	ParkedSince          Time                 `json:"parked_since"` // its webhook has not responded since
	WaitsForAccount      IntegratedAccountID  `json:"-"`            // that must be connected again before it goes on
	Depth                int64                `json:"-"`            // of the events that it causes
	RootEventID          EventID              `json:"-"`            // of the events that it causes
	Traceparent          string               `json:"-"`            // of the request that it follows from; empty: none
	Epoch                int64                `json:"-"`            // raised by every slice; progress is fenced by it
	Sequence             int64                `json:"-"`            // of the last delivery that was frozen
	Checkpoint           json.RawMessage      `json:"-"`            // of the executor
	CreatedAt            Time                 `json:"created_at"`
	StartedAt            Time                 `json:"started_at"`
	FinishedAt           Time                 `json:"finished_at"`
	UpdatedAt            Time                 `json:"updated_at"`
}

// RunError says why a run failed and where.
type RunError struct {
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Node     string   `json:"node,omitempty"`
	Resource string   `json:"resource,omitempty"`
	Request  string   `json:"request,omitempty"` // method and URL, without credentials
	Position *Failure `json:"position,omitempty"`
}

// FirstError is the first failure of a run.
type FirstError struct {
	RunError
	Status int    `json:"status,omitempty"` // of the provider's response
	Path   string `json:"path,omitempty"`   // of the expression in the job
	At     Time   `json:"at"`
}

// FrozenDelivery is a delivery of a run that was made durable before it is sent.
type FrozenDelivery struct {
	Delivery
	Body []byte // the whole request body; compressed at rest
}
