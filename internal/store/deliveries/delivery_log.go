package deliveries

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// ListLog returns one page of all deliveries of an environment with their attempts. It returns an error of
// KindInvalid for a filter or cursor that it does not know.
func (h Deliveries) ListLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.TriedDelivery], error) {
	page := millrace.Page[millrace.TriedDelivery]{Result: []millrace.TriedDelivery{}}
	part := table.LogPart{
		Id: "d.id", Columns: deliveryTable().Prefixed("d."), From: "delivery AS d WHERE d.environment_id = $1",
		Filters: map[string]string{
			"webhook_id": "d.webhook_id = %s", "event": "d.event = %s", "status": "d.status = %s",
			"integrated_account_id": "d.integrated_account_id = %s",
		},
	}
	var ids []millrace.DeliveryID
	next, err := table.ReadLog(ctx, h.tx, env, q, []table.LogPart{part}, func(r sqldb.Rows) (table.LogCursor, int, error) {
		var d millrace.TriedDelivery
		err := r.Scan(deliveryTable().Dests(h.tx, &d.Delivery)...)
		page.Result, ids = append(page.Result, d), append(ids, d.ID)
		return table.LogCursor{At: d.CreatedAt, ID: string(d.ID)}, deliveryTable().Size(&d.Delivery), err
	})
	if err != nil {
		return page, fmt.Errorf("list delivery log: %w", err)
	}
	page.NextCursor = next
	tried := map[millrace.DeliveryID][]millrace.Attempt{}
	err = h.EachAttempt(ctx, env, ids, func(a millrace.Attempt) { tried[a.DeliveryID] = append(tried[a.DeliveryID], a) })
	for i := range page.Result {
		page.Result[i].Tries = tried[page.Result[i].ID]
	}
	return page, err
}
