package deliveries

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// RedeliveryID identifies a redelivery.
type RedeliveryID string

// RedeliveryStatus says how far a redelivery has come.
type RedeliveryStatus string

// The states of a redelivery.
const (
	RedeliveryRunning   RedeliveryStatus = "running"
	RedeliveryCompleted RedeliveryStatus = "completed" // all that it takes was queued
	RedeliveryStopped   RedeliveryStatus = "stopped"   // by a user, or its webhook was deleted
)

// RedeliveryStatuses returns the states of a redelivery.
func RedeliveryStatuses() []RedeliveryStatus {
	return []RedeliveryStatus{RedeliveryRunning, RedeliveryCompleted, RedeliveryStopped}
}

// Next reports whether a redelivery in state s may go to state t.
func (s RedeliveryStatus) Next(t RedeliveryStatus) bool {
	return s == RedeliveryRunning && (t == RedeliveryCompleted || t == RedeliveryStopped)
}

// TimeRange is a part of time; what is absent has no end.
type TimeRange struct {
	Gt  *millrace.Time `json:"gt,omitempty"`
	Gte *millrace.Time `json:"gte,omitempty"`
	Lt  *millrace.Time `json:"lt,omitempty"`
	Lte *millrace.Time `json:"lte,omitempty"`
}

// Filters returns the filters of a list by a field that is a time.
func (r *TimeRange) Filters(field string) []millrace.Filter {
	if r == nil {
		return nil
	}
	var out []millrace.Filter
	for _, bound := range []struct {
		op millrace.Operator
		at *millrace.Time
	}{{millrace.OpGt, r.Gt}, {millrace.OpGte, r.Gte}, {millrace.OpLt, r.Lt}, {millrace.OpLte, r.Lte}} {
		if bound.at != nil {
			out = append(out, millrace.Filter{Field: field, Op: bound.op, Values: []string{bound.at.String()}})
		}
	}
	return out
}

// RedeliveryFilter says which deliveries a redelivery takes: of those that were given up, or cancelled.
type RedeliveryFilter struct {
	Status              []millrace.DeliveryStatus    `json:"status,omitempty" maxItems:"2" doc:"Of the deliveries, failed or cancelled; failed when absent." example:"[\"failed\"]"`
	Event               []string                     `json:"event,omitempty" maxItems:"200" doc:"Names of events; any when absent."`
	CreatedAt           *TimeRange                   `json:"created_at,omitempty" doc:"When the deliveries were made."`
	IntegratedAccountID millrace.IntegratedAccountID `json:"integrated_account_id,omitempty" format:"uuid" doc:"The account that they are about; any when absent."`
}

// filters returns the filters of a list.
func (f *RedeliveryFilter) filters() []millrace.Filter {
	status := make([]string, len(f.Status))
	for i, s := range f.Status {
		status[i] = string(s)
	}
	if len(status) == 0 {
		status = []string{string(millrace.DeliveryFailed)}
	}
	out := []millrace.Filter{{Field: "status", Op: millrace.OpIn, Values: status}}
	if len(f.Event) > 0 {
		out = append(out, millrace.Filter{Field: "event", Op: millrace.OpIn, Values: f.Event})
	}
	if f.IntegratedAccountID != "" {
		out = append(out, millrace.Filter{Field: "integrated_account_id", Op: millrace.OpEq, Values: []string{string(f.IntegratedAccountID)}})
	}
	return append(out, f.CreatedAt.Filters("created_at")...)
}

// Redelivery queues deliveries of a webhook that it did not get once more, batch by batch, in the order in which they were queued. It takes
// none that was queued after Through, so none that it has queued itself, and two of the same beginning take no delivery twice.
type Redelivery struct {
	ID            RedeliveryID           `json:"id" format:"uuid" doc:"The redelivery's id."`
	EnvironmentID millrace.EnvironmentID `json:"environment_id" format:"uuid"`
	WebhookID     millrace.WebhookID     `json:"webhook_id" format:"uuid" doc:"Where the deliveries go."`
	Status        RedeliveryStatus       `json:"status" enum:"running,completed,stopped" doc:"completed: all that it takes is in the backlog of the webhook, or was sent."`
	Filter        json.RawMessage        `json:"-"` // a RedeliveryFilter
	Through       int64                  `json:"through" doc:"The number of the last delivery that it looks at, by the order in which they were queued."`
	Position      int64                  `json:"-"` // the number of the last that it has looked at
	Redelivered   int64                  `json:"redelivered" doc:"How many deliveries it has queued so far."`
	CreatedAt     millrace.Time          `json:"created_at"`
	UpdatedAt     millrace.Time          `json:"updated_at"`
	FinishedAt    millrace.Time          `json:"finished_at" doc:"null while it is running."`
}

