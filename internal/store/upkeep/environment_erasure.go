package upkeep

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/store/accounts"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// EnvironmentSweep is how long after the wish to delete an environment its entry stays, so that what was under way has ended and
// the rows that it still wrote are found: it is longer than the slowest request,
// delivery attempt or call to a provider may take.
const EnvironmentSweep = 10 * time.Minute

// CountedRows bounds how many rows of a table are counted: the count delays the changes of others on SQLite.
const CountedRows = 10_000

// OwnedTable is a table whose rows belong to an environment, and whose rows take rows of others with them.
type OwnedTable struct {
	Name  string
	what  string // for people; empty: part of something else
	count string // a condition for what counts when it is asked whether the environment is empty
	Parts []table.Part
}

// OwnedTables are the tables that hold rows of environments, in the order in which these are removed: first what starts work, so
// that it ends, then what is done, then what it was done with. What belongs to rows goes with them; at the end what is left of
// it.
func OwnedTables() []OwnedTable {
	return []OwnedTable{
		{Name: "api_token", what: "API tokens"},
		{Name: "webhook_redelivery"},
		{Name: "webhook", what: "webhooks"},
		{Name: "sync_job_cron_trigger", what: "schedules"},
		{Name: "workflow", what: "workflows", Parts: []table.Part{{Table: "workflow_version", Column: "workflow_id"}}},
		{Name: "sync_job_run", what: "sync job runs", Parts: []table.Part{{Table: "checkpoint_part", Column: "sync_job_run_id"}, {Table: "run_log", Column: "sync_job_run_id"}}},
		{Name: "workflow_run", what: "workflow runs", Parts: []table.Part{{Table: "workflow_step", Column: "workflow_run_id"}}},
		{Name: "inbound_hook", what: "inbound hooks"},
		{Name: "delivery", what: "deliveries", Parts: []table.Part{{Table: "delivery_attempt", Column: "delivery_id"}}},
		{Name: "event", what: "events", count: " AND event NOT LIKE 'api_token:%'", Parts: []table.Part{{Table: "decision", Column: "event_id"}, {Table: "fan_out", Column: "root_event_id"}}},
		{Name: "event_batch"},
		{Name: "waiting_task"},
		{Name: "integrated_account", what: "integrated accounts", Parts: []table.Part{{Table: "account_rate", Column: "integrated_account_id"}, {Table: "account_grant", Column: "id"}, {Table: "account_token", Column: "integrated_account_id"}}},
		{Name: "tenant", what: "tenants"},
		{Name: "static_gate", what: "static gates"},
		{Name: "environment_integration", what: "installed integrations"},
		{Name: "integration", what: "integrations"},
		{Name: "sync_job", what: "sync jobs"},
		{Name: "sync_job_template", what: "sync job templates"},
		{Name: "sync_job_run_state", what: "state entries"},
		{Name: "cron_fire"},
		{Name: "idempotent_call"},
		{Name: "call_log"},
		{Name: "erasure"},
		{Name: "workflow_key"},
		{Name: "run_log"},
		{Name: "checkpoint_part"},
		{Name: "workflow_version"},
		{Name: "workflow_step"},
		{Name: "delivery_attempt"},
		{Name: "decision"},
		{Name: "account_rate"},
		{Name: "account_grant"},
		{Name: "connect_session"},
		{Name: "link_token"},
		{Name: "account_token"},
		{Name: "disconnection"},
		{Name: "fan_out"},
		{Name: "audit_entry"},
	}
}

// hasID reports whether the rows of a table have parts, which are found by their id.
func (t OwnedTable) hasID() bool { return len(t.Parts) > 0 }

// Owned says how many rows of a kind an environment has; [CountedRows] stands for that many or more.
type Owned struct {
	What string
	Rows int64
}

// OfEnvironment returns what an environment has, without what belongs to something else. Tokens, and events about
// them, do not count: they are for the environment.
func (h Rows) OfEnvironment(ctx context.Context, env millrace.EnvironmentID) ([]Owned, error) {
	var out []Owned
	for _, t := range OwnedTables() {
		if t.what == "" || t.Name == "api_token" {
			continue
		}
		o := Owned{What: t.what}
		if _, err := h.tx.One(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+t.Name+" WHERE environment_id = $1"+t.count+" LIMIT $2) AS few", []any{string(env), CountedRows}, &o.Rows); err != nil {
			return nil, fmt.Errorf("count %s: %w", t.what, err)
		}
		if o.Rows > 0 {
			out = append(out, o)
		}
	}
	return out, nil
}

// ErasedRows says how far the deletion of an environment has come.
type ErasedRows struct {
	Removed int64         // rows; 0: there are none
	Again   millrace.Time // when to look again for what was still being written; 0: not any more
}

// EraseEnvironment removes at most so many rows of an environment that is being deleted, of one table. Once there are none
// it removes the environment itself, unless what was under way may still write rows.
func (h Erasures) EraseEnvironment(ctx context.Context, v *millrace.Environment, most int) (ErasedRows, error) {
	// One at a time: of two that choose the same rows the second would remove none, which reads as if none were left.
	if entry, err := accounts.NewEnvironments(h.tx).LockErasing(ctx, v.ID); err != nil || entry == nil {
		return ErasedRows{}, err
	}
	for _, t := range OwnedTables() {
		n, err := h.eraseOwned(ctx, t, v.ID, most)
		if err != nil || n > 0 {
			return ErasedRows{Removed: n}, err
		}
	}
	if again := v.DeletingAt.Add(EnvironmentSweep); h.tx.Now() < again {
		return ErasedRows{Again: again}, nil
	}
	if _, err := h.tx.Exec(ctx, "DELETE FROM environment WHERE id = $1 AND deleting_at > 0", string(v.ID)); err != nil {
		return ErasedRows{}, fmt.Errorf("delete environment: %w", err)
	}
	return ErasedRows{}, nil
}

func (h Erasures) eraseOwned(ctx context.Context, t OwnedTable, env millrace.EnvironmentID, most int) (int64, error) {
	row := h.tx.Dialect().RowID()
	query := fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s WHERE environment_id = $1 LIMIT $2)", t.Name, row, row, t.Name)
	if !t.hasID() {
		n, err := h.tx.Exec(ctx, query, string(env), most)
		if err != nil {
			return 0, fmt.Errorf("erase %s: %w", t.Name, err)
		}
		return n, nil
	}
	ids, err := table.ReadIDs[string](ctx, h.tx, query+" RETURNING id", string(env), most)
	if err != nil {
		return 0, fmt.Errorf("erase %s: %w", t.Name, err)
	}
	return int64(len(ids)), table.RemoveParts(ctx, h.tx, env, t.Parts, ids)
}

// OwnedText says what an environment has, for people.
func OwnedText(rows []Owned) string {
	parts := make([]string, len(rows))
	for i, o := range rows {
		more := ""
		if o.Rows >= CountedRows {
			more = " or more"
		}
		parts[i] = fmt.Sprintf("%s: %d%s", o.What, o.Rows, more)
	}
	return strings.Join(parts, ", ")
}
