package syncjobs

import (
	"context"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

var cronFireTable = sync.OnceValue(func() *table.Table[millrace.CronFire] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.CronFire
	return &table.Table[row]{
		Name: "cron_fire", What: "fire",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *string { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("sync_job_cron_trigger_id", func(v *row) *millrace.SyncJobCronTriggerID { return &v.CronTriggerID }),
			table.Stamp("due_at", func(v *row) *millrace.Time { return &v.DueAt }),
			table.Stamp("last_due_at", func(v *row) *millrace.Time { return &v.LastDueAt }),
			table.Number("instants", func(v *row) *int64 { return &v.Instants }),
			table.Text("outcome", func(v *row) *millrace.FireOutcome { return &v.Outcome }),
			table.Text("reason", func(v *row) *string { return &v.Reason }),
			table.Text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			// The id follows from the key.
			v.ID = millrace.DeriveID[string]("fire", string(v.CronTriggerID), v.DueAt.String(), string(v.EnvironmentID))
			if v.CreatedAt == 0 {
				v.CreatedAt = tx.Now()
			}
			v.Instants = max(v.Instants, 1)
			v.LastDueAt = max(v.LastDueAt, v.DueAt)
		},
	}
})

// CreateFire records a due instant of a schedule and reports whether it was not there yet: the pair is the key that
// keeps an instant from running twice.
func (h Schedules) CreateFire(ctx context.Context, f *millrace.CronFire) (bool, error) {
	return cronFireTable().InsertNew(ctx, h.tx, f)
}

// ListFires returns one page of the fires of a schedule, the newest first unless the query says otherwise. It returns
// an error of KindInvalid for a field, operator or cursor that it does not know.
func (h Schedules) ListFires(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobCronTriggerID, q millrace.Query) (millrace.Page[millrace.CronFire], error) {
	if len(q.Sort) == 0 {
		q.Sort = []millrace.Sort{{Field: "due_at", Desc: true}}
	}
	q.Filters = append([]millrace.Filter{{Field: "sync_job_cron_trigger_id", Op: millrace.OpEq, Values: []string{string(id)}}}, q.Filters...)
	return cronFireTable().List(ctx, h.tx, env, q)
}

// OpenOfSchedules returns the runs of schedules that have not ended, the oldest first, with their status.
func (h SyncJobRuns) OpenOfSchedules(ctx context.Context, keys []millrace.ScheduleKey) (map[millrace.ScheduleKey][]millrace.SyncJobRun, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // no schedule, no runs
	}
	args, wanted := scheduleIDs(keys)
	out := map[millrace.ScheduleKey][]millrace.SyncJobRun{}
	err := h.tx.Each(ctx, `SELECT id, environment_id, sync_job_cron_trigger_id, status FROM sync_job_run
WHERE sync_job_cron_trigger_id IN (`+table.Placeholders(len(args))+`) AND sync_job_cron_trigger_id <> '' AND status `+table.OpenRun+`
ORDER BY created_at, id`, args, func(r sqldb.Rows) error {
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
