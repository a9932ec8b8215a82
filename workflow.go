package millrace

import (
	"encoding/json"
	"slices"
)

// ActionRunSyncJob is the action of a workflow step that starts or schedules a sync job run.
const ActionRunSyncJob = "run_sync_job"

// Workflow says what shall happen on an event. Every saved change is a new version.
type Workflow struct {
	ID            WorkflowID     `json:"id"`
	EnvironmentID EnvironmentID  `json:"environment_id"`
	Label         string         `json:"label"`
	TriggerName   string         `json:"trigger_name"`
	Event         string         `json:"-"` // the event that TriggerName stands for
	Config        WorkflowConfig `json:"config"`
	IsPaused      bool           `json:"-"` // events do not run it, and its schedules rest
	Version       int64          `json:"version"`
	CreatedAt     Time           `json:"created_at"`
	UpdatedAt     Time           `json:"updated_at"`
	Warnings      []Failure      `json:"-"` // what was probably not meant when it was saved
}

// WorkflowConfig is the part of a workflow that decides and acts.
type WorkflowConfig struct {
	RunIf          string       `json:"run_if,omitempty"`          // JSONata; empty: always
	IdempotencyKey string       `json:"idempotency_key,omitempty"` // JSONata; events with the same key make one run
	Debounce       *Debounce    `json:"debounce,omitempty"`
	RateLimit      *RateLimit   `json:"rate_limit,omitempty"`
	Concurrency    *Concurrency `json:"concurrency,omitempty"`
	Delay          Period       `json:"delay,omitzero"` // from when the run might begin to when it does
	Steps          []Step       `json:"steps"`
}

// Controlled reports whether flow control applies to the workflow's runs.
func (c *WorkflowConfig) Controlled() bool {
	return c.IdempotencyKey != "" || c.Debounce != nil || c.RateLimit != nil || c.Concurrency != nil || c.Delay != 0
}

// Evaluates reports whether expressions decide what an event leads to.
func (c *WorkflowConfig) Evaluates() bool {
	return c.RunIf != "" || c.IdempotencyKey != "" || c.Debounce != nil && c.Debounce.Key != "" ||
		c.RateLimit != nil && c.RateLimit.Key != "" || c.Concurrency != nil && c.Concurrency.Key != ""
}

// Step is one element of a workflow.
type Step struct {
	Type           string          `json:"type"`             // run
	Action         string          `json:"action"`           // run_sync_job
	RunIf          string          `json:"run_if,omitempty"` // JSONata; empty: always
	Config         json.RawMessage `json:"config"`           // a JSON string: JSONata; an object: values with {{placeholders}}
	CronExpression string          `json:"cron_expression,omitempty"`
	Timezone       string          `json:"timezone,omitempty"` // IANA name; empty: UTC
	CatchUp        CatchUp         `json:"catch_up,omitempty"` // this and the next two: of the schedule; empty: what config says, or else the default
	Overlap        Overlap         `json:"overlap,omitempty"`
	Spread         *int64          `json:"spread,omitempty"`
}

// MaxSteps bounds the steps of a workflow.
const MaxSteps = 100

// SchedulePolicy is the policy that stands beside the cron expression of the step, with zero values for what does not.
func (s *Step) SchedulePolicy() SchedulePolicy {
	p := SchedulePolicy{CatchUp: s.CatchUp, Overlap: s.Overlap, Spread: -1}
	if s.Spread != nil {
		p.Spread = *s.Spread
	}
	return p
}

// Override puts what stands beside the cron expression of the step into a policy.
func (s *Step) Override(p *SchedulePolicy) {
	if s.CatchUp != "" {
		p.CatchUp = s.CatchUp
	}
	if s.Overlap != "" {
		p.Overlap = s.Overlap
	}
	if s.Spread != nil {
		p.Spread = *s.Spread
	}
}

// WorkflowRunStatus says how far a workflow run has come.
type WorkflowRunStatus string

