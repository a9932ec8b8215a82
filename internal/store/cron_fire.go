package store

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/millrace/millrace"
)

func cronFireTable(db *DB) *table[millrace.CronFire] {
	type row = millrace.CronFire
	return &table[row]{
		name: "cron_fire", what: "fire", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *string { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("sync_job_cron_trigger_id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.CronTriggerID }),
			stamp("due_at", func(v *row) *millrace.Time { return &v.DueAt }),
			stamp("last_due_at", func(v *row) *millrace.Time { return &v.LastDueAt }),
			number("instants", func(v *row) *int64 { return &v.Instants }),
			text("outcome", func(v *row) *millrace.FireOutcome { return &v.Outcome }),
			text("reason", func(v *row) *string { return &v.Reason }),
			text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		fill: func(tx *Tx, v *row) {
			// The id follows from the key.
			v.ID = millrace.DeriveID[string]("fire", string(v.CronTriggerID), v.DueAt.String(), string(v.EnvironmentID))
			if v.CreatedAt == 0 {
				v.CreatedAt = tx.Now()
			}
			v.Instants = max(v.Instants, 1)
			v.LastDueAt = max(v.LastDueAt, v.DueAt)
		},
	}
}

// InsertFire records a due instant of a schedule and reports whether it was not there yet: the pair is the key that
// keeps an instant from running twice.
func (tx *Tx) InsertFire(ctx context.Context, f *millrace.CronFire) (bool, error) {
	return tx.db.tables.cronFire.insertNew(ctx, tx, f)
}

// ListFires returns one page of the fires of a schedule, the newest first unless the query says otherwise. It returns
// an error of KindInvalid for a field, operator or cursor that it does not know.
func (tx *Tx) ListFires(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID, q millrace.Query) (millrace.Page[millrace.CronFire], error) {
	if len(q.Sort) == 0 {
		q.Sort = []millrace.Sort{{Field: "due_at", Desc: true}}
	}
	q.Filters = append([]millrace.Filter{{Field: "sync_job_cron_trigger_id", Op: millrace.OpEq, Values: []string{string(id)}}}, q.Filters...)
	return tx.db.tables.cronFire.list(ctx, tx, env, q)
}

// OpenScheduleRuns returns the runs of schedules that have not ended, the oldest first, with their status.
func (tx *Tx) OpenScheduleRuns(ctx context.Context, keys []millrace.ScheduleKey) (map[millrace.ScheduleKey][]millrace.SyncJobRun, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // no schedule, no runs
	}
	args, wanted := scheduleIDs(keys)
	out := map[millrace.ScheduleKey][]millrace.SyncJobRun{}
	err := tx.each(ctx, `SELECT id, environment_id, sync_job_cron_trigger_id, status FROM sync_job_run
WHERE sync_job_cron_trigger_id IN (`+placeholders(len(args))+`) AND sync_job_cron_trigger_id <> '' AND status IN ('created', 'running', 'rate_limited')
ORDER BY created_at, id`, args, func(r rows) error {
		var v millrace.SyncJobRun
		if err := r.Scan((*string)(&v.ID), (*string)(&v.EnvironmentID), (*string)(&v.SyncJobCronTriggerID), (*string)(&v.Status)); err != nil {
			return err
		}
		if k := (millrace.ScheduleKey{Environment: v.EnvironmentID, ID: v.SyncJobCronTriggerID}); wanted[k] {
			out[k] = append(out[k], v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find runs of schedules: %w", err)
	}
	return out, nil
}

// padded returns ids as arguments, in few different numbers, so that few statements are kept.
func padded[T ~string](ids []T) []any {
	args := make([]any, 1<<bits.Len(uint(len(ids)-1)))
	for i := range args {
		args[i] = ""
		if i < len(ids) {
			args[i] = string(ids[i])
		}
	}
	return args
}
