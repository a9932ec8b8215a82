package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Workflows are the workflows with their versions.
type Workflows struct{ tx *sqldb.Tx }

// NewWorkflows returns the handle of the workflows with their versions.
func NewWorkflows(tx *sqldb.Tx) Workflows { return Workflows{tx} }

var workflowTable = sync.OnceValue(func() *table.Table[millrace.Workflow] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Workflow
	return &table.Table[row]{
		Name: "workflow", What: "workflow", Audit: &table.Audit[row]{},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.WorkflowID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("label", func(v *row) *string { return &v.Label }),
			table.Text("trigger_name", func(v *row) *string { return &v.TriggerName }),
			table.Hidden(table.Text("event", func(v *row) *string { return &v.Event })),
			table.Encoded("config", func(v *row) any { return &v.Config }, func(v *row) int { return sizeOfConfig(&v.Config) }),
			table.NotFlag("is_active", func(v *row) *bool { return &v.IsPaused }),
			table.Number("version", func(v *row) *int64 { return &v.Version }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			table.Warnings(func(v *row) *[]millrace.Failure { return &v.Warnings }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Version = 1
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// sizeOfConfig is what the texts of a config take.
func sizeOfConfig(c *millrace.WorkflowConfig) int {
	n := len(c.RunIf) + len(c.IdempotencyKey)
	for i := range c.Steps {
		n += len(c.Steps[i].RunIf) + len(c.Steps[i].Config) + 64
	}
	return n
}

// Create adds a workflow as version 1. It returns an error of KindConflict when the id is taken.
func (h Workflows) Create(ctx context.Context, v *millrace.Workflow) error {
	if err := workflowTable().Insert(ctx, h.tx, v); err != nil {
		return err
	}
	return h.insertVersion(ctx, v)
}

// Update saves a changed workflow as its next version, or returns an error of KindNotFound.
func (h Workflows) Update(ctx context.Context, v *millrace.Workflow) error {
	last, err := workflowTable().Get(ctx, h.tx, v.EnvironmentID, string(v.ID), h.tx.Dialect().ForUpdate())
	if err != nil {
		return err
	}
	v.Version = last.Version + 1
	if err := table.MustUpdate(ctx, h.tx, workflowTable(), v, string(v.ID)); err != nil {
		return err
	}
	return h.insertVersion(ctx, v)
}

// insertVersion keeps what a workflow was, so that runs and decisions can name it. Versions are never changed.
func (h Workflows) insertVersion(ctx context.Context, v *millrace.Workflow) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = h.tx.Exec(ctx, "INSERT INTO workflow_version (workflow_id, version, environment_id, event, workflow, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
		string(v.ID), v.Version, string(v.EnvironmentID), v.Event, string(doc), int64(v.UpdatedAt))
	if err != nil {
		return fmt.Errorf("insert workflow version: %w", err)
	}
	return nil
}

// Get returns a workflow of the environment, or an error of KindNotFound.
func (h Workflows) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) (*millrace.Workflow, error) {
	return workflowTable().Get(ctx, h.tx, env, string(id), "")
}

// Lock returns a workflow and keeps others from changing it until the transaction ends; nil: it was deleted.
func (h Workflows) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) (*millrace.Workflow, error) {
	return workflowTable().Find(ctx, h.tx, "id = $1 AND environment_id = $2"+h.tx.Dialect().ForUpdate(), string(id), string(env))
}

// GetVersion returns a workflow as it was in a version, also after it was changed or deleted, or an error of
// KindNotFound.
func (h Workflows) GetVersion(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID, version int64) (*millrace.Workflow, error) {
	v := new(millrace.Workflow)
	found, err := h.tx.One(ctx, "SELECT workflow, event FROM workflow_version WHERE workflow_id = $1 AND version = $2 AND environment_id = $3",
		[]any{string(id), version, string(env)}, table.JSONTo(v), &v.Event)
	if err != nil {
		return nil, fmt.Errorf("read workflow version: %w", err)
	}
	if !found {
		return nil, millrace.NotFound("workflow", fmt.Sprintf("%s version %d", id, version))
	}
	return v, nil
}

// Version is one version of a workflow.
type Version struct {
	Number    int64
	CreatedAt millrace.Time
}

// Versions returns the last versions of a workflow below a number, the last first; 0: of all. One that was never there has none.
func (h Workflows) Versions(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID, below int64, limit int) ([]Version, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	var out []Version
	err := h.tx.Each(ctx, "SELECT version, created_at FROM workflow_version WHERE workflow_id = $1 AND environment_id = $2 AND version < $3 ORDER BY version DESC LIMIT $4",
		[]any{string(id), string(env), below, limit}, func(r sqldb.Rows) error {
			var v Version
			if err := r.Scan(&v.Number, (*int64)(&v.CreatedAt)); err != nil {
				return err
			}
			out = append(out, v)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("list workflow versions: %w", err)
	}
	return out, nil
}

// WorkflowPage says which of the workflows that listen to an event of an environment to read.
type WorkflowPage struct {
	EnvironmentID millrace.EnvironmentID
	Event         string
	From          table.Mark    // those behind it
	Whole         bool          // and the one that is there
	Until         millrace.Time // those that were created later are left out
	Most          int
	MostBytes     int // the page ends with the workflow that exceeds it
}

// ByEvent returns a page of the workflows that an event of an environment may wake, the oldest first, with the fields
// that decide whether it does. It reports whether there are more.
func (h Workflows) ByEvent(ctx context.Context, p WorkflowPage) ([]millrace.Workflow, bool, error) {
	behind := ">"
	if p.Whole {
		behind = ">="
	}
	var out []millrace.Workflow
	more, size := false, 0
	err := h.tx.Each(ctx, `SELECT id, created_at, version, NOT is_active, config FROM workflow WHERE environment_id = $1 AND event = $2
AND (created_at, id) `+behind+` ($3, $4) AND created_at <= $5 ORDER BY created_at, id LIMIT $6`,
		[]any{string(p.EnvironmentID), p.Event, int64(p.From.At), p.From.ID, int64(p.Until), p.Most + 1}, func(r sqldb.Rows) error {
			if len(out) == p.Most || size > p.MostBytes {
				more = true
				return errPageFull
			}
			w := millrace.Workflow{EnvironmentID: p.EnvironmentID, Event: p.Event}
			var config json.RawMessage
			if err := r.Scan((*string)(&w.ID), (*int64)(&w.CreatedAt), &w.Version, &w.IsPaused, table.DocumentTo(&config)); err != nil {
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

// List returns one page of the environment's workflows. It returns an error of KindInvalid for a field,
// operator or cursor that it does not know.
func (h Workflows) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Workflow], error) {
	return workflowTable().List(ctx, h.tx, env, q)
}

// Delete removes a workflow, or returns an error of KindNotFound. Its versions and runs stay; those that wait for
// their beginning are cancelled.
func (h Workflows) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowID) error {
	if err := NewFlow(h.tx).cancelWaiting(ctx, env, id); err != nil {
		return err
	}
	return workflowTable().Remove(ctx, h.tx, env, string(id))
}

// Exist reports whether an event of the environment may wake any workflow.
func (h Workflows) Exist(ctx context.Context, env millrace.EnvironmentID, event string) (bool, error) {
	var one int64
	// The order is that of the index: without it, PostgreSQL reads all workflows in search of the first when many have one event.
	return h.tx.One(ctx, "SELECT 1 FROM workflow WHERE environment_id = $1 AND event = $2 ORDER BY created_at, id LIMIT 1", []any{string(env), event}, &one)
}

// ExistActive reports whether an event of the environment may wake a workflow that is not paused.
func (h Workflows) ExistActive(ctx context.Context, env millrace.EnvironmentID, event string) (bool, error) {
	var one int64
	return h.tx.One(ctx, "SELECT 1 FROM workflow WHERE environment_id = $1 AND event = $2 AND is_active = TRUE ORDER BY created_at, id LIMIT 1", []any{string(env), event}, &one)
}

// Listened returns which of some events may wake any workflow of the environment, in one query.
func (h Workflows) Listened(ctx context.Context, env millrace.EnvironmentID, events ...string) (map[string]bool, error) {
	columns, args := make([]string, len(events)), []any{string(env)}
	found, dest := make([]int64, len(events)), make([]any, len(events))
	for i, event := range events {
		// The order is that of the index, as in Exist.
		columns[i] = fmt.Sprintf("COALESCE((SELECT 1 FROM workflow WHERE environment_id = $1 AND event = $%d ORDER BY created_at, id LIMIT 1), 0)", i+2)
		args, dest[i] = append(args, event), &found[i]
	}
	if _, err := h.tx.One(ctx, "SELECT "+strings.Join(columns, ", "), args, dest...); err != nil {
		return nil, err
	}
	listened := make(map[string]bool, len(events))
	for i, event := range events {
		listened[event] = found[i] == 1
	}
	return listened, nil
}
