package millrace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// SyncJobCronTrigger is a schedule that makes sync job runs.
type SyncJobCronTrigger struct {
	ID                  SyncJobCronTriggerID `json:"id"`
	EnvironmentID       EnvironmentID        `json:"environment_id"`
	SyncJobID           SyncJobID            `json:"sync_job_id"`
	IntegratedAccountID IntegratedAccountID  `json:"integrated_account_id"`
	CronExpression      string               `json:"cron_expression"`
	Timezone            string               `json:"timezone,omitempty"`
	SchedulePolicy
	Args           json.RawMessage `json:"args"`
	WebhookID      WebhookID       `json:"webhook_id"`
	DaemonGroupKey string          `json:"daemon_group_key,omitempty"`
	SuperQuery     string          `json:"super_query,omitempty"`
	ErrorHandling  ErrorHandling   `json:"error_handling,omitempty"`
	EventsToSend   json.RawMessage `json:"events_to_send"`
	Meta           json.RawMessage `json:"meta"`
	WorkflowID     WorkflowID      `json:"workflow_id,omitempty"`
	IsDetached     bool            `json:"is_detached,omitempty"` // it was edited by hand and does not follow its workflow any more
	RestReason     string          `json:"rest_reason,omitempty"` // why its workflow lets it rest; it has no next_run_at then
	StepIndex      int64           `json:"-"`
	NextRunAt      Time            `json:"next_run_at"` // the next due instant plus the offset of Spread; 0: none
	CreatedAt      Time            `json:"created_at"`
	UpdatedAt      Time            `json:"updated_at"`
}

// ScheduleKey names a schedule among those of all environments.
type ScheduleKey struct {
	Environment EnvironmentID
	ID          SyncJobCronTriggerID
}

// Key returns the name of the schedule among those of all environments.
func (t *SyncJobCronTrigger) Key() ScheduleKey { return ScheduleKey{t.EnvironmentID, t.ID} }

// RunRequest returns the request for a run of the schedule.
func (t *SyncJobCronTrigger) RunRequest() *RunRequest {
	return &RunRequest{
		SyncJobID: t.SyncJobID, IntegratedAccountID: t.IntegratedAccountID, WebhookID: t.WebhookID, Args: t.Args,
		ErrorHandling: t.ErrorHandling, EventsToSend: t.EventsToSend,
	}
}

// SchedulePolicy says what a schedule does about instants that no server fired in time, about runs that are still going, and
// about all the others that are due at the same time. The zero value is that of the defaults.
type SchedulePolicy struct {
	CatchUp CatchUp `json:"catch_up"`
	Overlap Overlap `json:"overlap"`
	Spread  int64   `json:"spread"` // seconds
}

// CatchUp says what becomes of instants that passed while no server was running.
type CatchUp string

// The ways to catch up.
const (
	CatchUpOne  CatchUp = "one"  // one run makes up for all of them (the default)
	CatchUpNone CatchUp = "none" // they are missed
	CatchUpAll  CatchUp = "all"  // each asks for a run
)

// Overlap says what becomes of an instant while an earlier run of the schedule has not ended.
type Overlap string

// The ways to overlap.
const (
	OverlapQueue Overlap = "queue" // one run waits for the earlier one; it makes up for further instants (the default)
	OverlapSkip  Overlap = "skip"  // the instant makes no run
	OverlapAllow Overlap = "allow" // the runs go side by side
)

// MaxSpread bounds the spread of a schedule, in seconds.
const MaxSpread = 24 * 60 * 60

// CatchUps returns the ways to catch up.
func CatchUps() []string {
	return []string{string(CatchUpOne), string(CatchUpNone), string(CatchUpAll)}
}

// Overlaps returns the ways to overlap.
func Overlaps() []string {
	return []string{string(OverlapQueue), string(OverlapSkip), string(OverlapAllow)}
}

// Settle fills in the defaults.
func (p *SchedulePolicy) Settle() {
	if p.CatchUp == "" {
		p.CatchUp = CatchUpOne
	}
	if p.Overlap == "" {
		p.Overlap = OverlapQueue
	}
}

// ParseSchedulePolicy reads the members of a policy from an object that has others beside them, and fills in the
// defaults. Findings name the place below prefix.
func ParseSchedulePolicy(raw json.RawMessage, prefix string) (SchedulePolicy, error) {
	var p SchedulePolicy
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, InvalidAll([]Failure{typeFailure(prefix, err)})
	}
	p.Settle()
	var failures []Failure
	for _, c := range []struct {
		name, value string
		known       []string
	}{{"catch_up", string(p.CatchUp), CatchUps()}, {"overlap", string(p.Overlap), Overlaps()}} {
		if f := oneOf(below(prefix, c.name), c.value, c.known); f != nil {
			failures = append(failures, *f)
		}
	}
	if p.Spread < 0 || p.Spread > MaxSpread {
		failures = append(failures, Failure{Path: below(prefix, "spread"), Message: fmt.Sprintf("must be from 0 to %d seconds, is %d", MaxSpread, p.Spread)})
	}
	return p, InvalidAll(failures)
}

// Offset returns by how much the schedule starts its runs later than they are due: it follows from the id, so that many
// schedules with the same expression do not start in the same second, and each always at the same one.
func (c *SyncJobCronTrigger) Offset() time.Duration {
	if c.Spread <= 0 {
		return 0
	}
	h := sha256.Sum256([]byte(c.ID))
	milliseconds := binary.BigEndian.Uint64(h[:]) % uint64(c.Spread*1000)
	return time.Duration(milliseconds) * time.Millisecond //nolint:gosec // less than a day
}

// DueAt returns the instant of the cron expression that NextRunAt stands for.
func (c *SyncJobCronTrigger) DueAt() Time { return c.NextRunAt.Add(-c.Offset()) }

// FireOutcome is the outcome of one due instant of a schedule.
type FireOutcome string

// The outcomes of a fire.
const (
	FireRan       FireOutcome = "ran"       // it has a run of its own
	FireCoalesced FireOutcome = "coalesced" // the run of another instant makes up for it
	FireSkipped   FireOutcome = "skipped"   // an earlier run had not ended
	FireMissed    FireOutcome = "missed"    // no server was running, and nothing makes up for it
	FireFailed    FireOutcome = "failed"    // no run could be made
	FireStopped   FireOutcome = "stopped"   // the schedule rests from then on
)

// CronFire is the row of one due instant of a schedule, or of many that were missed in a row.
type CronFire struct {
	ID            string               `json:"id"`
	EnvironmentID EnvironmentID        `json:"environment_id"`
	CronTriggerID SyncJobCronTriggerID `json:"sync_job_cron_trigger_id"`
	DueAt         Time                 `json:"due_at"`
	LastDueAt     Time                 `json:"last_due_at"` // DueAt, unless the row stands for several instants
	Instants      int64                `json:"instants"`    // how many it stands for
	Outcome       FireOutcome          `json:"outcome"`
	Reason        string               `json:"reason"`
	SyncJobRunID  SyncJobRunID         `json:"sync_job_run_id"` // its run, the one that makes up for it, or the one that was in the way
	CreatedAt     Time                 `json:"created_at"`
}
