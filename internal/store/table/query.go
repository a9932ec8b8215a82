package table

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Padded returns ids as arguments, in few different numbers, so that few statements are kept.
func Padded[T ~string](ids []T) []any {
	args := make([]any, 1<<bits.Len(uint(len(ids)-1)))
	for i := range args {
		args[i] = ""
		if i < len(ids) {
			args[i] = string(ids[i])
		}
	}
	return args
}

// Changed turns "no row was changed" into an error of KindNotFound.
func Changed(n int64, err error, what, id string) error {
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	if n == 0 {
		return millrace.NotFound(what, id)
	}
	return nil
}

// Fenced turns "no row was changed" into an error of KindConflict: another slice or pump has taken over, or the row was
// finished meanwhile.
func Fenced(n int64, err error, what, id string) error {
	if err != nil {
		return fmt.Errorf("save %s: %w", what, err)
	}
	if n == 0 {
		return millrace.Errorf(millrace.KindConflict, "%s %s was taken over or ended meanwhile", what, id)
	}
	return nil
}

// ReadIDs returns the ids that a query yields.
func ReadIDs[T ~string](ctx context.Context, tx *sqldb.Tx, query string, args ...any) ([]T, error) {
	var out []T
	err := tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var id string
		err := r.Scan(&id)
		out = append(out, T(id))
		return err
	})
	return out, err
}

// Placeholders returns n placeholders from $1.
func Placeholders(n int) string { return PlaceholdersFrom(1, n) }

// PlaceholdersFrom returns n placeholders, the first with the number first.
func PlaceholdersFrom(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// RowsAtOnce returns how many of so many rows the next statement writes: there are few sizes, so that few statements are kept.
func RowsAtOnce(rows int) int {
	n := 64
	for n > rows {
		n /= 4
	}
	return n
}

// WakeRuns lets the sync job runs that fulfil a condition try again now, and returns the tasks that make them do so. The
// condition is about the table and its args begin at $1.
func WakeRuns(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, where string, args ...any) ([]millrace.Task, error) {
	var tasks []millrace.Task
	err := tx.Each(ctx, "SELECT id, integrated_account_id FROM sync_job_run WHERE "+where+" ORDER BY id", args, func(r sqldb.Rows) error {
		run := millrace.SyncJobRun{EnvironmentID: env}
		err := r.Scan((*string)(&run.ID), (*string)(&run.IntegratedAccountID))
		task := millrace.SliceTask(&run)
		task.Wake = true
		tasks = append(tasks, task)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find runs that wait: %w", err)
	}
	if len(tasks) == 0 {
		return nil, nil
	}
	if _, err := tx.Exec(ctx, "UPDATE sync_job_run SET retry_at = 0 WHERE "+where, args...); err != nil {
		return nil, fmt.Errorf("wake runs: %w", err)
	}
	return tasks, nil
}

// OpenRun is the condition of the status of a sync job run that has not ended.
const OpenRun = "IN ('created', 'running', 'rate_limited')"

// OpenWorkflowRun is the same of a workflow run.
const OpenWorkflowRun = "IN ('created', 'running')"

// Mark is a place among the rows of an environment, which are ordered by age.
type Mark struct {
	At millrace.Time
	ID string
}
