package store

import (
	"context"
	"fmt"
	"strings"
)

// rekeyVersion is the migration that adds the environment to the keys of rows whose ids clients may choose.
const rekeyVersion = 17

// rekeyed are the tables of SQLite whose primary key gets the environment: what stands in their definition, and what shall.
// The definitions are those that the database has, so that columns of other migrations stay as they are.
func rekeyed() map[string][2]string {
	const column, id = "id TEXT PRIMARY KEY", "id TEXT NOT NULL"
	out := map[string][2]string{
		"decision":         {"PRIMARY KEY (event_id, workflow_id)", "PRIMARY KEY (event_id, workflow_id, environment_id)"},
		"workflow_version": {"PRIMARY KEY (workflow_id, version)", "PRIMARY KEY (workflow_id, version, environment_id)"},
		"cron_fire":        {"PRIMARY KEY (sync_job_cron_trigger_id, due_at)", "PRIMARY KEY (sync_job_cron_trigger_id, due_at, environment_id)"},
		"fan_out":          {"root_event_id TEXT PRIMARY KEY", "root_event_id TEXT NOT NULL"},
		"account_rate":     {"integrated_account_id TEXT PRIMARY KEY", "integrated_account_id TEXT NOT NULL"},
	}
	for _, table := range []string{
		"integration", "environment_integration", "integrated_account", "webhook", "event", "workflow", "workflow_key",
		"sync_job", "sync_job_run", "sync_job_template", "sync_job_cron_trigger",
	} {
		out[table] = [2]string{column, id}
	}
	return out
}

// rekey writes tables of SQLite again with another primary key, and their indexes.
func (tx *Tx) rekey(ctx context.Context) error {
	for table, change := range rekeyed() {
		definition := ""
		found, err := tx.one(ctx, "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1", []any{table}, &definition)
		if err != nil {
			return fmt.Errorf("read definition of %s: %w", table, err)
		}
		if !found || !strings.Contains(definition, change[0]) {
			return fmt.Errorf("the table %s has no definition with %s", table, change[0])
		}
		definition = strings.Replace(definition, change[0], change[1], 1)
		if column, ok := strings.CutSuffix(change[1], " TEXT NOT NULL"); ok {
			definition = strings.TrimSuffix(strings.TrimSpace(definition), ")") + ", PRIMARY KEY (" + column + ", environment_id))"
		}
		if err := tx.rewrite(ctx, table, definition); err != nil {
			return fmt.Errorf("write %s again: %w", table, err)
		}
	}
	return nil
}

// rewrite copies a table of SQLite into one with the same columns and another definition, which takes its place.
func (tx *Tx) rewrite(ctx context.Context, table, definition string) error {
	indexes, err := readIDs[string](ctx, tx, "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL ORDER BY name", table)
	if err != nil {
		return err
	}
	_, body, found := strings.Cut(definition, "(")
	if !found {
		return fmt.Errorf("the definition %q has no columns", definition)
	}
	statements := append([]string{
		"CREATE TABLE rewritten (" + body,
		"INSERT INTO rewritten SELECT * FROM " + table + " ORDER BY rowid",
		"DROP TABLE " + table,
		"ALTER TABLE rewritten RENAME TO " + table,
	}, indexes...)
	for _, statement := range statements {
		if _, err := tx.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
