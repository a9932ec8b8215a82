package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

func eventTable(db *DB) *table[millrace.Event] {
	type row = millrace.Event
	return &table[row]{
		name: "event", what: "event", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.EventID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			hidden(text("batch_id", func(v *row) *millrace.BatchID { return &v.BatchID })),
			text("event", func(v *row) *string { return &v.Name }),
			document("payload", func(v *row) *json.RawMessage { return &v.Payload }),
			text("idempotency_key", func(v *row) *string { return &v.IdempotencyKey }),
			number("depth", func(v *row) *int64 { return &v.Depth }),
			text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			text("root_event_id", func(v *row) *millrace.EventID { return &v.RootEventID }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt) },
		touch: func(tx *Tx, v *row) {},
	}
}

// Event returns an event of the environment, or an error of KindNotFound.
func (tx *Tx) Event(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) (*millrace.Event, error) {
	return tx.db.tables.event.get(ctx, tx, env, string(id), "")
}

// Events returns those of some events that are there.
func (tx *Tx) Events(ctx context.Context, env millrace.EnvironmentID, ids []millrace.EventID) (map[millrace.EventID]*millrace.Event, error) {
	out := map[millrace.EventID]*millrace.Event{}
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	// By their ids alone: with the environment, SQLite would walk through all of its events.
	found, err := tx.db.tables.event.all(ctx, tx, "id IN ("+placeholders(len(ids))+")", args...)
	for i := range found {
		if found[i].EnvironmentID == env {
			out[found[i].ID] = &found[i]
		}
	}
	return out, err
}

// ListEvents returns one page of the environment's events. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListEvents(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Event], error) {
	return tx.db.tables.event.list(ctx, tx, env, q)
}

// InsertEvent adds an event, as InsertEvents does.
func (tx *Tx) InsertEvent(ctx context.Context, v *millrace.Event) (bool, error) {
	fresh, err := tx.InsertEvents(ctx, []*millrace.Event{v})
	return len(fresh) > 0, err
}

// InsertEvents adds events of one environment and fills in their ids and times. One whose idempotency key was used before
// becomes a copy of the earlier event and is not added. It returns those that were, and an error of KindConflict when an id
// is taken.
func (tx *Tx) InsertEvents(ctx context.Context, events []*millrace.Event) ([]*millrace.Event, error) {
	earlier, err := tx.eventsOfKeys(ctx, events)
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
	if fresh, err = tx.addEvents(ctx, fresh); err != nil {
		return nil, err
	}
	for _, e := range again {
		*e = *earlier[e.IdempotencyKey]
	}
	return fresh, nil
}

// addEvents adds events but for those whose idempotency key another transaction uses at the same time: these become copies of
// its events. It returns the others.
func (tx *Tx) addEvents(ctx context.Context, events []*millrace.Event) ([]*millrace.Event, error) {
	t := tx.db.tables.event
	keyed := func(e *millrace.Event) bool { return e.IdempotencyKey != "" }
	if !slices.ContainsFunc(events, keyed) {
		return events, t.insertAll(ctx, tx, events)
	}
	for _, e := range events {
		t.fill(tx, e)
	}
	// In one order, or two transactions might wait for each other.
	rows := slices.SortedStableFunc(slices.Values(events), func(a, b *millrace.Event) int { return strings.Compare(a.IdempotencyKey, b.IdempotencyKey) })
	added, err := t.insertAllNew(ctx, tx, rows)
	if err != nil || len(added) == len(events) {
		return events, err
	}
	isAdded := func(e *millrace.Event) bool { return added[string(e.ID)] }
	others := slices.DeleteFunc(rows, isAdded)
	found, err := tx.eventsOfKeys(ctx, others)
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

// eventsOfKeys returns the events whose idempotency keys are those of events.
func (tx *Tx) eventsOfKeys(ctx context.Context, events []*millrace.Event) (map[string]*millrace.Event, error) {
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
	args := append([]any{string(events[0].EnvironmentID)}, padded(keys)...)
	list, err := tx.db.tables.event.all(ctx, tx, "environment_id = $1 AND idempotency_key <> '' AND idempotency_key IN ("+placeholdersFrom(2, len(args)-1)+")", args...)
	for i := range list {
		found[list[i].IdempotencyKey] = &list[i]
	}
	return found, err
}
