package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// InsertRunLog adds lines to the log of a sync job run.
func (tx *Tx) InsertRunLog(ctx context.Context, lines []*millrace.RunLog) error {
	for _, l := range lines {
		_, err := tx.exec(ctx, `INSERT INTO run_log (id, environment_id, sync_job_run_id, delivery_id, event, level, node, resource, method, message, detail, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, string(l.ID), string(l.EnvironmentID), string(l.SyncJobRunID), string(l.DeliveryID),
			l.Event, string(l.Level), l.Node, l.Resource, l.Method, l.Message, string(l.Detail), int64(l.CreatedAt))
		if err != nil {
			return fmt.Errorf("insert run log: %w", err)
		}
	}
	return nil
}

// runLogParts are the rows that the log of sync job runs is made of: the deliveries of runs, and the lines that belong to
// none.
func runLogParts() []logPart {
	filters := func(webhook string) map[string]string {
		return map[string]string{
			"sync_job_run_id":       "d.sync_job_run_id = %s",
			"sync_job_id":           "r.sync_job_id = %s",
			"sync_job_run_event":    "d.event = %s",
			"integrated_account_id": "r.integrated_account_id = %s",
			"webhook_id":            webhook + " = %s",
			"integration": `r.integrated_account_id IN (SELECT a.id FROM integrated_account AS a
JOIN environment_integration AS e ON e.id = a.environment_integration_id AND e.environment_id = a.environment_id
JOIN integration AS i ON i.id = e.integration_id AND i.environment_id = e.environment_id WHERE a.environment_id = $1 AND i.name = %s)`,
		}
	}
	const shared = "d.id AS id, d.created_at AS created_at, d.sync_job_run_id, r.sync_job_id, r.integrated_account_id, d.event, d.resource, d.method, "
	return []logPart{
		{
			id: "d.id", filters: filters("d.webhook_id"),
			columns: shared + "d.webhook_id, d.records, d.status, '' AS level, '' AS node, '' AS message, '' AS detail",
			from:    "delivery AS d JOIN sync_job_run AS r ON r.id = d.sync_job_run_id AND r.environment_id = d.environment_id WHERE d.environment_id = $1 AND d.sync_job_run_id <> ''",
		},
		{
			id: "d.id", filters: filters("r.webhook_id"),
			columns: shared + "'' AS webhook_id, 0 AS records, '' AS status, d.level, d.node, d.message, d.detail",
			from:    "run_log AS d JOIN sync_job_run AS r ON r.id = d.sync_job_run_id AND r.environment_id = d.environment_id WHERE d.environment_id = $1 AND d.delivery_id = ''",
		},
	}
}

// ListRunLog returns one page of the log of sync job runs. It returns an error of KindInvalid for a filter or cursor that
// it does not know.
func (tx *Tx) ListRunLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.RunLogEntry], error) {
	page := millrace.Page[millrace.RunLogEntry]{Result: []millrace.RunLogEntry{}}
	next, err := tx.readLog(ctx, env, q, runLogParts(), func(r rows) (logCursor, int, error) {
		var e millrace.RunLogEntry
		line := millrace.RunLog{EnvironmentID: env}
		err := r.Scan(&e.ID, (*int64)(&e.CreatedAt), (*string)(&e.SyncJobRunID), (*string)(&e.SyncJobID), (*string)(&e.IntegratedAccountID),
			&e.Event, &e.Resource, &e.Method, (*string)(&e.WebhookID), &e.Records, (*string)(&e.Status),
			(*string)(&line.Level), &line.Node, &line.Message, &documentDest{&line.Detail})
		if line.Level != "" {
			line.ID, line.SyncJobRunID, line.CreatedAt = millrace.RunLogID(e.ID), e.SyncJobRunID, e.CreatedAt
			line.Event, line.Resource, line.Method = e.Event, e.Resource, e.Method
			e.Lines = []millrace.RunLog{line}
		}
		page.Result = append(page.Result, e)
		return logCursor{e.CreatedAt, e.ID}, len(line.Message) + len(line.Detail), err
	})
	if err != nil {
		return page, fmt.Errorf("list run log: %w", err)
	}
	page.NextCursor = next
	return page, tx.completeRunLog(ctx, env, page.Result)
}

// completeRunLog adds to deliveries their attempts and the lines that belong to them.
func (tx *Tx) completeRunLog(ctx context.Context, env millrace.EnvironmentID, entries []millrace.RunLogEntry) error {
	byID := map[millrace.DeliveryID]*millrace.RunLogEntry{}
	var ids []millrace.DeliveryID
	args := []any{string(env)}
	for i := range entries {
		if e := &entries[i]; e.Status != "" {
			id := millrace.DeliveryID(e.ID)
			byID[id], ids, args = e, append(ids, id), append(args, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	err := tx.eachAttempt(ctx, env, ids, func(a millrace.Attempt) {
		e := byID[a.DeliveryID]
		e.Attempts = append(e.Attempts, a)
	})
	if err != nil {
		return err
	}
	err = tx.each(ctx, `SELECT id, delivery_id, event, level, node, resource, method, message, detail, created_at
FROM run_log WHERE delivery_id <> '' AND environment_id = $1 AND delivery_id IN (`+placeholdersFrom(2, len(ids))+") ORDER BY delivery_id, created_at, id", args, func(r rows) error {
		var l millrace.RunLog
		err := r.Scan((*string)(&l.ID), (*string)(&l.DeliveryID), &l.Event, (*string)(&l.Level), &l.Node, &l.Resource, &l.Method, &l.Message,
			&documentDest{&l.Detail}, (*int64)(&l.CreatedAt))
		e := byID[l.DeliveryID]
		e.Lines = append(e.Lines, l)
		return err
	})
	if err != nil {
		return fmt.Errorf("read run log: %w", err)
	}
	return nil
}

// ListFireLog returns one page of the fires of all schedules. It returns an error of KindInvalid for a filter or cursor
// that it does not know.
func (tx *Tx) ListFireLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.CronFire], error) {
	page := millrace.Page[millrace.CronFire]{Result: []millrace.CronFire{}}
	part := logPart{
		id: "d.id", filters: map[string]string{"entity_id": "d.sync_job_cron_trigger_id = %s"},
		columns: prefixed("d.", tx.db.tables.cronFire.columns), from: "cron_fire AS d WHERE d.environment_id = $1",
	}
	next, err := tx.readLog(ctx, env, q, []logPart{part}, func(r rows) (logCursor, int, error) {
		f := millrace.CronFire{}
		err := r.Scan(tx.db.tables.cronFire.dests(&f)...)
		page.Result = append(page.Result, f)
		return logCursor{f.CreatedAt, f.ID}, tx.db.tables.cronFire.size(&f), err
	})
	if err != nil {
		return page, fmt.Errorf("list fires: %w", err)
	}
	page.NextCursor = next
	return page, nil
}
