package syncjob

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// evaluation is what comes of records: bodies to be sent, in order, and batches whose records have requests of their
// own. It calls nobody but the database, for the state of runs, and can be thrown away as long as nothing of it is frozen.
type evaluation struct {
	run    *millrace.SyncJobRun
	point  *checkpoint
	owner  *callFrame // whose spools collect; nil above all requests
	limit  int        // bytes that a spool may collect
	out    []output
	parts  []part
	counts stats
	lines  []*millrace.RunLog // of the log, that belong to no output
	fatal  *problem

	readState func(ctx context.Context, key string) (jsonata.Value, error)

	limited bool // the third party limits the rate
}

// output is a delivery before it has a sequence number.
type output struct {
	event    string
	webhook  millrace.WebhookID
	node     *node           // whose records they are
	records  []jsonata.Value // sync_job_run:record
	payload  json.RawMessage // all others
	resource string
	method   string
	account  millrace.IntegratedAccountID
	line     *millrace.RunLog // what the log says about it; nil: nothing
}

// batch handles a batch of records that n puts out: its destinations, then the nodes that work on whole batches. The
// records are kept when each has something to do of its own.
func (e *evaluation) batch(ctx context.Context, n *node, records []jsonata.Value, sc scope) error {
	inner := sc.withOutput(n, jsonata.NewArray(records...))
	for _, d := range n.sinks {
		if err := e.send(ctx, d, n, records, inner); err != nil {
			return err
		}
	}
	if len(n.batch) > 0 {
		inner = e.preview(ctx, n, records, inner)
	}
	for _, child := range n.batch {
		if err := e.child(ctx, child, records, inner); err != nil {
			return err
		}
	}
	if n.walked() {
		e.parts = append(e.parts, part{Node: n.name, Records: newValues(records)})
	}
	return nil
}

// preview adds the context of the only record of a batch, so that a transform sees what an add_context beside it adds.
// What goes wrong is reported when the record is visited.
func (e *evaluation) preview(ctx context.Context, n *node, records []jsonata.Value, sc scope) scope {
	if len(records) != 1 {
		return sc
	}
	quiet := &evaluation{run: e.run, point: &checkpoint{}, counts: stats{}, readState: e.readState}
	one := sc.withOutput(n, records[0])
	added, _, err := quiet.contexts(ctx, n, one)
	if err != nil {
		return sc
	}
	return sc.withContext(added)
}

// child runs a node that works on whole batches.
func (e *evaluation) child(ctx context.Context, n *node, records []jsonata.Value, sc scope) error {
	sc = sc.with("total_records_size", float64(len(records)))
	if ok, err := e.holds(ctx, n, sc); err != nil || !ok {
		return err
	}
	switch {
	case n.kind == typeTransform:
		v, err := n.program.Eval(ctx, sc.root, expr.LimitsTransform())
		e.debug(n, sc, v, err)
		if err != nil {
			return e.failed(ctx, n, ".config.expression", err)
		}
		if out := batchOf(v); len(out) > 0 {
			return e.batch(ctx, n, out, sc)
		}
		return nil
	case len(records) == 0:
		return nil
	case e.owner == nil:
		return e.batch(ctx, n, records, sc)
	}
	return e.collect(n, records)
}

// collect keeps a batch until the spool's request has ended.
func (e *evaluation) collect(n *node, records []jsonata.Value) error {
	collected := e.owner.Spools[n.name].add(records)
	size, err := collected.size()
	if err != nil {
		return err
	}
	if size > e.limit {
		if e.point.Failing == nil {
			e.owner.keep(n.name, collected) // to be named among what was not sent
		}
		return e.report(limitAt(n, codeSpoolLimit, "the spool collects more than %d bytes", e.limit))
	}
	e.owner.keep(n.name, collected)
	return nil
}

// send makes the delivery of a batch to a destination.
func (e *evaluation) send(ctx context.Context, d, n *node, records []jsonata.Value, sc scope) error {
	out := output{
		event: millrace.EventRunRecord, webhook: e.run.WebhookID, node: n, records: records,
		resource: n.resource(), method: n.method(), account: e.run.IntegratedAccountID,
	}
	if e.owner != nil {
		out.account = e.owner.Account
	}
	if d.runIf != nil || d.destination.webhook != nil {
		payload := jsonata.NewObject(2)
		payload.Set("resource", n.resource())
		payload.Set("records", jsonata.NewArray(records...))
		sc = sc.with("payload", payload)
	}
	if ok, err := e.holds(ctx, d, sc); err != nil || !ok {
		return err
	}
	if a := d.destination.webhook; a != nil {
		id, err := a.text(ctx, sc.root)
		if err != nil {
			return e.failed(ctx, d, ".config.id", err)
		}
		out.webhook = millrace.WebhookID(id)
	}
	if !millrace.IsID(string(out.webhook)) {
		return e.report(problemAt(d, codeWebhook, "there is no webhook to send to: %q is not an id", out.webhook))
	}
	e.out = append(e.out, out)
	return nil
}

// holds evaluates a node's run_if.
func (e *evaluation) holds(ctx context.Context, n *node, sc scope) (bool, error) {
	if n.runIf == nil {
		return true, nil
	}
	ok, err := n.runIf.Test(ctx, sc.root)
	if err != nil {
		return false, e.failed(ctx, n, ".run_if", err)
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
