package evaluate

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// Evaluation is what comes of records: bodies to be sent, in order, and batches whose records have requests of their
// own. It reads nothing but the state of runs, from the database, and can be thrown away as long as nothing of it is frozen.
type Evaluation struct {
	Run        *millrace.SyncJobRun
	Point      *checkpoint.Point
	Owner      *checkpoint.CallFrame // whose spools collect; nil above all requests
	Now        millrace.Time         // of failures
	SpoolLimit int                   // bytes that a spool may collect
	Outputs    []Output
	Parts      []checkpoint.Part
	Counts     Stats
	Lines      []*millrace.RunLog // of the log, that belong to no output
	Fatal      *Problem

	ReadState func(ctx context.Context, key string) (jsonata.Value, error)

	Limited bool // the provider limits the rate
}

// Output is a delivery before it has a sequence number.
type Output struct {
	Event    string
	Webhook  millrace.WebhookID
	Node     *plan.Node      // whose records they are
	Records  []jsonata.Value // sync_job_run:record
	Payload  json.RawMessage // all others
	Resource string
	Method   string
	Account  millrace.IntegratedAccountID
	Line     *millrace.RunLog // what the log says about it; nil: nothing
}

// Batch handles a batch of records that n puts out: its destinations, then the nodes that work on whole batches. The
// Records are kept when each has something to do of its own.
func (e *Evaluation) Batch(ctx context.Context, n *plan.Node, records []jsonata.Value, sc plan.Scope) error {
	inner := sc.WithOutput(n, jsonata.NewArray(records...))
	for _, d := range n.Sinks {
		if err := e.send(ctx, d, n, records, inner); err != nil {
			return err
		}
	}
	if len(n.Batch) > 0 {
		inner = e.preview(ctx, n, records, inner)
	}
	for _, child := range n.Batch {
		if err := e.child(ctx, child, records, inner); err != nil {
			return err
		}
	}
	if n.Walked() {
		e.Parts = append(e.Parts, checkpoint.Part{Node: n.Name, Records: checkpoint.NewValues(records)})
	}
	return nil
}

// preview adds the context of the only record of a batch, so that a transform sees what an add_context beside it adds.
// What goes wrong is reported when the record is visited.
func (e *Evaluation) preview(ctx context.Context, n *plan.Node, records []jsonata.Value, sc plan.Scope) plan.Scope {
	if len(records) != 1 {
		return sc
	}
	quiet := &Evaluation{Run: e.Run, Point: &checkpoint.Point{}, Counts: Stats{}, ReadState: e.ReadState}
	one := sc.WithOutput(n, records[0])
	added, _, err := quiet.contexts(ctx, n, one)
	if err != nil {
		return sc
	}
	return sc.WithContext(added)
}

// child runs a node that works on whole batches.
func (e *Evaluation) child(ctx context.Context, n *plan.Node, records []jsonata.Value, sc plan.Scope) error {
	total := int64(len(records))
	if c := checkpoint.Nearest(e.Point.Stack); c != nil {
		total = c.Seen
	}
	sc = sc.With("total_records_size", float64(total))
	if ok, err := e.holds(ctx, n, sc); err != nil || !ok {
		return err
	}
	switch {
	case n.Kind == plan.TypeTransform:
		v, err := n.Program.Eval(ctx, sc.Root, expr.LimitsTransform())
		e.debug(n, sc, v, err)
		if err != nil {
			return e.Failed(ctx, n, ".config.expression", err)
		}
		if out := batchOf(v); len(out) > 0 {
			return e.Batch(ctx, n, out, sc)
		}
		return nil
	case len(records) == 0:
		return nil
	case e.Owner == nil:
		return e.Batch(ctx, n, records, sc)
	}
	return e.collect(n, records)
}

// collect keeps a batch until the spool's request has ended.
func (e *Evaluation) collect(n *plan.Node, records []jsonata.Value) error {
	collected := e.Owner.Spools[n.Name].Add(records)
	size, err := collected.Size()
	if err != nil {
		return err
	}
	if size > e.SpoolLimit {
		if e.Point.Failing == nil {
			e.Owner.Keep(n.Name, collected) // to be named among what was not sent
		}
		return e.Report(LimitAt(n, CodeSpoolLimit, "the spool collects more than %d bytes", e.SpoolLimit))
	}
	e.Owner.Keep(n.Name, collected)
	return nil
}

// send makes the delivery of a batch to a destination.
func (e *Evaluation) send(ctx context.Context, d, n *plan.Node, records []jsonata.Value, sc plan.Scope) error {
	out := Output{
		Event: millrace.EventRunRecord, Webhook: e.Run.WebhookID, Node: n, Records: records,
		Resource: n.Resource(), Method: n.Method(), Account: e.Run.IntegratedAccountID,
	}
	if e.Owner != nil {
		out.Account = e.Owner.Account
	}
	if d.RunIf != nil || d.Program != nil || d.Destination.Webhook != nil {
		payload := jsonata.NewObject(2)
		payload.Set("resource", n.Resource())
		payload.Set("records", jsonata.NewArray(records...))
		sc = sc.With("payload", payload)
	}
	if ok, err := e.holds(ctx, d, sc); err != nil || !ok {
		return err
	}
	if a := d.Destination.Webhook; a != nil {
		id, err := a.Text(ctx, sc.Root)
		if err != nil {
			return e.Failed(ctx, d, ".config.id", err)
		}
		out.Webhook = millrace.WebhookID(id)
	}
	if !millrace.IsID(string(out.Webhook)) {
		return e.Report(ProblemAt(d, codeWebhook, "there is no webhook to send to: %q is not an id", out.Webhook))
	}
	if d.Program != nil {
		v, err := d.Program.Eval(ctx, sc.Root, expr.LimitsTransform())
		e.debug(d, sc, v, err)
		if err != nil {
			return e.Failed(ctx, d, ".config.expression", err)
		}
		if out.Records = batchOf(v); len(out.Records) == 0 {
			return nil
		}
	}
	e.Outputs = append(e.Outputs, out)
	return nil
}

// holds evaluates a node's run_if.
func (e *Evaluation) holds(ctx context.Context, n *plan.Node, sc plan.Scope) (bool, error) {
	if n.RunIf == nil {
		return true, nil
	}
	ok, err := n.RunIf.Test(ctx, sc.Root)
	if err != nil {
		return false, e.Failed(ctx, n, ".run_if", err)
	}
	return ok, nil
}

// batchOf returns a transform's result as a batch. Nothing, null, and what is empty drop the batch.
func batchOf(v jsonata.Value) []jsonata.Value {
	switch v := v.(type) {
	case nil, jsonata.Null:
		return nil
	case string:
		if v == "" {
			return nil
		}
	case *jsonata.Object:
		if v.Len() == 0 {
			return nil
		}
	case *jsonata.Array:
		return v.Items()
	}
	return []jsonata.Value{v}
}
