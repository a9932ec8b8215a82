package syncjobs

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/deliveries"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// AddLog adds lines to the log of a sync job run.
func (h SyncJobRuns) AddLog(ctx context.Context, lines []*millrace.RunLog) error {
	for _, l := range lines {
		_, err := h.tx.Exec(ctx, `INSERT INTO run_log (id, environment_id, sync_job_run_id, delivery_id, event, level, node, resource, method, message, detail, created_at)
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
func runLogParts() []table.LogPart {
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
	return []table.LogPart{
		{
			Id: "d.id", Filters: filters("d.webhook_id"),
			Columns: shared + "d.webhook_id, d.records, d.status, '' AS level, '' AS node, '' AS message, '' AS detail",
			From:    "delivery AS d JOIN sync_job_run AS r ON r.id = d.sync_job_run_id AND r.environment_id = d.environment_id WHERE d.environment_id = $1 AND d.sync_job_run_id <> ''",
		},
		{
			Id: "d.id", Filters: filters("r.webhook_id"),
			Columns: shared + "'' AS webhook_id, 0 AS records, '' AS status, d.level, d.node, d.message, d.detail",
			From:    "run_log AS d JOIN sync_job_run AS r ON r.id = d.sync_job_run_id AND r.environment_id = d.environment_id WHERE d.environment_id = $1 AND d.delivery_id = ''",
		},
	}
}

// ListLog returns one page of the log of sync job runs. It returns an error of KindInvalid for a filter or cursor that
// it does not know.
func (h SyncJobRuns) ListLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.RunLogEntry], error) {
	page := millrace.Page[millrace.RunLogEntry]{Result: []millrace.RunLogEntry{}}
	next, err := table.ReadLog(ctx, h.tx, env, q, runLogParts(), func(r sqldb.Rows) (table.LogCursor, int, error) {
		var e millrace.RunLogEntry
		line := millrace.RunLog{EnvironmentID: env}
		err := r.Scan(&e.ID, (*int64)(&e.CreatedAt), (*string)(&e.SyncJobRunID), (*string)(&e.SyncJobID), (*string)(&e.IntegratedAccountID),
			&e.Event, &e.Resource, &e.Method, (*string)(&e.WebhookID), &e.Records, (*string)(&e.Status),
			(*string)(&line.Level), &line.Node, &line.Message, table.DocumentTo(&line.Detail))
		if line.Level != "" {
			line.ID, line.SyncJobRunID, line.CreatedAt = millrace.RunLogID(e.ID), e.SyncJobRunID, e.CreatedAt
			line.Event, line.Resource, line.Method = e.Event, e.Resource, e.Method
			e.Lines = []millrace.RunLog{line}
		}
		page.Result = append(page.Result, e)
		return table.LogCursor{At: e.CreatedAt, ID: e.ID}, len(line.Message) + len(line.Detail), err
	})
	if err != nil {
		return page, fmt.Errorf("list run log: %w", err)
	}
	page.NextCursor = next
	return page, h.completeLog(ctx, env, page.Result)
}

// completeLog adds to deliveries their attempts and the lines that belong to them.
func (h SyncJobRuns) completeLog(ctx context.Context, env millrace.EnvironmentID, entries []millrace.RunLogEntry) error {
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
	err := deliveries.NewDeliveries(h.tx).EachAttempt(ctx, env, ids, func(a millrace.Attempt) {
		e := byID[a.DeliveryID]
		e.Attempts = append(e.Attempts, a)
	})
	if err != nil {
		return err
	}
	err = h.tx.Each(ctx, `SELECT id, delivery_id, event, level, node, resource, method, message, detail, created_at
FROM run_log WHERE delivery_id <> '' AND environment_id = $1 AND delivery_id IN (`+table.PlaceholdersFrom(2, len(ids))+") ORDER BY delivery_id, created_at, id", args, func(r sqldb.Rows) error {
		var l millrace.RunLog
		err := r.Scan((*string)(&l.ID), (*string)(&l.DeliveryID), &l.Event, (*string)(&l.Level), &l.Node, &l.Resource, &l.Method, &l.Message,
			table.DocumentTo(&l.Detail), (*int64)(&l.CreatedAt))
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
func (h Schedules) ListFireLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.CronFire], error) {
	page := millrace.Page[millrace.CronFire]{Result: []millrace.CronFire{}}
	part := table.LogPart{
		Id: "d.id", Filters: map[string]string{"entity_id": "d.sync_job_cron_trigger_id = %s"},
		Columns: cronFireTable().Prefixed("d."), From: "cron_fire AS d WHERE d.environment_id = $1",
	}
	next, err := table.ReadLog(ctx, h.tx, env, q, []table.LogPart{part}, func(r sqldb.Rows) (table.LogCursor, int, error) {
		f := millrace.CronFire{}
		err := r.Scan(cronFireTable().Dests(h.tx, &f)...)
		page.Result = append(page.Result, f)
		return table.LogCursor{At: f.CreatedAt, ID: f.ID}, cronFireTable().Size(&f), err
	})
	if err != nil {
		return page, fmt.Errorf("list fires: %w", err)
	}
	page.NextCursor = next
	return page, nil
}