// Takes returns which deliveries it takes.
func (v *Redelivery) Takes() RedeliveryFilter {
	var f RedeliveryFilter
	_ = json.Unmarshal(v.Filter, &f) // checked when saved
	return f
}

func (v *Redelivery) task() millrace.Task {
	return millrace.Task{Kind: millrace.TaskRedeliver, Key: millrace.TaskKey(v.EnvironmentID, v.ID), Environment: v.EnvironmentID, Wake: true}
}

// Redeliveries are the redeliveries.
type Redeliveries struct{ tx *sqldb.Tx }

// NewRedeliveries returns the handle of the redeliveries.
func NewRedeliveries(tx *sqldb.Tx) Redeliveries { return Redeliveries{tx} }

var redeliveryTable = sync.OnceValue(func() *table.Table[Redelivery] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = Redelivery
	return &table.Table[row]{
		Name: "webhook_redelivery", What: "redelivery",
		Status: table.NewMachine("webhook_redelivery", "redelivery", RedeliveryStatuses()),
		Audit: &table.Audit[row]{
			Subject: func(v *row) string { return string(v.Takes().IntegratedAccountID) },
		},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *RedeliveryID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			table.Text("status", func(v *row) *RedeliveryStatus { return &v.Status }),
			table.Document("filter", func(v *row) *json.RawMessage { return &v.Filter }),
			table.Number("through_sequence", func(v *row) *int64 { return &v.Through }),
			table.Hidden(table.Number("position", func(v *row) *int64 { return &v.Position })),
			table.Number("redelivered", func(v *row) *int64 { return &v.Redelivered }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			table.Stamp("finished_at", func(v *row) *millrace.Time { return &v.FinishedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Get returns a redelivery of the environment, or an error of KindNotFound.
func (h Redeliveries) Get(ctx context.Context, env millrace.EnvironmentID, id RedeliveryID) (*Redelivery, error) {
	return redeliveryTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's redeliveries. It returns an error of KindInvalid for a field, operator or cursor that it does
// not know.
func (h Redeliveries) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[Redelivery], error) {
	return redeliveryTable().List(ctx, h.tx, env, q)
}

// redeliveriesKept is how long those that have ended stay.
const redeliveriesKept = 30 * 24 * time.Hour

// Start begins a redelivery, with its task, and removes those that ended long ago. Without Through, or with a greater one than there is, it
// takes all until now. The same redelivery that is running already is returned in its place; another one of the same webhook is an error of
// KindConflict.
func (h Redeliveries) Start(ctx context.Context, v *Redelivery) (*Redelivery, error) {
	w, err := NewWebhooks(h.tx).Lock(ctx, v.EnvironmentID, v.WebhookID)
	if err != nil {
		return nil, err
	}
	v.Status, v.Filter = RedeliveryRunning, json.RawMessage(strings.TrimSpace(string(v.Filter)))
	running, err := redeliveryTable().Find(ctx, h.tx, "webhook_id = $1 AND environment_id = $2 AND status = 'running'", string(w.ID), string(w.EnvironmentID))
	if err != nil {
		return nil, err
	}
	if running != nil {
		if string(running.Filter) == string(v.Filter) && running.Through == v.Through {
			return running, nil
		}
		return nil, millrace.Errorf(millrace.KindConflict, "redelivery %s of this webhook is running; wait for its end, or stop it", running.ID)
	}
	if v.Through <= 0 || v.Through > w.NextSequence {
		v.Through = w.NextSequence
	}
	_, err = h.tx.Exec(ctx, "DELETE FROM webhook_redelivery WHERE environment_id = $1 AND status <> 'running' AND created_at < $2",
		string(v.EnvironmentID), int64(h.tx.Now().Add(-redeliveriesKept)))
	if err != nil {
		return nil, fmt.Errorf("remove old redeliveries: %w", err)
	}
	if err := redeliveryTable().Insert(ctx, h.tx, v); err != nil {
		return nil, err
	}
	return v, h.tx.Enqueue(ctx, v.task())
}

// Stop ends a redelivery that is running. What it has queued stays in the backlog.
func (h Redeliveries) Stop(ctx context.Context, env millrace.EnvironmentID, id RedeliveryID) (*Redelivery, error) {
	v, err := redeliveryTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
	if err != nil || v.Status != RedeliveryRunning {
		return v, err
	}
	return v, h.end(ctx, v, RedeliveryStopped)
}

func (h Redeliveries) end(ctx context.Context, v *Redelivery, status RedeliveryStatus) error {
	v.Status, v.FinishedAt = status, h.tx.Now()
	return table.MustUpdate(ctx, h.tx, redeliveryTable(), v, string(v.ID))
}

// RedeliveryStep is what one transaction of a redelivery has done.
type RedeliveryStep struct {
	Running bool
	Waits   bool // for the backlog of the webhook
	Stalled bool // which does not get shorter: the webhook is inactive or fails
}

// Step looks at the next given-up deliveries, at most so many, and puts those that the redelivery takes at the end of the backlog. While
// the backlog has room for no more, it does nothing. It ends the task whose handler calls it when nothing is left.
func (h Redeliveries) Step(ctx context.Context, env millrace.EnvironmentID, id RedeliveryID, most, room int64) (RedeliveryStep, error) {
	v, err := redeliveryTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2", string(id), string(env))
	if err != nil || v == nil {
		return RedeliveryStep{}, err
	}
	w, err := NewWebhooks(h.tx).Lock(ctx, env, v.WebhookID) // before the redelivery, as where it is started
	gone := millrace.KindOf(err) == millrace.KindNotFound
	if err != nil && !gone {
		return RedeliveryStep{}, err
	}
	v, err = redeliveryTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2"+h.tx.Dialect().ForUpdate(), string(id), string(env))
	switch {
	case err != nil || v == nil || v.Status != RedeliveryRunning:
		return RedeliveryStep{}, err
	case gone:
		return RedeliveryStep{}, h.end(ctx, v, RedeliveryStopped)
	case w.NextSequence-w.SentSequence > room-most:
		return RedeliveryStep{Running: true, Waits: true, Stalled: !w.IsActive || w.FailingSince != 0}, nil
	}
	seen, err := h.next(ctx, v, most)
	if err != nil {
		return RedeliveryStep{}, err
	}
	n, err := NewDeliveries(h.tx).requeueAll(ctx, w, seen.taken)
	if err != nil {
		return RedeliveryStep{}, err
	}
	v.Redelivered += int64(n)
	if int64(seen.rows) < most {
		v.Position = v.Through
		return RedeliveryStep{}, h.end(ctx, v, RedeliveryCompleted)
	}
	v.Position = seen.last
	return RedeliveryStep{Running: true}, table.MustUpdate(ctx, h.tx, redeliveryTable(), v, string(v.ID))
}

// seen are given-up deliveries that a redelivery has looked at.
type seen struct {
	rows  int
	last  int64
	taken []millrace.DeliveryID
}

// next looks at the next given-up deliveries of a webhook. All of them are looked at, so that a filter that few meet costs no transaction
// more than any other.
func (h Redeliveries) next(ctx context.Context, v *Redelivery, most int64) (seen, error) {
	query, args, err := h.givenUp("t.id, t.sequence", v, most)
	if err != nil {
		return seen{}, err
	}
	var s seen
	err = h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var id millrace.DeliveryID
		var taken int64
		if err := r.Scan((*string)(&id), &s.last, &taken); err != nil {
			return err
		}
		if s.rows++; taken != 0 {
			s.taken = append(s.taken, id)
		}
		return nil
	})
	if err != nil {
		return seen{}, fmt.Errorf("find deliveries to repeat: %w", err)
	}
	return s, nil
}

// givenUp returns the query of the given-up deliveries behind the position of a redelivery, in their order, each with whether the
// redelivery takes it. What lost its event cannot be sent.
func (h Redeliveries) givenUp(columns string, v *Redelivery, most int64) (string, []any, error) {
	c := &table.Clause{}
	c.Conditions = append(c.Conditions, "t.webhook_id = "+c.Bind(string(v.WebhookID)), "t.environment_id = "+c.Bind(string(v.EnvironmentID)),
		"t.status IN ('failed', 'cancelled') AND t.sync_job_run_id = ''", "t.sequence > "+c.Bind(v.Position), "t.sequence <= "+c.Bind(v.Through))
	all := len(c.Conditions)
	takes := v.Takes()
	for _, f := range takes.filters() {
		if err := deliveryTable().Filter(h.tx.Dialect(), c, f); err != nil {
			return "", nil, err
		}
	}
	c.Conditions = append(c.Conditions, "EXISTS (SELECT 1 FROM event AS e WHERE e.id = t.event_id AND e.environment_id = t.environment_id)")
	return fmt.Sprintf("SELECT %s, CASE WHEN %s THEN 1 ELSE 0 END AS taken FROM delivery AS t WHERE %s ORDER BY t.sequence LIMIT %d",
		columns, strings.Join(c.Conditions[all:], " AND "), strings.Join(c.Conditions[:all], " AND "), most), c.Args, nil
}

// RedeliveryPreview says what a redelivery would take.
type RedeliveryPreview struct {
	Deliveries int64         `json:"deliveries" doc:"How many; more says whether there may be more."`
	More       bool          `json:"more" doc:"There are more than were counted: more than 10000, or among more than 100000 given-up deliveries."`
	Oldest     millrace.Time `json:"oldest" doc:"When the oldest of them was made; null: there is none."`
	Newest     millrace.Time `json:"newest" doc:"When the newest of those that were counted was made."`
	Through    int64         `json:"through" doc:"What to start the redelivery with, so that it takes these and none that is given up later."`
	TargetURL  string        `json:"target_url" doc:"Where they go."`
}

// What a preview counts, and among how many.
const (
	previewCounted = 10_000
	previewLooked  = 100_000
)

// Preview says what a redelivery would take now.
func (h Redeliveries) Preview(ctx context.Context, v *Redelivery) (RedeliveryPreview, error) {
	w, err := NewWebhooks(h.tx).Get(ctx, v.EnvironmentID, v.WebhookID)
	if err != nil {
		return RedeliveryPreview{}, err
	}
	of := *v
	of.Position, of.Through = 0, w.NextSequence
	p := RedeliveryPreview{Through: of.Through, TargetURL: w.TargetURL}
	query, args, err := h.givenUp("t.created_at", &of, previewLooked)
	if err != nil {
		return p, err
	}
	_, err = h.tx.One(ctx, fmt.Sprintf(`SELECT COUNT(*), COALESCE(MIN(created_at), 0), COALESCE(MAX(created_at), 0)
FROM (SELECT created_at FROM (%s) AS looked WHERE taken = 1 LIMIT %d) AS counted`, query, previewCounted+1), args, &p.Deliveries, (*int64)(&p.Oldest), (*int64)(&p.Newest))
	if err != nil {
		return p, fmt.Errorf("count deliveries to repeat: %w", err)
	}
	var looked int64
	_, err = h.tx.One(ctx, fmt.Sprintf(`SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE webhook_id = $1 AND environment_id = $2
AND status IN ('failed', 'cancelled') AND sync_job_run_id = '' LIMIT %d) AS few`, previewLooked+1), []any{string(w.ID), string(w.EnvironmentID)}, &looked)
	if err != nil {
		return p, fmt.Errorf("count given-up deliveries: %w", err)
	}
	p.More = p.Deliveries > previewCounted || looked > previewLooked
	p.Deliveries = min(p.Deliveries, previewCounted)
	return p, nil
}
