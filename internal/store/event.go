package store

import (
	"context"
	"encoding/json"

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

// InsertBatch records the events that one group commit stored together and still have to be matched.
func (tx *Tx) InsertBatch(ctx context.Context, id millrace.BatchID) error {
	_, err := tx.exec(ctx, "INSERT INTO event_batch (id, created_at) VALUES ($1, $2)", string(id), int64(tx.Now()))
	return err
}

// InsertEvent adds an event and fills in its id and time. It reports false when the environment has an event with the
// same idempotency key; v is then that event.
func (tx *Tx) InsertEvent(ctx context.Context, v *millrace.Event) (bool, error) {
	if v.IdempotencyKey != "" {
		earlier, err := tx.db.tables.event.find(ctx, tx, "environment_id = $1 AND idempotency_key = $2 AND idempotency_key <> ''", string(v.EnvironmentID), v.IdempotencyKey)
		if err != nil {
			return false, err
		}
		if earlier != nil {
			*v = *earlier
			return false, nil
		}
	}
	return true, tx.db.tables.event.insert(ctx, tx, v)
}

// BatchEvents returns the events of a batch in the order they were stored.
func (tx *Tx) BatchEvents(ctx context.Context, id millrace.BatchID) ([]millrace.Event, error) {
	return tx.db.tables.event.all(ctx, tx, "batch_id = $1 ORDER BY created_at, id", string(id))
}

// MarkBatchMatched records that every event of a batch has its decisions.
func (tx *Tx) MarkBatchMatched(ctx context.Context, id millrace.BatchID) error {
	_, err := tx.exec(ctx, "DELETE FROM event_batch WHERE id = $1", string(id))
	return err
}

// InsertDecision adds what was decided about an event and a workflow and reports whether it was not there yet.
func (tx *Tx) InsertDecision(ctx context.Context, d *millrace.Decision) (bool, error) {
	if d.CreatedAt == 0 {
		d.CreatedAt = tx.Now()
	}
	n, err := tx.exec(ctx, `INSERT INTO decision (event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`, string(d.EventID), string(d.EnvironmentID), string(d.WorkflowID),
		d.WorkflowVersion, string(d.Outcome), string(d.Error), string(d.WorkflowRunID), int64(d.RunAt), int64(d.CreatedAt))
	return n > 0, err
}

// DecisionsOf returns the decisions about an event.
func (tx *Tx) DecisionsOf(ctx context.Context, env millrace.EnvironmentID, id millrace.EventID) ([]millrace.Decision, error) {
	out := []millrace.Decision{}
	err := tx.each(ctx, `SELECT event_id, environment_id, workflow_id, workflow_version, outcome, error, workflow_run_id, run_at, cancelled_by,
created_at FROM decision WHERE event_id = $1 AND environment_id = $2 ORDER BY workflow_id`, []any{string(id), string(env)}, func(r rows) error {
		var d millrace.Decision
		err := r.Scan((*string)(&d.EventID), (*string)(&d.EnvironmentID), (*string)(&d.WorkflowID), &d.WorkflowVersion,
			(*string)(&d.Outcome), &documentDest{&d.Error}, (*string)(&d.WorkflowRunID), (*int64)(&d.RunAt), (*string)(&d.CancelledBy), (*int64)(&d.CreatedAt))
		out = append(out, d)
		return err
	})
	return out, err
}
