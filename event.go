package millrace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Event is something that happened in an environment, stored once.
type Event struct {
	ID             EventID         `json:"id"`
	EnvironmentID  EnvironmentID   `json:"environment_id"`
	BatchID        BatchID         `json:"-"`
	Name           string          `json:"event"` // noun:verb
	Payload        json.RawMessage `json:"payload"`
	IdempotencyKey string          `json:"idempotency_key,omitempty"`
	Depth          int64           `json:"depth,omitempty"`           // how many workflow runs led here; bounds loops
	SyncJobRunID   SyncJobRunID    `json:"sync_job_run_id,omitempty"` // the run that caused it
	RootEventID    EventID         `json:"root_event_id,omitempty"`   // the event from outside that all of it began with; empty: this one
	Traceparent    string          `json:"-"`                         // of the request that it follows from; empty: none
	CreatedAt      Time            `json:"created_at"`
}

// Outcome says what was decided about an event and a workflow.
type Outcome string

// The outcomes of a decision.
const (
	OutcomeMatched      Outcome = "matched"      // run_if held, or there is none: a workflow run exists
	OutcomeNotMatched   Outcome = "not_matched"  // run_if did not hold
	OutcomeError        Outcome = "error"        // run_if or a key failed
	OutcomeLimit        Outcome = "limit"        // run_if or a key ran into a limit of expressions
	OutcomePaused       Outcome = "paused"       // the workflow is not active
	OutcomeDeduplicated Outcome = "deduplicated" // an earlier event had the same idempotency_key and led to the run
	OutcomeDelayed      Outcome = "delayed"      // the run begins at run_at
	OutcomeThrottled    Outcome = "throttled"    // the rate limit lets the run begin at run_at
	OutcomeDebounced    Outcome = "debounced"    // the run begins at run_at with the last such event, which may be a later one
	OutcomeSkipped      Outcome = "skipped"      // there is no run: as many as concurrency allows are under way, the run among them
	OutcomeCancelled    Outcome = "cancelled"    // cancelled_by took the place of the run
)

// Decision says why one event did, or did not, run one workflow.
type Decision struct {
	EventID         EventID         `json:"event_id"`
	EnvironmentID   EnvironmentID   `json:"environment_id"`
	WorkflowID      WorkflowID      `json:"workflow_id"`
	WorkflowVersion int64           `json:"workflow_version"`
	Outcome         Outcome         `json:"outcome"`
	Error           json.RawMessage `json:"error,omitempty"` // a Failure with path, code and position
	WorkflowRunID   WorkflowRunID   `json:"workflow_run_id,omitempty"`
	RunAt           Time            `json:"run_at,omitzero"`        // what was decided; a later event may move it
	CancelledBy     WorkflowRunID   `json:"cancelled_by,omitempty"` // the run that took the place of this one
	CreatedAt       Time            `json:"created_at"`
}

// Cause is one link of the chain that led to an event: a sync job run caused it, which a workflow run had started, which
// an earlier event had woken.
type Cause struct {
	SyncJobRunID  SyncJobRunID  `json:"sync_job_run_id"`
	WorkflowRunID WorkflowRunID `json:"workflow_run_id"`
	WorkflowID    WorkflowID    `json:"workflow_id"`
	WorkflowLabel string        `json:"workflow_label,omitempty"`
	EventID       EventID       `json:"event_id"`
	Event         string        `json:"event"`
}

// The events that Millrace emits itself.
const (
	EventAccountCreated     = "integrated_account:created"
	EventAccountUpdated     = "integrated_account:updated"
	EventAccountActive      = "integrated_account:active"
	EventAccountValidating  = "integrated_account:validating" // ours: before active, when a workflow listens
	EventAccountDeleting    = "integrated_account:deleting"   // ours: before deleted, when a workflow listens
	EventAccountDeleted     = "integrated_account:deleted"
	EventAccountAuthError   = "integrated_account:authentication_error"
	EventPostInstallError   = "integrated_account:post_install_error"
	EventValidationError    = "integrated_account:validation_error"
	EventFormSubmitted      = "integrated_account:post_connect_form_submitted"
	EventAccountReactivated = "integrated_account:reactivated"
	EventAccountConnected   = "integrated_account:connected" // alias of active, only as a trigger

	EventRunCreated     = "sync_job_run:created"
	EventRunUpdated     = "sync_job_run:updated"
	EventRunStarted     = "sync_job_run:started"
	EventRunRecord      = "sync_job_run:record"
	EventRunRecordError = "sync_job_run:record_error"
	EventRunRateLimited = "sync_job_run:rate_limited"
	EventRunCompleted   = "sync_job_run:completed"
	EventRunPartial     = "sync_job_run:partial" // beside completed, when something in the run failed
	EventRunFailed      = "sync_job_run:failed"
	EventRunDeleted     = "sync_job_run:deleted"

	EventTokenCreated = "api_token:created"
	EventTokenDeleted = "api_token:deleted"

	EventCronFailed = "sync_job_cron_trigger:failed"
	EventTest       = "test"
)

