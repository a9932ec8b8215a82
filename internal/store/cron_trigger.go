package store

import (
	"context"
	"encoding/json"

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
		fill:  func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt) },
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

// DeleteSyncJobCronTrigger removes a sync job cron trigger, or returns an error of KindNotFound.
func (tx *Tx) DeleteSyncJobCronTrigger(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) error {
	return tx.db.tables.cronTrigger.remove(ctx, tx, env, string(id))
}

// CronTriggerOfStep returns the schedule that a workflow's step made for an account, or nil: a reconnect updates it.
func (tx *Tx) CronTriggerOfStep(ctx context.Context, env millrace.EnvironmentID, workflow millrace.WorkflowID, step int64, account millrace.IntegratedAccountID) (*millrace.SyncJobCronTrigger, error) {
	return tx.db.tables.cronTrigger.find(ctx, tx, "environment_id = $1 AND workflow_id = $2 AND workflow_id <> '' AND step_index = $3 AND integrated_account_id = $4"+tx.db.dialect.forUpdate(),
		string(env), string(workflow), step, string(account))
}

// DueCronTriggers returns schedules of all environments that are due, the longest overdue first.
func (tx *Tx) DueCronTriggers(ctx context.Context, now millrace.Time, limit int) ([]millrace.SyncJobCronTrigger, error) {
	return tx.db.tables.cronTrigger.all(ctx, tx, "next_run_at > 0 AND next_run_at <= $1 ORDER BY next_run_at, id LIMIT $2", int64(now), limit)
}

// InsertFire records one due instant of a schedule and reports whether it was not there yet: the pair is the key that
// keeps an instant from running twice.
func (tx *Tx) InsertFire(ctx context.Context, f *millrace.CronFire) (bool, error) {
	if f.CreatedAt == 0 {
		f.CreatedAt = tx.Now()
	}
	n, err := tx.exec(ctx, `INSERT INTO cron_fire (sync_job_cron_trigger_id, environment_id, due_at, outcome, reason, sync_job_run_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		string(f.CronTriggerID), string(f.EnvironmentID), int64(f.DueAt), string(f.Outcome), f.Reason, string(f.SyncJobRunID), int64(f.CreatedAt))
	return n > 0, err
}

// FiresOf returns the latest fires of a schedule, the newest first.
func (tx *Tx) FiresOf(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID, limit int) ([]millrace.CronFire, error) {
	out := []millrace.CronFire{}
	err := tx.each(ctx, `SELECT sync_job_cron_trigger_id, environment_id, due_at, outcome, reason, sync_job_run_id, created_at
FROM cron_fire WHERE environment_id = $1 AND sync_job_cron_trigger_id = $2 ORDER BY due_at DESC LIMIT $3`, []any{string(env), string(id), limit},
		func(r rows) error {
			var f millrace.CronFire
			err := r.Scan((*string)(&f.CronTriggerID), (*string)(&f.EnvironmentID), (*int64)(&f.DueAt), (*string)(&f.Outcome), &f.Reason,
				(*string)(&f.SyncJobRunID), (*int64)(&f.CreatedAt))
			out = append(out, f)
			return err
		})
	return out, err
}
