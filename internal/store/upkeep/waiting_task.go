package upkeep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Tasks are the tasks: those that wait in line, and those of the queue.
type Tasks struct{ tx *sqldb.Tx }

// NewTasks returns the handle of the tasks: those that wait in line, and those of the queue.
func NewTasks(tx *sqldb.Tx) Tasks { return Tasks{tx} }

// WaitingTask is a task that waits in the line of its environment until the queue has a worker for it. It is for the queue.
type WaitingTask struct {
	millrace.Task
	Turn int64 // the lowest is the next

	id int64
}

// PutInLine adds tasks to the lines of their environments. One that waits already keeps its place.
func (h Tasks) PutInLine(ctx context.Context, tasks []WaitingTask) error {
	const columns, rowsAtOnce = 7, 500
	tasks = unique(tasks)
	for some := range slices.Chunk(tasks, rowsAtOnce) {
		args := make([]any, 0, columns*len(some))
		values := make([]string, len(some))
		for i, t := range some {
			values[i] = "(" + table.PlaceholdersFrom(len(args)+1, columns) + ")"
			args = append(args, string(t.Kind), t.Key, string(t.Environment), string(t.Account), t.Turn, t.Wake, t.Traceparent)
		}
		// A row that is there is locked by the update, so that it is not taken before what the task is about has been committed.
		_, err := h.tx.Exec(ctx, "INSERT INTO waiting_task (kind, task_key, environment_id, integrated_account_id, turn, wake, traceparent) VALUES "+
			strings.Join(values, ", ")+" ON CONFLICT (kind, task_key) DO UPDATE SET wake = waiting_task.wake OR excluded.wake", args...)
		if err != nil {
			return fmt.Errorf("put tasks in line: %w", err)
		}
	}
	return nil
}

// unique returns tasks in the order in which transactions lock their rows, each of them once.
func unique(tasks []WaitingTask) []WaitingTask {
	slices.SortFunc(tasks, func(a, b WaitingTask) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Turn, b.Turn))
	})
	out := tasks[:0]
	for _, t := range tasks {
		if n := len(out); n > 0 && out[n-1].Kind == t.Kind && out[n-1].Key == t.Key {
			out[n-1].Wake = out[n-1].Wake || t.Wake
			continue
		}
		out = append(out, t)
	}
	return out
}

// TakeWaiting removes the next tasks from the line of an environment, leaving out those that another transaction has locked.
func (h Tasks) TakeWaiting(ctx context.Context, kind millrace.TaskKind, env millrace.EnvironmentID, n int) ([]WaitingTask, error) {
	var out []WaitingTask
	err := h.tx.Each(ctx, `DELETE FROM waiting_task WHERE id IN (SELECT id FROM waiting_task WHERE kind = $1 AND environment_id = $2
ORDER BY turn, id LIMIT $3`+h.tx.Dialect().SkipLocked()+`) RETURNING id, task_key, integrated_account_id, turn, wake, traceparent`,
		[]any{string(kind), string(env), n}, func(r sqldb.Rows) error {
			t := WaitingTask{Task: millrace.Task{Kind: kind, Environment: env}}
			err := r.Scan(&t.id, &t.Key, (*string)(&t.Account), &t.Turn, &t.Wake, &t.Traceparent)
			out = append(out, t)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("take tasks from the line: %w", err)
	}
	slices.SortFunc(out, func(a, b WaitingTask) int { return cmp.Or(cmp.Compare(a.Turn, b.Turn), cmp.Compare(a.id, b.id)) })
	return out, nil
}

// Lines returns the kind and environment of every line.
func (h Tasks) Lines(ctx context.Context) ([]millrace.Task, error) {
	var out []millrace.Task
	err := h.tx.Each(ctx, "SELECT DISTINCT kind, environment_id FROM waiting_task", nil, func(r sqldb.Rows) error {
		var t millrace.Task
		err := r.Scan((*string)(&t.Kind), (*string)(&t.Environment))
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find lines: %w", err)
	}
	return out, nil
}

// CountWaiting returns how many tasks of each kind wait in line, of one environment.
func (h Tasks) CountWaiting(ctx context.Context, env millrace.EnvironmentID) (map[millrace.TaskKind]int64, error) {
	out := map[millrace.TaskKind]int64{}
	err := h.tx.Each(ctx, "SELECT kind, COUNT(*) FROM waiting_task WHERE environment_id = $1 GROUP BY kind", []any{string(env)},
		count(func(kind string, n int64) { out[millrace.TaskKind(kind)] = n }))
	if err != nil {
		return nil, fmt.Errorf("count tasks in line: %w", err)
	}
	return out, nil
}

// NotReady returns which of some jobs of River neither run nor may be worked now.
func (h Tasks) NotReady(ctx context.Context, jobs []int64) ([]int64, error) {
	const atOnce = 500
	ready := map[int64]bool{}
	for some := range slices.Chunk(jobs, atOnce) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		err := h.tx.Each(ctx, "SELECT id FROM river_job WHERE id IN ("+table.Placeholders(len(args))+") AND state IN ('available', 'running')", args, func(r sqldb.Rows) error {
			var id int64
			err := r.Scan(&id)
			ready[id] = true
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look at jobs: %w", err)
		}
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(id int64) bool { return ready[id] }), nil
}
