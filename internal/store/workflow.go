package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
)

func workflowTable(db *DB) *table[millrace.Workflow] {
	type row = millrace.Workflow
	return &table[row]{
		name: "workflow", what: "workflow", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.WorkflowID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("label", func(v *row) *string { return &v.Label }),
			text("trigger_name", func(v *row) *string { return &v.TriggerName }),
			hidden(text("event", func(v *row) *string { return &v.Event })),
			{
				"config", kindDocument,
				func(v *row) (any, error) { b, err := json.Marshal(v.Config); return string(b), err },
				func(v *row) any { return &jsonDest{&v.Config} },
				func(v *row) int { return sizeOfConfig(&v.Config) },
			},
			number("version", func(v *row) *int64 { return &v.Version }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			warnings(func(v *row) *[]millrace.Failure { return &v.Warnings }),
		},
		fill: func(tx *Tx, v *row) {
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Version = 1
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// sizeOfConfig is what the texts of a config take.
func sizeOfConfig(c *millrace.WorkflowConfig) int {
	n := len(c.RunIf) + len(c.IdempotencyKey)
	for i := range c.Steps {
		n += len(c.Steps[i].RunIf) + len(c.Steps[i].Config) + 64
	}
	return n
}

// jsonDest scans JSON text into a Go value.
type jsonDest struct{ to any }

// Scan implements sql.Scanner.
func (d *jsonDest) Scan(src any) error {
	var raw json.RawMessage
	if err := (&documentDest{&raw}).Scan(src); err != nil || len(raw) == 0 {
		return err
	}
	return json.Unmarshal(raw, d.to)
}

// InsertWorkflow adds a workflow as version 1. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertWorkflow(ctx context.Context, v *millrace.Workflow) error {
	if err := tx.db.tables.workflow.insert(ctx, tx, v); err != nil {
		return err
	}
	return tx.insertVersion(ctx, v)
}

// UpdateWorkflow saves a changed workflow as its next version, or returns an error of KindNotFound.
func (tx *Tx) UpdateWorkflow(ctx context.Context, v *millrace.Workflow) error {
	last, err := tx.db.tables.workflow.get(ctx, tx, v.EnvironmentID, string(v.ID), tx.db.dialect.forUpdate())
	if err != nil {
		return err
	}
	v.Version = last.Version + 1
	if err := mustUpdate(ctx, tx, tx.db.tables.workflow, v, string(v.ID)); err != nil {
		return err
	}
	return tx.insertVersion(ctx, v)
}

// insertVersion keeps what a workflow was, so that runs and decisions can name it. Versions are never changed.
func (tx *Tx) insertVersion(ctx context.Context, v *millrace.Workflow) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO workflow_version (workflow_id, version, environment_id, event, workflow, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
		string(v.ID), v.Version, string(v.EnvironmentID), v.Event, string(doc), int64(v.UpdatedAt))
	if err != nil {
		return fmt.Errorf("insert workflow version: %w", err)
	}
	return nil
}

// Workflow returns a workflow of the environment, or an error of KindNotFound.
func (tx *Tx) Workflow(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) (*millrace.Workflow, error) {
	return tx.db.tables.workflow.get(ctx, tx, env, string(id), "")
}

// WorkflowVersion returns a workflow as it was in a version, also after it was changed or deleted, or an error of
// KindNotFound.
func (tx *Tx) WorkflowVersion(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID, version int64) (*millrace.Workflow, error) {
	v := new(millrace.Workflow)
	found, err := tx.one(ctx, "SELECT workflow, event FROM workflow_version WHERE workflow_id = $1 AND version = $2 AND environment_id = $3",
		[]any{string(id), version, string(env)}, &jsonDest{v}, &v.Event)
	if err != nil {
		return nil, fmt.Errorf("read workflow version: %w", err)
	}
	if !found {
		return nil, millrace.NotFound("workflow", fmt.Sprintf("%s version %d", id, version))
	}
	return v, nil
}

// WorkflowPage says which of the workflows that listen to an event of an environment to read.
type WorkflowPage struct {
	EnvironmentID millrace.EnvironmentID
	Event         string
	From          Mark          // those behind it
	Whole         bool          // and the one that is there
	Until         millrace.Time // those that were created later are left out
	Most          int
	MostBytes     int // the page ends with the workflow that exceeds it
}

// WorkflowsByEvent returns a page of the workflows that an event of an environment may wake, the oldest first, with the fields
// that decide whether it does. It reports whether there are more.
func (tx *Tx) WorkflowsByEvent(ctx context.Context, p WorkflowPage) ([]millrace.Workflow, bool, error) {
	behind := ">"
	if p.Whole {
		behind = ">="
	}
	var out []millrace.Workflow
	more, size := false, 0
	err := tx.each(ctx, `SELECT id, created_at, version, config FROM workflow WHERE environment_id = $1 AND event = $2
AND (created_at, id) `+behind+` ($3, $4) AND created_at <= $5 ORDER BY created_at, id LIMIT $6`,
		[]any{string(p.EnvironmentID), p.Event, int64(p.From.At), p.From.ID, int64(p.Until), p.Most + 1}, func(r rows) error {
			if len(out) == p.Most || size > p.MostBytes {
				more = true
				return errPageFull
			}
			w := millrace.Workflow{EnvironmentID: p.EnvironmentID, Event: p.Event}
			var config json.RawMessage
			if err := r.Scan((*string)(&w.ID), (*int64)(&w.CreatedAt), &w.Version, &documentDest{&config}); err != nil {
				return err
			}
			size += len(config)
			if err := json.Unmarshal(config, &w.Config); err != nil {
				return err
			}
			out = append(out, w)
			return nil
		})
	if err != nil && !errors.Is(err, errPageFull) {
		return nil, false, fmt.Errorf("read workflows: %w", err)
	}
	return out, more, nil
}

// errPageFull ends the reading of rows.
var errPageFull = errors.New("store: the page is full")

// ListWorkflows returns one page of the environment's workflows. It returns an error of KindInvalid for a field,
// operator or cursor that it does not know.
func (tx *Tx) ListWorkflows(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Workflow], error) {
	return tx.db.tables.workflow.list(ctx, tx, env, q)
}

// DeleteWorkflow removes a workflow, or returns an error of KindNotFound. Its versions and runs stay; those that wait for
// their beginning are cancelled.
func (tx *Tx) DeleteWorkflow(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) error {
	if err := tx.cancelWaiting(ctx, env, id); err != nil {
		return err
	}
	return tx.db.tables.workflow.remove(ctx, tx, env, string(id))
}

// HasWorkflow reports whether an event of the environment may wake any workflow.
func (tx *Tx) HasWorkflow(ctx context.Context, env millrace.EnvironmentID, event string) (bool, error) {
	var one int64
	// The order is that of the index: without it, PostgreSQL reads all workflows in search of the first when many have one event.
	return tx.one(ctx, "SELECT 1 FROM workflow WHERE environment_id = $1 AND event = $2 ORDER BY created_at, id LIMIT 1", []any{string(env), event}, &one)
}
