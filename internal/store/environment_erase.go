package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// EnvironmentSweep is how long after the wish to delete an environment its entry stays, so that what was under way has ended and
// the rows that it still wrote are found: a request whose body of 4 MiB comes as slowly as it may takes 160 s, an attempt of a
// delivery and a call to a provider less.
const EnvironmentSweep = 10 * time.Minute

// countedRows bounds how many rows of a table are counted: the count delays the changes of others on SQLite.
const countedRows = 10_000

// ownedTable is a table whose rows belong to an environment, and whose rows take rows of others with them.
type ownedTable struct {
	name  string
	what  string // for people; empty: part of something else
	parts []part
}

// ownedTables are the tables that hold rows of environments, in the order in which these are removed: first what starts work, so
// that it ends, then what is done, then what it was done with. What belongs to rows goes with them; at the end what is left of
// it.
func ownedTables() []ownedTable {
	return []ownedTable{
		{name: "api_token", what: "API tokens"},
		{name: "webhook", what: "webhooks"},
		{name: "sync_job_cron_trigger", what: "schedules"},
		{name: "workflow", what: "workflows", parts: []part{{table: "workflow_version", column: "workflow_id"}}},
		{name: "sync_job_run", what: "sync job runs", parts: []part{{table: "checkpoint_part", column: "sync_job_run_id"}, {table: "run_log", column: "sync_job_run_id"}}},
		{name: "workflow_run", what: "workflow runs", parts: []part{{table: "workflow_step", column: "workflow_run_id"}}},
		{name: "inbound_hook", what: "inbound hooks"},
		{name: "delivery", what: "deliveries", parts: []part{{table: "delivery_attempt", column: "delivery_id"}}},
		{name: "event", what: "events", parts: []part{{table: "decision", column: "event_id"}, {table: "fan_out", column: "root_event_id"}}},
		{name: "event_batch"},
		{name: "waiting_task"},
		{name: "integrated_account", what: "integrated accounts", parts: []part{{table: "account_rate", column: "integrated_account_id"}}},
		{name: "environment_integration", what: "installed integrations"},
		{name: "integration", what: "integrations"},
		{name: "sync_job", what: "sync jobs"},
		{name: "sync_job_template", what: "sync job templates"},
		{name: "sync_job_run_state", what: "state entries"},
		{name: "cron_fire"},
		{name: "idempotent_call"},
		{name: "erasure"},
		{name: "workflow_key"},
		{name: "run_log"},
		{name: "checkpoint_part"},
		{name: "workflow_version"},
		{name: "workflow_step"},
		{name: "delivery_attempt"},
		{name: "decision"},
		{name: "account_rate"},
		{name: "fan_out"},
	}
}

// hasID reports whether the rows of a table have parts, which are found by their id.
func (t ownedTable) hasID() bool { return len(t.parts) > 0 }

// Owned says how many rows of a kind an environment has; countedRows stands for that many or more.
type Owned struct {
	What string
	Rows int64
}

// EnvironmentRows returns what an environment has, without what belongs to something else. Tokens do not count: they are for the
// environment.
func (tx *Tx) EnvironmentRows(ctx context.Context, env millrace.EnvironmentID) ([]Owned, error) {
	var out []Owned
	for _, t := range ownedTables() {
		if t.what == "" || t.name == "api_token" {
			continue
		}
		o := Owned{What: t.what}
		if _, err := tx.one(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+t.name+" WHERE environment_id = $1 LIMIT $2) AS few", []any{string(env), countedRows}, &o.Rows); err != nil {
			return nil, fmt.Errorf("count %s: %w", t.what, err)
		}
		if o.Rows > 0 {
			out = append(out, o)
		}
	}
	return out, nil
}

// StartEnvironmentErasure makes an environment one that is being deleted: its name is free, its tokens are gone, and the
// reconcile pass of a server goes on with it.
func (tx *Tx) StartEnvironmentErasure(ctx context.Context, v *millrace.Environment) error {
	if v.DeletingAt == 0 {
		v.DeletingAt = tx.Now()
	}
	if err := tx.UpdateEnvironment(ctx, v); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "DELETE FROM api_token WHERE environment_id = $1", string(v.ID)); err != nil {
		return fmt.Errorf("delete tokens: %w", err)
	}
	return nil
}

// ErasingEnvironment returns an environment that is being deleted, or nil.
func (tx *Tx) ErasingEnvironment(ctx context.Context, id millrace.EnvironmentID) (*millrace.Environment, error) {
	return tx.db.tables.environment.find(ctx, tx, "id = $1 AND deleting_at > 0", string(id))
}

// ErasedRows says how far the deletion of an environment has come.
type ErasedRows struct {
	Removed int64         // rows; 0: there are none
	Again   millrace.Time // when to look again for what was still being written; 0: not any more
}

// EraseEnvironmentRows removes at most so many rows of an environment that is being deleted, of one table. Once there are none
// it removes the environment itself, unless what was under way may still write rows.
func (tx *Tx) EraseEnvironmentRows(ctx context.Context, v *millrace.Environment, most int) (ErasedRows, error) {
	// One at a time: of two that choose the same rows the second would remove none, which reads as if none were left.
	if entry, err := tx.db.tables.environment.find(ctx, tx, "id = $1 AND deleting_at > 0"+tx.db.dialect.forUpdate(), string(v.ID)); err != nil || entry == nil {
		return ErasedRows{}, err
	}
	for _, t := range ownedTables() {
		n, err := tx.eraseOwned(ctx, t, v.ID, most)
		if err != nil || n > 0 {
			return ErasedRows{Removed: n}, err
		}
	}
	if again := v.DeletingAt.Add(EnvironmentSweep); tx.Now() < again {
		return ErasedRows{Again: again}, nil
	}
	if _, err := tx.exec(ctx, "DELETE FROM environment WHERE id = $1 AND deleting_at > 0", string(v.ID)); err != nil {
		return ErasedRows{}, fmt.Errorf("delete environment: %w", err)
	}
	return ErasedRows{}, nil
}

func (tx *Tx) eraseOwned(ctx context.Context, t ownedTable, env millrace.EnvironmentID, most int) (int64, error) {
	row := tx.db.dialect.rowID()
	query := fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s WHERE environment_id = $1 LIMIT $2)", t.name, row, row, t.name)
	if !t.hasID() {
		n, err := tx.exec(ctx, query, string(env), most)
		if err != nil {
			return 0, fmt.Errorf("erase %s: %w", t.name, err)
		}
		return n, nil
	}
	ids, err := readIDs[string](ctx, tx, query+" RETURNING id", string(env), most)
	if err != nil {
		return 0, fmt.Errorf("erase %s: %w", t.name, err)
	}
	return int64(len(ids)), tx.removeParts(ctx, env, t.parts, ids)
}

// OwnedText says what an environment has, for people.
func OwnedText(rows []Owned) string {
	parts := make([]string, len(rows))
	for i, o := range rows {
		more := ""
		if o.Rows >= countedRows {
			more = " or more"
		}
		parts[i] = fmt.Sprintf("%s: %d%s", o.What, o.Rows, more)
	}
	return strings.Join(parts, ", ")
}
