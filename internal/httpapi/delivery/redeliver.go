package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// RedeliverAllNote is the description of POST /webhook/{id}/redeliver.
const RedeliverAllNote = "Repeats what the filters keep, in the order in which it was queued, behind what the backlog holds; every delivery " +
	"keeps its id. Name at least a status or a beginning. Records of sync job runs are not kept and not repeated, and neither is " +
	"what is pending or lost its event. At most 100000 at once: narrow created_at for more."

const (
	maxRedeliver     = 100_000
	redeliveredBatch = 500 // in one transaction, so that others can write in between
)

// redeliverBody is the body of a repetition of many deliveries.
type redeliverBody struct {
	Status    []millrace.DeliveryStatus `json:"status,omitempty" maxItems:"10" doc:"Of the deliveries; any but pending when absent." example:"[\"failed\"]"`
	Event     []string                  `json:"event,omitempty" maxItems:"200" doc:"Names of events; any when absent."`
	CreatedAt *store.TimeRange          `json:"created_at,omitempty" doc:"When the deliveries were made."`
}

func (*redeliverBody) Example() string {
	return `{"status":["failed","cancelled"],"created_at":{"gte":"2026-11-25T00:00:00.000Z"}}`
}

func (b *redeliverBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	var out []millrace.Failure
	known := []millrace.DeliveryStatus{millrace.DeliveryDelivered, millrace.DeliveryFailed, millrace.DeliveryCancelled}
	for i, s := range b.Status {
		if !slices.Contains(known, s) {
			out = append(out, millrace.Failure{Path: fmt.Sprintf("status[%d]", i), Message: fmt.Sprintf(
				"%q is not delivered, failed or cancelled; what is pending is going to be sent anyway", millrace.Shorten(string(s)))})
		}
	}
	out = append(out, checkNames("event", b.Event)...)
	if len(b.Status) == 0 && (b.CreatedAt == nil || b.CreatedAt.Gt == nil && b.CreatedAt.Gte == nil) {
		out = append(out, millrace.Failure{Path: "created_at.gte", Message: "is required without status: it says from when on to repeat"})
	}
	return out
}

func (b *redeliverBody) filters() []millrace.Filter {
	var out []millrace.Filter
	if len(b.Status) > 0 {
		out = append(out, millrace.Filter{Field: "status", Op: millrace.OpIn, Values: texts(b.Status)})
	}
	if len(b.Event) > 0 {
		out = append(out, millrace.Filter{Field: "event", Op: millrace.OpIn, Values: b.Event})
	}
	return append(out, b.CreatedAt.Filters("created_at")...)
}

// checkNames returns which names are not of events.
func checkNames(path string, names []string) []millrace.Failure {
	var out []millrace.Failure
	catalogue := millrace.EventNames()
	for i, name := range names {
		if !slices.Contains(catalogue, name) && !millrace.IsCustomEvent(name) {
			out = append(out, unknownEvent(fmt.Sprintf("%s[%d]", path, i), name, catalogue))
		}
	}
	return out
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// redelivered is the response to a repetition of many deliveries.
type redelivered struct {
	Redelivered int `json:"redelivered" doc:"How many deliveries went to the end of the backlog."`
}

// Redeliver repeats deliveries in batches. A request that dies half-way may be sent again: what is pending is left out.
func (n webhooks) Redeliver(ctx context.Context, in *rest.PatchIn[millrace.WebhookID, redeliverBody]) (*rest.Reply[redelivered], error) {
	var w *millrace.Webhook
	var ids []millrace.DeliveryID
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		if w, err = tx.Webhooks().Get(ctx, in.Environment, in.ID); err != nil {
			return err
		}
		ids, err = tx.Deliveries().Redeliverable(ctx, w, in.Data.filters(), maxRedeliver+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(ids) > maxRedeliver {
		return nil, millrace.Invalid("created_at", "more than %d deliveries meet the filters; narrow the time", maxRedeliver)
	}
	out := &rest.Reply[redelivered]{}
	for batch := range slices.Chunk(ids, redeliveredBatch) {
		done, err := store.Compute(ctx, n.DB, func(tx *store.Tx) (int, error) { return tx.Deliveries().RedeliverAll(ctx, w, batch) })
		if err != nil {
			return nil, err
		}
		out.Body.Redelivered += done
	}
	return out, nil
}
