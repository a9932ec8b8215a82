package upkeep

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// maxOpenWork bounds how many rows of a kind one reconcile pass wakes; the next pass wakes the rest.
const maxOpenWork = 10_000

// openWork is one statement, so that it sees one moment: work that moves from one stage to the next while several
// statements look would be seen by none of them. Of the workflow runs that wait for a slot, only the first of each line is
// looked at; a run that holds a slot although it has ended may leave it.
const openWork = `SELECT kind, id, env, account FROM (SELECT 'match' AS kind, id, environment_id AS env, '' AS account FROM event_batch ORDER BY created_at LIMIT $1) AS a
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'inbound' AS kind, batch_id AS id, MIN(environment_id) AS env FROM inbound_hook
WHERE status = 'accepted' GROUP BY batch_id LIMIT $1) AS e
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'workflow' AS kind, id, environment_id AS env FROM workflow_run WHERE status ` + table.OpenWorkflowRun + `
AND waiting <> 'concurrency' AND run_at <= $2 ORDER BY created_at LIMIT $1) AS b
UNION ALL SELECT kind, id, env, account FROM (SELECT 'slice' AS kind, environment_id || '/' || id AS id, environment_id AS env, integrated_account_id AS account FROM sync_job_run
WHERE status ` + table.OpenRun + ` AND waiting_for = '' ORDER BY created_at LIMIT $1) AS c
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'pump' AS kind, environment_id || '/' || id AS id, environment_id AS env FROM webhook WHERE is_active = TRUE AND (sent_sequence < next_sequence OR EXISTS (
SELECT 1 FROM delivery WHERE webhook_id = webhook.id AND environment_id = webhook.environment_id AND status = 'pending' AND next_attempt_at > 0)) ORDER BY webhook.id LIMIT $1) AS d
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'workflow' AS kind, id, environment_id AS env FROM workflow_run AS w WHERE slot > 0 AND slot = 1 AND waiting = 'concurrency' AND NOT EXISTS (
SELECT 1 FROM workflow_run AS a WHERE a.concurrency_key = w.concurrency_key AND a.environment_id = w.environment_id AND a.slot > 0 AND a.slot = 1 AND a.waiting = 'concurrency'
AND (a.created_at < w.created_at OR a.created_at = w.created_at AND a.id < w.id)) ORDER BY created_at LIMIT $1) AS g
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'workflow' AS kind, id, environment_id AS env FROM workflow_run WHERE slot > 0 AND slot = 2 AND status NOT ` + table.OpenWorkflowRun + `
ORDER BY created_at LIMIT $1) AS f
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'erase' AS kind, id, environment_id AS env FROM erasure WHERE not_before <= $2 ORDER BY created_at LIMIT $1) AS h
UNION ALL SELECT kind, id, env, account FROM (SELECT 'refresh' AS kind, environment_id || '/' || id AS id, environment_id AS env, id AS account FROM account_grant
WHERE refresh_at > 0 AND refresh_at <= $2 ORDER BY refresh_at LIMIT $1) AS j
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'erase' AS kind, 'environment/' || id AS id, '' AS env FROM environment WHERE deleting_at > 0 ORDER BY created_at LIMIT $1) AS i
UNION ALL SELECT kind, id, env, account FROM (SELECT 'connect' AS kind, environment_id || '/' || id AS id, environment_id AS env, id AS account FROM integrated_account
WHERE status = 'connecting' AND connection <> '' ORDER BY created_at LIMIT $1) AS k
UNION ALL SELECT kind, id, env, account FROM (SELECT 'disconnect' AS kind, environment_id || '/' || id AS id, environment_id AS env, integrated_account_id AS account FROM disconnection
WHERE retry_at <= $2 ORDER BY retry_at LIMIT $1) AS l
UNION ALL SELECT kind, id, env, account FROM (SELECT 'action' AS kind, environment_id || '/' || id AS id, environment_id AS env, id AS account FROM integrated_account
WHERE action_at > 0 AND action_at <= $2 ORDER BY action_at LIMIT $1) AS m
UNION ALL SELECT kind, id, env, '' FROM (SELECT 'redeliver' AS kind, environment_id || '/' || id AS id, environment_id AS env FROM webhook_redelivery
WHERE status = 'running' ORDER BY webhook_id LIMIT $1) AS n`

