package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

func cronTriggerTable(db *DB) *table[millrace.SyncJobCronTrigger] {
	type row = millrace.SyncJobCronTrigger
	return &table[row]{
		name: "sync_job_cron_trigger", what: "sync job cron trigger", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("sync_job_id", func(v *row) *millrace.SyncJobID { return &v.SyncJobID }),
			text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			text("cron_expression", func(v *row) *string { return &v.CronExpression }),
			text("timezone", func(v *row) *string { return &v.Timezone }),
			text("catch_up", func(v *row) *millrace.CatchUp { return &v.CatchUp }),
			text("overlap", func(v *row) *millrace.Overlap { return &v.Overlap }),
			number("spread", func(v *row) *int64 { return &v.Spread }),
			document("args", func(v *row) *json.RawMessage { return &v.Args }),
			text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			text("daemon_group_key", func(v *row) *string { return &v.DaemonGroupKey }),
			text("super_query", func(v *row) *string { return &v.SuperQuery }),
			text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			document("events_to_send", func(v *row) *json.RawMessage { return &v.EventsToSend }),
			document("meta", func(v *row) *json.RawMessage { return &v.Meta }),
			text("workflow_id", func(v *row) *millrace.WorkflowID { return &v.WorkflowID }),
			hidden(number("step_index", func(v *row) *int64 { return &v.StepIndex })),
			stamp("next_run_at", func(v *row) *millrace.Time { return &v.NextRunAt }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		fill: func(tx *Tx, v *row) {
			newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Settle()
		},
		touch: func(tx *Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
}

// InsertSyncJobCronTrigger adds a sync job cron trigger and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (tx *Tx) InsertSyncJobCronTrigger(ctx context.Context, v *millrace.SyncJobCronTrigger) error {
	return tx.db.tables.cronTrigger.insert(ctx, tx, v)
}

// SyncJobCronTrigger returns a sync job cron trigger of the environment, or an error of KindNotFound.
func (tx *Tx) SyncJobCronTrigger(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) (*millrace.SyncJobCronTrigger, error) {
	return tx.db.tables.cronTrigger.get(ctx, tx, env, string(id), "")
}

// ListSyncJobCronTriggers returns one page of the environment's sync job cron triggers. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListSyncJobCronTriggers(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJobCronTrigger], error) {
	return tx.db.tables.cronTrigger.list(ctx, tx, env, q)
}

// UpdateSyncJobCronTrigger writes all of a sync job cron trigger, or returns an error of KindNotFound.
func (tx *Tx) UpdateSyncJobCronTrigger(ctx context.Context, v *millrace.SyncJobCronTrigger) error {
	return mustUpdate(ctx, tx, tx.db.tables.cronTrigger, v, string(v.ID))
}

// LockSyncJobCronTrigger returns a schedule and keeps others from changing or firing it until the transaction ends.
func (tx *Tx) LockSyncJobCronTrigger(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) (*millrace.SyncJobCronTrigger, error) {
	return tx.db.tables.cronTrigger.get(ctx, tx, env, string(id), tx.db.dialect.forUpdate())
}

// DeleteSyncJobCronTrigger removes a sync job cron trigger and its fires, or returns an error of KindNotFound.
func (tx *Tx) DeleteSyncJobCronTrigger(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) error {
	if err := tx.db.tables.cronTrigger.remove(ctx, tx, env, string(id)); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "DELETE FROM cron_fire WHERE sync_job_cron_trigger_id = $1 AND environment_id = $2",
		strings.ToLower(string(id)), string(env))
	if err != nil {
		return fmt.Errorf("delete fires: %w", err)
	}
	return nil
}

// CronTriggerOfStep returns the schedule that a workflow's step made for an account, or nil: a reconnect updates it.
func (tx *Tx) CronTriggerOfStep(ctx context.Context, env millrace.EnvironmentID, workflow millrace.WorkflowID, step int64, account millrace.IntegratedAccountID) (*millrace.SyncJobCronTrigger, error) {
	return tx.db.tables.cronTrigger.find(ctx, tx, "environment_id = $1 AND workflow_id = $2 AND workflow_id <> '' AND step_index = $3 AND integrated_account_id = $4"+tx.db.dialect.forUpdate(),
		string(env), string(workflow), step, string(account))
}

// NextCronRun returns when the next schedule of any environment is due, 0 when there is none.
func (tx *Tx) NextCronRun(ctx context.Context) (millrace.Time, error) {
	var at millrace.Time
	_, err := tx.one(ctx, "SELECT next_run_at FROM sync_job_cron_trigger WHERE next_run_at > 0 ORDER BY next_run_at LIMIT 1", nil, (*int64)(&at))
	if err != nil {
		return 0, fmt.Errorf("find next schedule: %w", err)
	}
	return at, nil
}

// DueCronTriggers returns schedules of all environments but some that are due, the longest overdue first. Those that another
// node is firing are left out.
func (tx *Tx) DueCronTriggers(ctx context.Context, now millrace.Time, except []millrace.EnvironmentID, limit int) ([]millrace.SyncJobCronTrigger, error) {
	where, args := "next_run_at > 0 AND next_run_at <= $1", []any{int64(now), limit}
	if len(except) > 0 {
		ids := padded(except)
		where += " AND environment_id NOT IN (" + placeholdersFrom(3, len(ids)) + ")"
		args = append(args, ids...)
	}
	return tx.db.tables.cronTrigger.all(ctx, tx, where+" ORDER BY next_run_at, id LIMIT $2"+tx.db.dialect.skipLocked(), args...)
}

// LockCronTriggers returns those of the schedules that still exist, and keeps others from changing or firing them until
// the transaction ends. Those that somebody else is firing are left out.
func (tx *Tx) LockCronTriggers(ctx context.Context, keys []millrace.ScheduleKey) (map[millrace.ScheduleKey]*millrace.SyncJobCronTrigger, error) {
	out := map[millrace.ScheduleKey]*millrace.SyncJobCronTrigger{}
	if len(keys) == 0 {
		return out, nil
	}
	args, wanted := scheduleIDs(keys)
	locked, err := tx.db.tables.cronTrigger.all(ctx, tx, "id IN ("+placeholders(len(args))+") ORDER BY next_run_at, id"+tx.db.dialect.skipLocked(), args...)
	for i := range locked {
		if k := locked[i].Key(); wanted[k] { // not a schedule of another environment with the same id
			out[k] = &locked[i]
		}
	}
	return out, err
}

// scheduleIDs returns ids as arguments, and the pairs that they belong to.
func scheduleIDs(keys []millrace.ScheduleKey) ([]any, map[millrace.ScheduleKey]bool) {
	ids := make([]millrace.SyncJobCronTriggerID, len(keys))
	wanted := make(map[millrace.ScheduleKey]bool, len(keys))
	for i, k := range keys {
		ids[i], wanted[k] = k.ID, true
	}
	return padded(ids), wanted
}

// MoveCronTrigger sets when a schedule is due next; 0: never. Firing is no change of the schedule, so that updated_at
// stays.
func (tx *Tx) MoveCronTrigger(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID, next millrace.Time) error {
	_, err := tx.exec(ctx, "UPDATE sync_job_cron_trigger SET next_run_at = $3 WHERE id = $1 AND environment_id = $2",
		string(id), string(env), int64(next))
	if err != nil {
		return fmt.Errorf("move schedule: %w", err)
	}
	return nil
}
