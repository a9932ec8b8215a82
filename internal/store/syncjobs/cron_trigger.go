package syncjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Schedules are the schedules of sync jobs with their fires.
type Schedules struct{ tx *sqldb.Tx }

// NewSchedules returns the handle of the schedules of sync jobs with their fires.
func NewSchedules(tx *sqldb.Tx) Schedules { return Schedules{tx} }

var cronTriggerTable = sync.OnceValue(func() *table.Table[millrace.SyncJobCronTrigger] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.SyncJobCronTrigger
	return &table.Table[row]{
		Name: "sync_job_cron_trigger", What: "sync job cron trigger",
		Audit: &table.Audit[row]{Subject: func(v *row) string { return string(v.IntegratedAccountID) }, Without: []string{"next_run_at"}},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("sync_job_id", func(v *row) *millrace.SyncJobID { return &v.SyncJobID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Text("cron_expression", func(v *row) *string { return &v.CronExpression }),
			table.Text("timezone", func(v *row) *string { return &v.Timezone }),
			table.Text("catch_up", func(v *row) *millrace.CatchUp { return &v.CatchUp }),
			table.Text("overlap", func(v *row) *millrace.Overlap { return &v.Overlap }),
			table.Number("spread", func(v *row) *int64 { return &v.Spread }),
			table.Document("args", func(v *row) *json.RawMessage { return &v.Args }),
			table.Text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			table.Text("daemon_group_key", func(v *row) *string { return &v.DaemonGroupKey }),
			table.Text("super_query", func(v *row) *string { return &v.SuperQuery }),
			table.Text("error_handling", func(v *row) *millrace.ErrorHandling { return &v.ErrorHandling }),
			table.Document("events_to_send", func(v *row) *json.RawMessage { return &v.EventsToSend }),
			table.Document("meta", func(v *row) *json.RawMessage { return &v.Meta }),
			table.Text("workflow_id", func(v *row) *millrace.WorkflowID { return &v.WorkflowID }),
			table.Hidden(table.Number("step_index", func(v *row) *int64 { return &v.StepIndex })),
			table.Flag("is_detached", func(v *row) *bool { return &v.IsDetached }),
			table.Text("rest_reason", func(v *row) *string { return &v.RestReason }),
			table.Stamp("next_run_at", func(v *row) *millrace.Time { return &v.NextRunAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.Settle()
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt = tx.Now() },
	}
})

// Create adds a sync job cron trigger and fills in its id and times. It returns an error of KindConflict when the id is taken.
func (h Schedules) Create(ctx context.Context, v *millrace.SyncJobCronTrigger) error {
	return cronTriggerTable().Insert(ctx, h.tx, v)
}

// Get returns a sync job cron trigger of the environment, or an error of KindNotFound.
func (h Schedules) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) (*millrace.SyncJobCronTrigger, error) {
	return cronTriggerTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's sync job cron triggers. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h Schedules) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.SyncJobCronTrigger], error) {
	return cronTriggerTable().List(ctx, h.tx, env, q)
}

// Update writes all of a sync job cron trigger, or returns an error of KindNotFound.
func (h Schedules) Update(ctx context.Context, v *millrace.SyncJobCronTrigger) error {
	return table.MustUpdate(ctx, h.tx, cronTriggerTable(), v, string(v.ID))
}

// Lock returns a schedule and keeps others from changing or firing it until the transaction ends.
func (h Schedules) Lock(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) (*millrace.SyncJobCronTrigger, error) {
	return cronTriggerTable().Get(ctx, h.tx, env, string(id), h.tx.Dialect().ForUpdate())
}

// Delete removes a sync job cron trigger and its fires, or returns an error of KindNotFound.
func (h Schedules) Delete(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID) error {
	if err := cronTriggerTable().Remove(ctx, h.tx, env, string(id)); err != nil {
		return err
	}
	_, err := h.tx.Exec(ctx, "DELETE FROM cron_fire WHERE sync_job_cron_trigger_id = $1 AND environment_id = $2",
		strings.ToLower(string(id)), string(env))
	if err != nil {
		return fmt.Errorf("delete fires: %w", err)
	}
	return nil
}

// OfStep returns the schedule that a workflow's step made for an account, or nil: a reconnect updates it.
func (h Schedules) OfStep(ctx context.Context, env millrace.EnvironmentID, workflow millrace.WorkflowID, step int64, account millrace.IntegratedAccountID) (*millrace.SyncJobCronTrigger, error) {
	return cronTriggerTable().Find(ctx, h.tx, "environment_id = $1 AND workflow_id = $2 AND workflow_id <> '' AND step_index = $3 AND integrated_account_id = $4"+h.tx.Dialect().ForUpdate(),
		string(env), string(workflow), step, string(account))
}

// OfWorkflow returns some of the schedules that a workflow has made, those behind an id, in the order of their ids, and locks them.
func (h Schedules) OfWorkflow(ctx context.Context, env millrace.EnvironmentID, workflow millrace.WorkflowID, behind millrace.SyncJobCronTriggerID, limit int) ([]millrace.SyncJobCronTrigger, error) {
	return cronTriggerTable().All(ctx, h.tx, "environment_id = $1 AND workflow_id = $2 AND workflow_id <> '' AND id > $3 ORDER BY id LIMIT $4"+h.tx.Dialect().ForUpdate(),
		string(env), string(workflow), string(behind), limit)
}

// FreeSteps takes the schedules of a workflow from the places of their steps, n to -1-n, so that steps can change places.
func (h Schedules) FreeSteps(ctx context.Context, env millrace.EnvironmentID, workflow millrace.WorkflowID) error {
	_, err := h.tx.Exec(ctx, `UPDATE sync_job_cron_trigger SET step_index = -1 - step_index
WHERE environment_id = $1 AND workflow_id = $2 AND workflow_id <> '' AND step_index >= 0`, string(env), string(workflow))
	if err != nil {
		return fmt.Errorf("free steps: %w", err)
	}
	return nil
}

// NextRun returns when the next schedule of any environment is due, 0 when there is none.
func (h Schedules) NextRun(ctx context.Context) (millrace.Time, error) {
	var at millrace.Time
	_, err := h.tx.One(ctx, "SELECT next_run_at FROM sync_job_cron_trigger WHERE next_run_at > 0 ORDER BY next_run_at LIMIT 1", nil, (*int64)(&at))
	if err != nil {
		return 0, fmt.Errorf("find next schedule: %w", err)
	}
	return at, nil
}

// Due returns schedules of all environments but some that are due, the longest overdue first. Those that another
// node is firing are left out.
func (h Schedules) Due(ctx context.Context, now millrace.Time, except []millrace.EnvironmentID, limit int) ([]millrace.SyncJobCronTrigger, error) {
	where, args := "next_run_at > 0 AND next_run_at <= $1", []any{int64(now), limit}
	if len(except) > 0 {
		ids := table.Padded(except)
		where += " AND environment_id NOT IN (" + table.PlaceholdersFrom(3, len(ids)) + ")"
		args = append(args, ids...)
	}
	return cronTriggerTable().All(ctx, h.tx, where+" ORDER BY next_run_at, id LIMIT $2"+h.tx.Dialect().SkipLocked(), args...)
}

// LockAll returns those of the schedules that still exist, and keeps others from changing or firing them until
// the transaction ends. Those that another transaction is firing are left out.
func (h Schedules) LockAll(ctx context.Context, keys []millrace.ScheduleKey) (map[millrace.ScheduleKey]*millrace.SyncJobCronTrigger, error) {
	out := map[millrace.ScheduleKey]*millrace.SyncJobCronTrigger{}
	if len(keys) == 0 {
		return out, nil
	}
	args, wanted := scheduleIDs(keys)
	locked, err := cronTriggerTable().All(ctx, h.tx, "id IN ("+table.Placeholders(len(args))+") ORDER BY next_run_at, id"+h.tx.Dialect().SkipLocked(), args...)
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
	return table.Padded(ids), wanted
}

// Move sets when a schedule is due next; 0: never. Firing is no change of the schedule, so that updated_at
// stays.
func (h Schedules) Move(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID, next millrace.Time) error {
	_, err := h.tx.Exec(ctx, "UPDATE sync_job_cron_trigger SET next_run_at = $3 WHERE id = $1 AND environment_id = $2",
		string(id), string(env), int64(next))
	if err != nil {
		return fmt.Errorf("move schedule: %w", err)
	}
	return nil
}
