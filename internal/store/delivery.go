package store

import (
	"context"

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

// UpdateDelivery writes all of a webhook delivery, or returns an error of KindNotFound.
func (tx *Tx) UpdateDelivery(ctx context.Context, v *millrace.Delivery) error {
	return mustUpdate(ctx, tx, tx.db.tables.delivery, v, string(v.ID))
}
