package millrace

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Period is a length of time in whole seconds. On the wire it is text such as "30s", "5m", "2h" or "7d"; a number of
// seconds is read as well.
type Period int64

// MaxPeriod is the longest period that a workflow may name.
const MaxPeriod Period = 30 * 24 * 60 * 60

// unit is a letter behind the number of a period.
type unit struct {
	letter  byte
	seconds Period
}

// periodUnits returns the units from the longest to the shortest.
func periodUnits() []unit { return []unit{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}} }

// ParsePeriod reads a whole number from 1 with one unit, or returns an error of KindInvalid.
func ParsePeriod(text string) (Period, error) {
	bad := Invalid("", "%q is not a period: it is a whole number of seconds, or one with a unit, such as 30s, 5m, 2h or 7d", text)
	if text == "" {
		return 0, bad
	}
	for _, u := range periodUnits() {
		if text[len(text)-1] != u.letter {
			continue
		}
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
		if err != nil || text[0] == '+' {
			return 0, bad
		}
		return Period(n) * u.seconds, nil
	}
	return 0, bad
}

// Duration returns the period in Go's form.
func (p Period) Duration() time.Duration { return time.Duration(p) * time.Second }

// String returns the period with the longest unit of which it is a multiple.
func (p Period) String() string {
	for _, u := range periodUnits() {
		if p%u.seconds == 0 && p != 0 {
			return fmt.Sprintf("%d%c", p/u.seconds, u.letter)
		}
	}
	return "0s"
}

// MarshalJSON writes the period as text.
func (p Period) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads text or a number of seconds.
func (p *Period) UnmarshalJSON(data []byte) error {
	var seconds uint32
	if err := json.Unmarshal(data, &seconds); err == nil {
		*p = Period(seconds)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return Invalid("", "%s is not a period", data)
	}
	parsed, err := ParsePeriod(text)
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// Debounce lets a workflow run once for events that come close together, with the last of them.
type Debounce struct {
	Key    string `json:"key,omitempty"` // JSONata; empty: one for the whole workflow
	Period Period `json:"period"`        // from the last event to the run
	Max    Period `json:"max,omitzero"`  // from the first event to the run, at most; 0: MaxPeriod
}

// RateLimit bounds how many runs of a workflow begin in any period. What is too much begins later.
type RateLimit struct {
	Key    string `json:"key,omitempty"`
	Limit  int64  `json:"limit"`
	Period Period `json:"period"`
}

// Concurrency bounds how many runs of a workflow are under way at once.
type Concurrency struct {
	Key        string     `json:"key,omitempty"`
	Limit      int64      `json:"limit"`
	OnConflict OnConflict `json:"on_conflict"`
}

// OnConflict says what becomes of an event whose run would be one too many.
type OnConflict string

// What may become of it.
const (
	ConflictQueue         OnConflict = "queue"          // the run waits for its turn
	ConflictSkip          OnConflict = "skip"           // there is no run
	ConflictCancelRunning OnConflict = "cancel_running" // the oldest run makes way
)

// FlowKeys are the keys under which a workflow's controls count an event, as hashes: what they are made from may be
// long, and may be a person's name. Empty: that control does not apply.
type FlowKeys struct{ Idempotency, Debounce, RateLimit, Concurrency string }

// List returns the keys that are there.
func (k FlowKeys) List() []string {
	var out []string
	for _, key := range []string{k.Idempotency, k.Debounce, k.RateLimit, k.Concurrency} {
		if key != "" {
			out = append(out, key)
		}
	}
	return out
}

// WaitReason says why a workflow run has not begun.
type WaitReason string

// The reasons to wait.
const (
	WaitNone      WaitReason = ""
	WaitDelay     WaitReason = "delay"      // until run_at
	WaitRateLimit WaitReason = "rate_limit" // until run_at
	WaitDebounce  WaitReason = "debounce"   // until run_at, which the next event moves
	WaitSlot      WaitReason = "concurrency"
)

// KeepWorkflowKey is how long a workflow remembers an idempotency_key.
const KeepWorkflowKey = 24 * time.Hour

// WorkflowDeleted says why a run that waited was cancelled with its workflow.
func WorkflowDeleted() Failure {
	return Failure{Code: "workflow_deleted", Message: "the workflow was deleted while the run waited"}
}
