package store

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
)

// ListDeliveryLog returns one page of all deliveries of an environment with their attempts. It returns an error of
// KindInvalid for a filter or cursor that it does not know.
func (tx *Tx) ListDeliveryLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.TriedDelivery], error) {
	page := millrace.Page[millrace.TriedDelivery]{Result: []millrace.TriedDelivery{}}
	part := logPart{
		id: "d.id", columns: prefixed("d.", tx.db.tables.delivery.columns), from: "delivery AS d WHERE d.environment_id = $1",
		filters: map[string]string{
			"webhook_id": "d.webhook_id = %s", "event": "d.event = %s", "status": "d.status = %s",
			"integrated_account_id": "d.integrated_account_id = %s",
		},
	}
	var ids []millrace.DeliveryID
	next, err := tx.readLog(ctx, env, q, []logPart{part}, func(r rows) (logCursor, int, error) {
		var d millrace.TriedDelivery
		err := r.Scan(tx.db.tables.delivery.dests(&d.Delivery)...)
		page.Result, ids = append(page.Result, d), append(ids, d.ID)
		return logCursor{d.CreatedAt, string(d.ID)}, tx.db.tables.delivery.size(&d.Delivery), err
	})
	if err != nil {
		return page, fmt.Errorf("list delivery log: %w", err)
	}
	page.NextCursor = next
	tried := map[millrace.DeliveryID][]millrace.Attempt{}
	err = tx.eachAttempt(ctx, env, ids, func(a millrace.Attempt) { tried[a.DeliveryID] = append(tried[a.DeliveryID], a) })
	for i := range page.Result {
		page.Result[i].Tries = tried[page.Result[i].ID]
	}
	return page, err
}
