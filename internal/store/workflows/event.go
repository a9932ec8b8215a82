package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Events are the events, their batches, and how many workflow runs they cause.
type Events struct{ tx *sqldb.Tx }

// NewEvents returns the handle of the events, their batches, and how many workflow runs they cause.
func NewEvents(tx *sqldb.Tx) Events { return Events{tx} }

var eventTable = sync.OnceValue(func() *table.Table[millrace.Event] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Event
	return &table.Table[row]{
		Name: "event", What: "event",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.EventID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Hidden(table.Text("batch_id", func(v *row) *millrace.BatchID { return &v.BatchID })),
			table.Text("event", func(v *row) *string { return &v.Name }),
			table.Document("payload", func(v *row) *json.RawMessage { return &v.Payload }),
			table.Text("idempotency_key", func(v *row) *string { return &v.IdempotencyKey }),
			table.Number("depth", func(v *row) *int64 { return &v.Depth }),
			table.Text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			table.Text("root_event_id", func(v *row) *millrace.EventID { return &v.RootEventID }),
			table.Hidden(table.Text("traceparent", func(v *row) *string { return &v.Traceparent })),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch: func(tx *sqldb.Tx, v *row) {},
	}
})

// Get returns an event of the environment, or an error of KindNotFound.
func (h Events) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) (*millrace.Event, error) {
	return eventTable().Get(ctx, h.tx, env, string(id), "")
}

// ByIDs returns those of some events that are there.
func (h Events) ByIDs(ctx context.Context, env millrace.EnvironmentID, ids []millrace.EventID) (map[millrace.EventID]*millrace.Event, error) {
	out := map[millrace.EventID]*millrace.Event{}
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	// By their ids alone: with the environment, SQLite would walk through all of its events.
	found, err := eventTable().All(ctx, h.tx, "id IN ("+table.Placeholders(len(ids))+")", args...)
	for i := range found {
		if found[i].EnvironmentID == env {
			out[found[i].ID] = &found[i]
		}
	}
	return out, err
}

// List returns one page of the environment's events. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h Events) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Event], error) {
	return eventTable().List(ctx, h.tx, env, q)
}

// Create adds an event, as CreateAll does.
func (h Events) Create(ctx context.Context, v *millrace.Event) (bool, error) {
	fresh, err := h.CreateAll(ctx, []*millrace.Event{v})
	return len(fresh) > 0, err
}

// CreateAll adds events of one environment and fills in their ids and times. One whose idempotency key was used before
// becomes a copy of the earlier event and is not added. It returns those that were, and an error of KindConflict when an id
// is taken.
func (h Events) CreateAll(ctx context.Context, events []*millrace.Event) ([]*millrace.Event, error) {
	earlier, err := h.ofKeys(ctx, events)
	if err != nil {
		return nil, err
	}
	fresh := make([]*millrace.Event, 0, len(events))
	var again []*millrace.Event
	for _, e := range events {
		key := e.IdempotencyKey
		switch {
		case key == "":
		case earlier[key] != nil:
			again = append(again, e)
			continue
		default:
			earlier[key] = e
		}
		fresh = append(fresh, e)
	}
	if fresh, err = h.add(ctx, fresh); err != nil {
		return nil, err
	}
	for _, e := range again {
		*e = *earlier[e.IdempotencyKey]
	}
	return fresh, nil
}

// add adds events but for those whose idempotency key another transaction uses at the same time: these become copies of
// its events. It returns the others.
func (h Events) add(ctx context.Context, events []*millrace.Event) ([]*millrace.Event, error) {
	t := eventTable()
	keyed := func(e *millrace.Event) bool { return e.IdempotencyKey != "" }
	if !slices.ContainsFunc(events, keyed) {
		return events, t.InsertAll(ctx, h.tx, events)
	}
	for _, e := range events {
		t.Fill(h.tx, e)
	}
	// In one order, or two transactions might wait for each other.
	rows := slices.SortedStableFunc(slices.Values(events), func(a, b *millrace.Event) int { return strings.Compare(a.IdempotencyKey, b.IdempotencyKey) })
	added, err := t.InsertAllNew(ctx, h.tx, rows)
	if err != nil || len(added) == len(events) {
		return events, err
	}
	isAdded := func(e *millrace.Event) bool { return added[string(e.ID)] }
	others := slices.DeleteFunc(rows, isAdded)
	found, err := h.ofKeys(ctx, others)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(events), func(e *millrace.Event) bool { return !isAdded(e) })
	for _, e := range others {
		other := found[e.IdempotencyKey]
		if other == nil {
			return nil, millrace.Errorf(millrace.KindConflict, "the event %s exists already", e.ID)
		}
		*e = *other
	}
	return fresh, nil
}

// ofKeys returns the events whose idempotency keys are those of events.
func (h Events) ofKeys(ctx context.Context, events []*millrace.Event) (map[string]*millrace.Event, error) {
	found := map[string]*millrace.Event{}
	var keys []string
	for _, e := range events {
		if e.IdempotencyKey != "" {
			keys = append(keys, e.IdempotencyKey)
		}
	}
	if len(keys) == 0 {
		return found, nil
	}
	args := append([]any{string(events[0].EnvironmentID)}, table.Padded(keys)...)
	list, err := eventTable().All(ctx, h.tx, "environment_id = $1 AND idempotency_key <> '' AND idempotency_key IN ("+table.PlaceholdersFrom(2, len(args)-1)+")", args...)
	for i := range list {
		found[list[i].IdempotencyKey] = &list[i]
	}
	return found, err
}
