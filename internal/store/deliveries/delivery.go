package deliveries

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Deliveries are the deliveries with what was tried for them.
type Deliveries struct{ tx *sqldb.Tx }

// NewDeliveries returns the handle of the deliveries with what was tried for them.
func NewDeliveries(tx *sqldb.Tx) Deliveries { return Deliveries{tx} }

var deliveryTable = sync.OnceValue(func() *table.Table[millrace.Delivery] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.Delivery
	return &table.Table[row]{
		Name: "delivery", What: "webhook delivery",
		Status: table.NewMachine("delivery", "webhook delivery", millrace.DeliveryStatuses()),
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.DeliveryID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("webhook_id", func(v *row) *millrace.WebhookID { return &v.WebhookID }),
			table.Text("event_id", func(v *row) *millrace.EventID { return &v.EventID }),
			table.Text("sync_job_run_id", func(v *row) *millrace.SyncJobRunID { return &v.SyncJobRunID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Number("sequence", func(v *row) *int64 { return &v.Sequence }),
			table.Hidden(table.Number("run_sequence", func(v *row) *int64 { return &v.RunSequence })),
			table.Text("event", func(v *row) *string { return &v.Event }),
			table.Text("status", func(v *row) *millrace.DeliveryStatus { return &v.Status }),
			table.Text("resource", func(v *row) *string { return &v.Resource }),
			table.Text("method", func(v *row) *string { return &v.Method }),
			table.Number("records", func(v *row) *int64 { return &v.Records }),
			table.Hidden(table.Number("attempts", func(v *row) *int64 { return &v.Attempts })),
			table.Hidden(table.Number("failures", func(v *row) *int64 { return &v.Failures })),
			table.Stamp("next_attempt_at", func(v *row) *millrace.Time { return &v.NextAttemptAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("delivered_at", func(v *row) *millrace.Time { return &v.DeliveredAt }),
		},
		Virtual: map[string]table.Virtual{"attempt_count": table.Computed("t.attempts", table.KindInt)},
		Fill:    func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch:   func(tx *sqldb.Tx, v *row) {},
	}
})

// Get returns a webhook delivery of the environment, or an error of KindNotFound.
func (h Deliveries) Get(ctx context.Context, env millrace.EnvironmentID, id millrace.DeliveryID) (*millrace.Delivery, error) {
	return deliveryTable().Get(ctx, h.tx, env, string(id), "")
}

// List returns one page of the environment's webhook deliveries. It returns an error of KindInvalid for a field, operator or
// cursor that it does not know.
func (h Deliveries) List(ctx context.Context, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[millrace.Delivery], error) {
	return deliveryTable().List(ctx, h.tx, env, q)
}

// Freeze makes a delivery of a run durable before it is sent.
func (h Deliveries) Freeze(ctx context.Context, f *millrace.FrozenDelivery) error {
	t := deliveryTable()
	t.Fill(h.tx, &f.Delivery)
	args, err := t.Values(h.tx, &f.Delivery)
	if err != nil {
		return err
	}
	args = append(args, h.tx.Pack(f.Body))
	if _, err := h.tx.Exec(ctx, "INSERT INTO delivery ("+t.Names()+", body) VALUES ("+table.Placeholders(len(args))+")", args...); err != nil {
		return fmt.Errorf("freeze delivery: %w", err)
	}
	return nil
}

// Frozen returns the deliveries of a run that are still to be delivered, in order.
func (h Deliveries) Frozen(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID) ([]millrace.FrozenDelivery, error) {
	t := deliveryTable()
	var out []millrace.FrozenDelivery
	query := "SELECT " + t.Names() + ", body FROM delivery WHERE status = 'pending' AND sync_job_run_id <> '' AND sync_job_run_id = $1 AND environment_id = $2 ORDER BY run_sequence"
	err := h.tx.Each(ctx, query, []any{string(id), string(env)}, func(r sqldb.Rows) error {
		var f millrace.FrozenDelivery
		var packed []byte
		if err := r.Scan(append(t.Dests(h.tx, &f.Delivery), &packed)...); err != nil {
			return err
		}
		var err error
		f.Body, err = sqldb.Unpack(packed)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read frozen deliveries: %w", err)
	}
	return out, nil
}

// Save writes how far deliveries have come: their status and times, and what was tried. Those that are gone stay
// gone, and so do the bytes of a run's delivery once it is no longer pending.
func (h Deliveries) Save(ctx context.Context, list ...millrace.TriedDelivery) error {
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
				a.CreatedAt = h.tx.Now()
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
	n, err := h.tx.Exec(ctx, saveDeliveries(len(list)), args...)
	if err != nil {
		return fmt.Errorf("save deliveries: %w", err)
	}
	for i := range list {
		if v := &list[i]; n < int64(len(list)) { // some are gone, or in a state that does not lead to the new one
			if err := deliveryTable().Status.Reason(ctx, h.tx, v.EnvironmentID, string(v.ID), string(v.Status)); err != nil {
				return err
			}
		}
	}
	return h.insertAttempts(ctx, more)
}

// saveDeliveries returns the statement that writes n deliveries. Its last value is the body after delivery: none.
func saveDeliveries(n int) string {
	const set = `UPDATE delivery SET status = %[1]s, attempts = %[2]s, failures = %[3]s, next_attempt_at = %[4]s, delivered_at = %[5]s,
first_attempt = CASE WHEN %[6]s = '' THEN delivery.first_attempt ELSE %[6]s END,
body = CASE WHEN %[1]s = 'pending' THEN delivery.body ELSE %[7]s END `
	none, may := fmt.Sprintf("$%d", n*7+1), deliveryTable().Status.May
	if n == 1 {
		return fmt.Sprintf(set, "CAST($2 AS TEXT)", "$3", "$4", "$5", "$6", "CAST($7 AS TEXT)", none) + "WHERE id = $1 AND " + may("delivery.status", "CAST($2 AS TEXT)")
	}
	rows := make([]string, n)
	for i := range rows {
		k := i * 7
		rows[i] = fmt.Sprintf("(CAST($%d AS TEXT), CAST($%d AS TEXT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS TEXT))",
			k+1, k+2, k+3, k+4, k+5, k+6, k+7)
	}
	return "WITH v (id, status, attempts, failures, next_attempt_at, delivered_at, first_attempt) AS (VALUES " + strings.Join(rows, ", ") + ")\n" +
		fmt.Sprintf(set, "v.status", "v.attempts", "v.failures", "v.next_attempt_at", "v.delivered_at", "v.first_attempt", none) +
		"FROM v WHERE delivery.id = v.id AND " + may("delivery.status", "v.status")
}

// Update writes all of a webhook delivery, or returns an error of KindNotFound.
func (h Deliveries) Update(ctx context.Context, v *millrace.Delivery) error {
	return table.MustUpdate(ctx, h.tx, deliveryTable(), v, string(v.ID))
}
