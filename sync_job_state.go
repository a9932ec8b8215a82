package millrace

import "encoding/json"

// MaxStateValue bounds the JSON text of one entry of the state of runs.
const MaxStateValue = 1 << 20

// MaxStateKey bounds the key of an entry, in bytes.
const MaxStateKey = 512

// StateEntry is a value that sync job runs keep from one to the next. Environment, state key and key name it.
type StateEntry struct {
	ID            StateEntryID    `json:"-"` // follows from what names it
	EnvironmentID EnvironmentID   `json:"environment_id"`
	StateKey      string          `json:"state_key"` // namespace; empty: the one that all runs without a state_key share
	Key           string          `json:"key"`
	Value         json.RawMessage `json:"value"`                     // any JSON value
	SyncJobRunID  SyncJobRunID    `json:"sync_job_run_id,omitempty"` // that wrote it last; empty: a client did
	CreatedAt     Time            `json:"created_at"`
	UpdatedAt     Time            `json:"updated_at"`
}

// SyncJobTemplate is a sync job to start from: a plan that is not run itself.
type SyncJobTemplate struct {
	ID                    SyncJobTemplateID `json:"id"`
	EnvironmentID         EnvironmentID     `json:"environment_id"`
	TeamID                string            `json:"team_id"`
	Label                 string            `json:"label"`
	IntegrationName       string            `json:"integration_name"`
	Description           string            `json:"description"`
	Sharing               string            `json:"sharing"` // deny, ask, allow
	DefaultRuntimeVersion int64             `json:"default_runtime_version"`
	ArgsSchema            json.RawMessage   `json:"args_schema"`
	ArgsValidation        string            `json:"args_validation,omitempty"`
	Resources             json.RawMessage   `json:"resources"`
	CreatedAt             Time              `json:"created_at"`
	UpdatedAt             Time              `json:"updated_at"`
}
