package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// maxBatchedErrors is how many errors error_handling batch collects before it sends them.
const maxBatchedErrors = 50

// errStop ends an evaluation whose run must fail; evaluation.fatal says why.
var errStop = errors.New("syncjob: the run must fail")

// evaluation is what comes of records: bodies to be sent, in order, and batches whose records have requests of their
// own. It calls nobody and can be thrown away as long as nothing of it is frozen.
type evaluation struct {
	run    *millrace.SyncJobRun
	point  *checkpoint
	owner  *callFrame // whose spools collect; nil above all requests
	limit  int        // bytes that a spool may collect
	out    []output
	parts  []part
	counts stats
	fatal  *problem

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
	quiet := &evaluation{run: e.run, point: &checkpoint{}, counts: stats{}}
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
	collected := e.owner.Spools[n.name].concat(records)
	size, err := collected.size()
	if err != nil {
		return err
	}
	if size > e.limit {
		return e.report(problemAt(n, codeSpoolLimit, "the spool collects more than %d bytes", e.limit))
	}
	if e.owner.Spools == nil {
		e.owner.Spools = map[string]*values{}
	}
	e.owner.Spools[n.name] = collected
	return nil
}

// send makes the delivery of a batch to a destination.
func (e *evaluation) send(ctx context.Context, d, n *node, records []jsonata.Value, sc scope) error {
	out := output{
		event: millrace.EventRunRecord, webhook: e.run.WebhookID, node: n, records: records,
		resource: n.resource(), method: n.method(),
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

// enter prepares the visit of one record of n, which is at its place in sc: what the add_context nodes below return,
// what is made of that right away, and which requests are to be made.
func (e *evaluation) enter(ctx context.Context, n *node, record jsonata.Value, sc scope) (*jsonata.Object, []call, error) {
	added, active, err := e.contexts(ctx, n, sc)
	if err != nil {
		return nil, nil, err
	}
	sc = sc.withContext(added)
	var single []jsonata.Value
	if !n.virtual() {
		single = []jsonata.Value{record}
	}
	for _, a := range active {
		if a == n && !n.virtual() {
			continue // its batch was handled when the page came
		}
		for _, child := range a.batch {
			if err := e.child(ctx, child, single, sc); err != nil {
				return nil, nil, err
			}
		}
	}
	calls, err := e.calls(ctx, active, sc)
	if err != nil {
		return nil, nil, err
	}
	again, err := e.recursion(ctx, n, sc)
	if err != nil || again == nil {
		return added, calls, err
	}
	return added, append(calls, *again), nil
}

// contexts evaluates the add_context nodes below n, those below others after them. It returns what they add together,
// and n with those of them whose run_if holds.
func (e *evaluation) contexts(ctx context.Context, n *node, sc scope) (*jsonata.Object, []*node, error) {
	active := []*node{n}
	var added *jsonata.Object
	for i := 0; i < len(active); i++ {
		for _, child := range active[i].record {
			if child.kind != typeAddContext {
				continue
			}
			inner := sc.withContext(added)
			if ok, err := e.holds(ctx, child, inner); err != nil || !ok {
				if err != nil {
					return nil, nil, err
				}
				continue
			}
			v, err := child.program.Eval(ctx, inner.root, expr.LimitsTransform())
			if err != nil {
				if err := e.failed(ctx, child, ".config.expression", err); err != nil {
					return nil, nil, err
				}
				continue
			}
			added = mergeContext(added, v)
			active = append(active, child)
		}
	}
	return added, active, nil
}

// mergeContext adds the members of an object, or of each object of an array.
func mergeContext(added *jsonata.Object, v jsonata.Value) *jsonata.Object {
	switch v := v.(type) {
	case *jsonata.Array:
		for _, item := range v.Items() {
			added = mergeContext(added, item)
		}
	case *jsonata.Object:
		if added == nil {
			added = jsonata.NewObject(v.Len())
		}
		for key, member := range v.All() {
			added.Set(key, member)
		}
	}
	return added
}

// calls returns the requests below the nodes whose run_if holds for the record in scope.
func (e *evaluation) calls(ctx context.Context, parents []*node, sc scope) ([]call, error) {
	var calls []call
	for _, parent := range parents {
		for _, child := range parent.record {
			if child.kind != typeRequest {
				continue
			}
			ok, err := e.holds(ctx, child, sc)
			if err != nil {
				return nil, err
			}
			if ok {
				calls = append(calls, call{Node: child.name})
			}
		}
	}
	return calls, nil
}

// recursion returns the repetition of n's request for the record in scope, or nil.
func (e *evaluation) recursion(ctx context.Context, n *node, sc scope) (*call, error) {
	if n.request == nil || n.request.recurse == nil {
		return nil, nil
	}
	r := n.request.recurse
	v, err := r.condition.Render(sc.root)
	if err != nil {
		return nil, e.failed(ctx, n, ".recurse.if", err)
	}
	if !yes(v) {
		return nil, nil
	}
	config, err := r.config.eval(ctx, sc.root, e.point.Previous != "")
	if err != nil {
		return nil, e.failed(ctx, n, ".recurse.config", err)
	}
	again := &call{Node: n.name}
	if config != nil {
		if again.Overlay, err = jsonata.ToJSON(config); err != nil {
			return nil, fmt.Errorf("encode recursion: %w", err)
		}
	}
	return again, nil
}

// yes reports whether a rendered condition holds. A placeholder that found nothing stays as it is written, and text
// that says no is a no.
func yes(v jsonata.Value) bool {
	if text, ok := v.(string); ok {
		switch text {
		case "false", "0", "null", "undefined":
			return false
		}
		return text != "" && !wholePlaceholder.MatchString(text)
	}
	return expr.Truthy(v)
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

// failed handles an error of an expression or template of a node.
func (e *evaluation) failed(ctx context.Context, n *node, member string, err error) error {
	if cancelled(ctx, err) {
		return context.Cause(ctx)
	}
	return e.report(expressionProblem(n, n.at+member, err))
}

// report handles a problem as the run's error_handling says. It returns errStop when the run must fail.
func (e *evaluation) report(p *problem) error {
	e.counts.of(p.Resource, p.method).Failed++
	handling := e.run.ErrorHandling
	if e.point.Failing != nil {
		handling = millrace.ErrorIgnore // it fails already
	}
	switch handling {
	case millrace.ErrorFailFast:
		e.fatal = p
		return errStop
	case millrace.ErrorBatch:
		return e.batchError(p)
	case millrace.ErrorIgnore:
	}
	wire := p.wire()
	payload := newErrorPayload(e.run)
	payload.Resource, payload.Method, payload.Error = p.Resource, p.method, &wire
	return e.errorOutput(payload, p.Resource, p.method)
}

func (e *evaluation) batchError(p *problem) error {
	raw, err := json.Marshal(p.wire())
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.point.Errors = append(e.point.Errors, raw)
	if len(e.point.Errors) < maxBatchedErrors {
		return nil
	}
	return e.flushErrors()
}

// flushErrors sends the errors that error_handling batch has collected.
func (e *evaluation) flushErrors() error {
	if len(e.point.Errors) == 0 {
		return nil
	}
	payload := newErrorPayload(e.run)
	payload.Errors, e.point.Errors = e.point.Errors, nil
	return e.errorOutput(payload, "", "")
}

func (e *evaluation) errorOutput(payload errorPayload, resource, method string) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode record error: %w", err)
	}
	e.out = append(e.out, output{
		event: millrace.EventRunRecordError, webhook: e.run.WebhookID, payload: raw, resource: resource, method: method,
	})
	return nil
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