// Open returns a task for every row that has work to do, whether or not such a task is live.
func (h Tasks) Open(ctx context.Context) ([]millrace.Task, error) {
	var out []millrace.Task
	err := h.tx.Each(ctx, openWork, []any{maxOpenWork, int64(h.tx.Now())}, func(r sqldb.Rows) error {
		var t millrace.Task
		err := r.Scan((*string)(&t.Kind), &t.Key, (*string)(&t.Environment), (*string)(&t.Account))
		t.Wake = t.Kind == millrace.TaskAction // its schedule may have changed while it waits for later
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find open work: %w", err)
	}
	return out, nil
}

// Rescope replaces a task that an earlier version stored, whose key names no environment. It must be called by the handler
// of the task.
func (h Tasks) Rescope(ctx context.Context, kind millrace.TaskKind, id string) error {
	name := "webhook"
	if kind == millrace.TaskSlice {
		name = "sync_job_run"
	}
	environments, err := table.ReadIDs[millrace.EnvironmentID](ctx, h.tx, "SELECT environment_id FROM "+name+" WHERE id = $1", id)
	if err != nil {
		return fmt.Errorf("find environment of a task: %w", err)
	}
	for _, env := range environments {
		if err := h.tx.Enqueue(ctx, millrace.Task{Kind: kind, Key: millrace.TaskKey(env, id), Environment: env}); err != nil {
			return err
		}
	}
	return h.tx.Finish(ctx)
}

// HasJob reports whether a queue of River on SQLite has a job that is ready to be worked. It is for the queue.
func (h Tasks) HasJob(ctx context.Context, queue string) (bool, error) {
	var one int64
	found, err := h.tx.One(ctx, `SELECT 1 FROM river_job WHERE state = 'available' AND queue = $1 AND priority >= 0
AND scheduled_at <= datetime('now', 'subsec') LIMIT 1`, []any{queue}, &one)
	if err != nil {
		return false, fmt.Errorf("look for tasks: %w", err)
	}
	return found, nil
}

// HastenJob makes a River job that waits for later available now. One that runs is marked instead: it may have read already what
// the caller has changed, and must not wait after that. See [HastenMarked]. It is for the queue.
func (h Tasks) HastenJob(ctx context.Context, id int64) error {
	// created_at is in the past on either database, whatever form it stores times in.
	n, err := h.tx.Exec(ctx, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE id = $1 AND state IN ('scheduled', 'retryable', 'available')", id)
	if err == nil && n == 0 {
		_, err = h.tx.Exec(ctx, "UPDATE river_job SET metadata = "+h.tx.Dialect().MarkJob()+" WHERE id = $1 AND state = 'running'", id)
	}
	if err != nil {
		return fmt.Errorf("hasten task: %w", err)
	}
	return nil
}

// HastenMarked runs HastenMarked for all jobs. It is for the queue.
func (h Tasks) HastenMarked(ctx context.Context) error {
	hasten, args := HastenMarked(h.tx.Dialect(), nil)
	if _, err := h.tx.Exec(ctx, hasten, args...); err != nil {
		return fmt.Errorf("hasten tasks: %w", err)
	}
	return nil
}

// HastenMarked is a statement that makes those of some River jobs available now that were to be hastened while they ran; of all jobs
// when none are named. It is for the queue, which runs it after River has written that they wait.
func HastenMarked(d sqldb.Dialect, jobs []int64) (string, []any) {
	args := make([]any, len(jobs))
	for i, id := range jobs {
		args[i] = id
	}
	some := ""
	if len(jobs) > 0 {
		some = "id IN (" + table.Placeholders(len(jobs)) + ") AND "
	}
	return "UPDATE river_job SET state = 'available', scheduled_at = created_at, metadata = " + d.UnmarkJob() +
		" WHERE " + some + "state IN ('scheduled', 'retryable', 'available') AND " + d.Marked(), args
}
