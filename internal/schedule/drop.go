package schedule

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Drop deletes the schedules that name something that is gone, since they could only fail from now on.
func Drop(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, field, id string) error {
	query := millrace.Query{Filters: []millrace.Filter{{Field: field, Op: millrace.OpEq, Values: []string{id}}}}
	for {
		page, err := tx.Schedules().List(ctx, env, query)
		if err != nil || len(page.Result) == 0 {
			return err
		}
		for _, schedule := range page.Result {
			if err := tx.Schedules().Delete(ctx, env, schedule.ID); err != nil {
				return err
			}
		}
	}
}