// The states of a workflow run.
const (
	WorkflowRunCreated   WorkflowRunStatus = "created"
	WorkflowRunRunning   WorkflowRunStatus = "running"
	WorkflowRunCompleted WorkflowRunStatus = "completed"
	WorkflowRunFailed    WorkflowRunStatus = "failed"
	WorkflowRunCancelled WorkflowRunStatus = "cancelled" // flow control ended it; its error says why
)

// WorkflowRunStatuses returns the states of a workflow run.
func WorkflowRunStatuses() []WorkflowRunStatus {
	return []WorkflowRunStatus{WorkflowRunCreated, WorkflowRunRunning, WorkflowRunCompleted, WorkflowRunFailed, WorkflowRunCancelled}
}

// Next reports whether a run in state s may go to state t. One whose steps all take effect in one transaction is never seen
// running.
func (s WorkflowRunStatus) Next(t WorkflowRunStatus) bool {
	switch s {
	case WorkflowRunCreated:
		return t != WorkflowRunCreated && slices.Contains(WorkflowRunStatuses(), t)
	case WorkflowRunRunning:
		return t == WorkflowRunCompleted || t == WorkflowRunFailed || t == WorkflowRunCancelled
	case WorkflowRunCompleted, WorkflowRunFailed, WorkflowRunCancelled:
	}
	return false
}

// Finished reports whether a run in state s has ended.
func (s WorkflowRunStatus) Finished() bool { return s != WorkflowRunCreated && s != WorkflowRunRunning }

// WorkflowRun is one execution of a version of a workflow, woken by an event.
type WorkflowRun struct {
	ID              WorkflowRunID     `json:"id"`
	EnvironmentID   EnvironmentID     `json:"environment_id"`
	WorkflowID      WorkflowID        `json:"workflow_id"`
	WorkflowVersion int64             `json:"workflow_version"`
	EventID         EventID           `json:"event_id"`
	Status          WorkflowRunStatus `json:"status"`
	Waiting         WaitReason        `json:"waiting,omitempty"`      // why it has not begun
	RunAt           Time              `json:"run_at"`                 // it does not begin before
	CancelledBy     WorkflowRunID     `json:"cancelled_by,omitempty"` // the run that took its place
	Result          json.RawMessage   `json:"result"`                 // WorkflowResult, or null
	Error           json.RawMessage   `json:"error"`                  // a Failure, or null
	RetryAttempt    int64             `json:"retry_attempt"`
	StartedAt       Time              `json:"started_at"`
	FinishedAt      Time              `json:"finished_at"`
	CreatedAt       Time              `json:"created_at"`
	UpdatedAt       Time              `json:"updated_at"`

	DebounceKey    string `json:"-"` // events with it move a run that waits for them
	RunBefore      Time   `json:"-"` // they do not move it past that
	RateKey        string `json:"-"` // runs with it are counted by a rate limit
	RateAt         Time   `json:"-"` // when the rate limit lets the run begin; 0: not counted yet
	ConcurrencyKey string `json:"-"` // runs with it share slots
	Slot           Slot   `json:"-"`
}

// Held reports whether flow control has to let the run begin.
func (r *WorkflowRun) Held() bool {
	return r.Status == WorkflowRunCreated && (r.Waiting != WaitNone || r.Slot == SlotWant)
}

// Slot says whether a run counts against the concurrency of its workflow.
type Slot int64

// The states of a slot.
const (
	SlotNone Slot = 0 // there is no limit, or the run and all that it started have ended
	SlotWant Slot = 1 // the run has not begun
	SlotHold Slot = 2 // the run, or a sync job run that it started, has not ended
)

// StepResult is the stored outcome of one step of a workflow run.
type StepResult struct {
	Type    string          `json:"type"`
	Action  string          `json:"action"`
	Success bool            `json:"success"`
	Skipped bool            `json:"skipped,omitempty"` // its run_if did not hold
	Result  json.RawMessage `json:"result,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// WorkflowResult is what a finished workflow run returns.
type WorkflowResult struct {
	Success bool         `json:"success"`
	Steps   []StepResult `json:"steps"`
	Error   string       `json:"error,omitempty"`
}

// StepActions returns the actions that a step may name.
func StepActions() []string { return []string{ActionRunSyncJob} }
