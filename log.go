package millrace

import "encoding/json"

// MaxLogLimit is both the default and the largest page size of the log.
const MaxLogLimit = 100

// LogLevel says how much a line of the log matters.
type LogLevel string

// The levels of the log.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogError LogLevel = "error"
)

// RunLog is a line about something that happened in a sync job run and that no other row tells.
type RunLog struct {
	ID            RunLogID
	EnvironmentID EnvironmentID
	SyncJobRunID  SyncJobRunID
	DeliveryID    DeliveryID // that tells a webhook the same; empty: none does
	Event         string     // sync_job_run:..., also when no webhook gets it; empty for debug
	Level         LogLevel
	Node          string
	Resource      string
	Method        string
	Message       string
	Detail        json.RawMessage // an object, or nothing
	CreatedAt     Time
}

// LogQuery selects one page of a log, newest first.
type LogQuery struct {
	After   Time              // exclusive; 0: from the beginning
	Before  Time              // exclusive; 0: until now
	Filters map[string]string // by the keys that the log has
	Limit   int               // 0: MaxLogLimit
	Cursor  string            // opaque, of the page before; empty: first page
}

// RunLogEntry is an entry of the log of sync job runs: a delivery with its attempts, or a line of its own.
type RunLogEntry struct {
	ID                  string
	CreatedAt           Time
	SyncJobRunID        SyncJobRunID
	SyncJobID           SyncJobID
	IntegratedAccountID IntegratedAccountID
	WebhookID           WebhookID // empty for a line
	Event               string
	Resource            string
	Method              string
	Records             int64
	Status              DeliveryStatus // empty for a line
	Attempts            []Attempt
	Lines               []RunLog
}
