package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

func deliveryTable(db *DB) *table[millrace.Delivery] {
	type row = millrace.Delivery
	return &table[row]{
		name: "delivery", what: "webhook delivery", dialect: db.dialect,
		columns: []column[row]{
			text("id", func(v *row) *millrace.DeliveryID { return &v.ID }),
			text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			text("event_id", func(v *row) *millrace.EventID { return &v.EventID }),
			text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			number("sequence", func(v *row) *int64 { return &v.Sequence }),
			text("event", func(v *row) *string { return &v.Event }),
			text("status", func(v *row) *millrace.DeliveryStatus { return &v.Status }),
			text("resource", func(v *row) *string { return &v.Resource }),
			text("method", func(v *row) *string { return &v.Method }),
			number("records", func(v *row) *int64 { return &v.Records }),
			hidden(number("attempts", func(v *row) *int64 { return &v.Attempts })),
			hidden(number("failures", func(v *row) *int64 { return &v.Failures })),
			stamp("next_attempt_at", func(v *row) *millrace.Time { return &v.NextAttemptAt }),
			stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			stamp("delivered_at", func(v *row) *millrace.Time { return &v.DeliveredAt }),
		},
		virtual: map[string]virtual{"attempt_count": {"t.attempts", kindInt}},
		fill:    func(tx *Tx, v *row) { newRow(tx, &v.ID, &v.CreatedAt) },
		touch:   func(tx *Tx, v *row) {},
	}
}

// Delivery returns a webhook delivery of the environment, or an error of KindNotFound.
func (tx *Tx) Delivery(ctx context.Context, env millrace.EnvironmentID, id millrace.DeliveryID) (*millrace.Delivery, error) {
	return tx.db.tables.delivery.get(ctx, tx, env, string(id), "")
}

// ListDeliveries returns one page of the environment's webhook deliveries. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (tx *Tx) ListDeliveries(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Delivery], error) {
	return tx.db.tables.delivery.list(ctx, tx, env, q)
}

// SaveDeliveries writes how far deliveries have come: their status, attempts and times. Those that are gone stay gone.
func (tx *Tx) SaveDeliveries(ctx context.Context, list ...*millrace.Delivery) error {
	if len(list) == 0 {
		return nil
	}
	var rows []string
	var args []any
	for _, v := range list {
		n := len(args)
		rows = append(rows, fmt.Sprintf("(CAST($%d AS TEXT), CAST($%d AS TEXT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT))",
			n+1, n+2, n+3, n+4, n+5, n+6))
		args = append(args, string(v.ID), string(v.Status), v.Attempts, v.Failures, int64(v.NextAttemptAt), int64(v.DeliveredAt))
	}
	_, err := tx.exec(ctx, `WITH v (id, status, attempts, failures, next_attempt_at, delivered_at) AS (VALUES `+strings.Join(rows, ", ")+`)
UPDATE delivery SET status = v.status, attempts = v.attempts, failures = v.failures, next_attempt_at = v.next_attempt_at,
delivered_at = v.delivered_at FROM v WHERE delivery.id = v.id`, args...)
	if err != nil {
		return fmt.Errorf("save deliveries: %w", err)
	}
	return nil
}

// UpdateDelivery writes all of a webhook delivery, or returns an error of KindNotFound.
func (tx *Tx) UpdateDelivery(ctx context.Context, v *millrace.Delivery) error {
	return mustUpdate(ctx, tx, tx.db.tables.delivery, v, string(v.ID))
}
