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
			hidden(number("run_sequence", func(v *row) *int64 { return &v.RunSequence })),
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

// FreezeDelivery makes a delivery of a run durable before it is sent.
func (tx *Tx) FreezeDelivery(ctx context.Context, f *millrace.FrozenDelivery) error {
	t := tx.db.tables.delivery
	t.fill(tx, &f.Delivery)
	args, err := t.values(&f.Delivery)
	if err != nil {
		return err
	}
	args = append(args, tx.db.pack(f.Body))
	if _, err := tx.exec(ctx, "INSERT INTO delivery ("+t.names()+", body) VALUES ("+placeholders(len(args))+")", args...); err != nil {
		return fmt.Errorf("freeze delivery: %w", err)
	}
	return nil
}

// FrozenDeliveries returns the deliveries of a run that have not been answered yet, in order.
func (tx *Tx) FrozenDeliveries(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) ([]millrace.FrozenDelivery, error) {
	t := tx.db.tables.delivery
	var out []millrace.FrozenDelivery
	query := "SELECT " + t.names() + ", body FROM delivery WHERE status = 'pending' AND sync_job_run_id <> '' AND sync_job_run_id = $1 AND environment_id = $2 ORDER BY run_sequence"
	err := tx.each(ctx, query, []any{string(id), string(env)}, func(r rows) error {
		var f millrace.FrozenDelivery
		var packed []byte
		if err := r.Scan(append(t.dests(&f.Delivery), &packed)...); err != nil {
			return err
		}
		var err error
		f.Body, err = unpack(packed)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read frozen deliveries: %w", err)
	}
	return out, nil
}

// SaveDeliveries writes how far deliveries have come: their status and times, and what was tried. Those that are gone stay
// gone, and so do the bytes of a run's delivery once it is no longer pending.
func (tx *Tx) SaveDeliveries(ctx context.Context, list ...millrace.TriedDelivery) error {
	if len(list) == 0 {
		return nil
	}
	var args []any
	var more []*millrace.Attempt
	for i := range list {
		v := &list[i]
		first := ""
		for k := range v.Tries {
			a := &v.Tries[k]
			if a.CreatedAt == 0 {
				a.CreatedAt = tx.Now()
			}
			if a.Number > 1 {
				more = append(more, a)
				continue
			}
			var err error
			if first, err = encodeAttempt(a); err != nil {
				return err
			}
		}
		args = append(args, string(v.ID), string(v.Status), v.Attempts, v.Failures, int64(v.NextAttemptAt), int64(v.DeliveredAt), first)
	}
	args = append(args, []byte{})
	if _, err := tx.exec(ctx, saveDeliveries(len(list)), args...); err != nil {
		return fmt.Errorf("save deliveries: %w", err)
	}
	return tx.insertAttempts(ctx, more)
}

// saveDeliveries returns the statement that writes n deliveries. Its last value are the bytes of one that was answered: none.
func saveDeliveries(n int) string {
	const set = `UPDATE delivery SET status = %[1]s, attempts = %[2]s, failures = %[3]s, next_attempt_at = %[4]s, delivered_at = %[5]s,
first_attempt = CASE WHEN %[6]s = '' THEN delivery.first_attempt ELSE %[6]s END,
body = CASE WHEN %[1]s = 'pending' THEN delivery.body ELSE %[7]s END `
	none := fmt.Sprintf("$%d", n*7+1)
	if n == 1 {
		return fmt.Sprintf(set, "CAST($2 AS TEXT)", "$3", "$4", "$5", "$6", "CAST($7 AS TEXT)", none) + "WHERE id = $1"
	}
	rows := make([]string, n)
	for i := range rows {
		k := i * 7
		rows[i] = fmt.Sprintf("(CAST($%d AS TEXT), CAST($%d AS TEXT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS TEXT))",
			k+1, k+2, k+3, k+4, k+5, k+6, k+7)
	}
	return "WITH v (id, status, attempts, failures, next_attempt_at, delivered_at, first_attempt) AS (VALUES " + strings.Join(rows, ", ") + ")\n" +
		fmt.Sprintf(set, "v.status", "v.attempts", "v.failures", "v.next_attempt_at", "v.delivered_at", "v.first_attempt", none) +
		"FROM v WHERE delivery.id = v.id"
}

// UpdateDelivery writes all of a webhook delivery, or returns an error of KindNotFound.
func (tx *Tx) UpdateDelivery(ctx context.Context, v *millrace.Delivery) error {
	return mustUpdate(ctx, tx, tx.db.tables.delivery, v, string(v.ID))
}