// EventNames returns the catalogue: every event that a webhook may subscribe to.
func EventNames() []string {
	return []string{
		EventAccountCreated, EventAccountUpdated, EventAccountValidating, EventAccountDeleting, EventAccountDeleted, EventAccountActive,
		EventFormSubmitted, EventPostInstallError, EventValidationError, EventAccountAuthError,
		"integrated_account:forbidden_error", EventAccountReactivated, "link_token:connection_error",
		"environment_integration:created", "environment_integration:updated", "environment_integration:deleted",
		"environment_unified_model:created", "environment_unified_model:updated", "environment_unified_model:deleted",
		EventTokenCreated, EventTokenDeleted,
		EventRunCreated, EventRunUpdated, EventRunStarted, EventRunCompleted, EventRunPartial, EventRunFailed, EventRunDeleted,
		EventRunRecord, EventRunRecordError, EventRunRateLimited,
		EventRecordCreated, EventRecordUpdated, EventRecordDeleted, EventRecordMeta,
		EventCronFailed, EventWebhookFailing, EventWebhookDisabled, EventWebhookReactivated,
		"batch_job:dry_run_completed", "batch_job:completed", "batch_job:dry_run_failed", "batch_job:failed",
		EventTest,
	}
}

var customEvent = regexp.MustCompile(`^custom:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// IsCustomEvent reports whether name is custom:<name>, an event that clients may send themselves.
func IsCustomEvent(name string) bool { return customEvent.MatchString(name) }

// CanonicalTrigger returns the event that a workflow's trigger_name stands for and whether it is known.
func CanonicalTrigger(name string) (string, bool) {
	if name == EventAccountConnected {
		return EventAccountActive, true
	}
	if IsCustomEvent(name) {
		return name, true
	}
	return name, name != EventTest && slices.Contains(EventNames(), name)
}

// Envelope is the body of a delivery.
type Envelope struct {
	ID            string          `json:"id"`
	Event         string          `json:"event"`
	Payload       json.RawMessage `json:"payload"`
	EnvironmentID EnvironmentID   `json:"environment_id"`
	CreatedAt     Time            `json:"created_at"`
	WebhookID     WebhookID       `json:"webhook_id"`
}

// Body returns the body of the event's delivery to a webhook: an Envelope. It depends on the event's row and the
// webhook's id alone, so that a repetition, however late, has the same bytes and the same signature. The payload is
// copied as it was stored: no number is rounded, no character re-escaped.
func (e *Event) Body(webhook WebhookID) []byte {
	payload := []byte(e.Payload)
	if len(payload) == 0 {
		payload = []byte("null")
	}
	b := make([]byte, 0, len(payload)+320)
	b = append(b, `{"id":`...)
	b = appendString(b, string(e.ID))
	b = append(b, `,"event":`...)
	b = appendString(b, e.Name)
	b = append(b, `,"payload":`...)
	b = append(b, payload...)
	b = append(b, `,"environment_id":`...)
	b = appendString(b, string(e.EnvironmentID))
	b = append(b, `,"created_at":`...)
	b = appendString(b, e.CreatedAt.String())
	b = append(b, `,"webhook_id":`...)
	b = appendString(b, string(webhook))
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has an encoding
	return append(b, quoted...)
}

// Account returns the integrated account that the event is about, or "".
func (e *Event) Account() IntegratedAccountID {
	var payload struct {
		ID        any `json:"id"`
		AccountID any `json:"integrated_account_id"`
	}
	if err := json.Unmarshal(e.Payload, &payload); err != nil {
		return "" // a payload that is no object is about nothing
	}
	id, _ := payload.AccountID.(string)
	if strings.HasPrefix(e.Name, "integrated_account:") {
		id, _ = payload.ID.(string)
	}
	if !IsID(id) {
		return ""
	}
	return IntegratedAccountID(strings.ToLower(id))
}

// NewEvent returns an event about a thing, which becomes its payload.
func NewEvent(env EnvironmentID, name string, about any) (*Event, error) {
	payload, err := json.Marshal(about)
	if err != nil {
		return nil, fmt.Errorf("encode payload of %s: %w", name, err)
	}
	return &Event{EnvironmentID: env, Name: name, Payload: payload}, nil
}

// Root returns the event from outside that all of it began with.
func (e *Event) Root() EventID { return cmp.Or(e.RootEventID, e.ID) }

// CausedBy records the run that caused the event.
func (e *Event) CausedBy(run *SyncJobRun) {
	e.Depth, e.SyncJobRunID, e.RootEventID = run.Depth, run.ID, run.RootEventID
}

// RunEvent returns an event about a sync job run.
func RunEvent(name string, run *SyncJobRun) (*Event, error) {
	e, err := NewEvent(run.EnvironmentID, name, run)
	if err == nil {
		e.CausedBy(run)
	}
	return e, err
}
