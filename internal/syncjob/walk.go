package syncjob

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// walk is the way of a run through its graph. The stack of the checkpoint is where it stands: a call is a request that is
// fetched page by page, a walk frame visits the records of one page one by one, and each lies on what it was made for, so
// that a request below a record of another request is two frames above that record.
//
// For each record, entering it evaluates what the nodes below need, and says which requests and changes of the state are to be
// made; they are made in the order of the graph, each as a frame of its own. A request that has no more pages empties its spools,
// one at a time, and leaves the stack. When the stack is empty the run has ended.
type walk struct {
	*ledger
	graph    *plan.Graph
	plan     []millrace.Failure // what is wrong with the graph
	base     plan.Scope
	changed  map[string]stateChange // of the state, not stored yet
	maxDepth int64                  // of recursion
	maxSpool int                    // bytes that a spool may collect
	now      func() millrace.Time
}

// evaluation returns an empty evaluation for what comes of a request's records.
func (s *walk) evaluation() *evaluate.Evaluation {
	return &evaluate.Evaluation{Run: s.run, Point: s.point, Now: s.now(), SpoolLimit: s.maxSpool, Counts: evaluate.Stats{}, ReadState: s.readState}
}

// visit takes one step in a walk over records: entering a record, making one of its requests or changes of the state, or
// going to the next.
func (s *walk) visit(ctx context.Context, e *evaluate.Evaluation, w *checkpoint.WalkFrame) error {
	if w.Done() {
		s.point.Pop()
		return nil
	}
	n := s.graph.ByName[w.Parts[w.Part].Node]
	if n == nil {
		return fmt.Errorf("the checkpoint names %q, which is no node", w.Parts[w.Part].Node)
	}
	switch {
	case !w.Entered:
		if err := s.completing(e, n); err != nil {
			return err
		}
		return s.enter(ctx, e, n, w)
	case w.Call < len(w.Calls):
		next := w.Calls[w.Call]
		w.Call++
		return s.call(ctx, e, next, n)
	}
	w.Next()
	return nil
}

func (s *walk) enter(ctx context.Context, e *evaluate.Evaluation, n *plan.Node, w *checkpoint.WalkFrame) error {
	below := s.point.Stack[:len(s.point.Stack)-1]
	e.Owner = checkpoint.Owner(below)
	record := w.Parts[w.Part].Records.Items[w.Record]
	sc := s.scopeOf(below).WithOutput(n, record)
	added, calls, err := e.Enter(ctx, n, record, sc)
	if err != nil {
		return err
	}
	w.Entered, w.Calls, w.Call = true, calls, 0
	if err := w.SetContext(added); err != nil {
		return err
	}
	s.pushParts(e)
	return nil
}

// pushParts starts the walk over what an evaluation kept.
func (s *walk) pushParts(e *evaluate.Evaluation) {
	if len(e.Parts) > 0 {
		s.point.Push(&checkpoint.Frame{Walk: &checkpoint.WalkFrame{Parts: e.Parts}})
		e.Parts = nil
	}
}

// call changes the state or starts a request for the record that is being visited, which is one of n. A request for its own records is a
// recursion; it stays at the loop element it came from.
func (s *walk) call(ctx context.Context, e *evaluate.Evaluation, c checkpoint.Call, n *plan.Node) error {
	target := s.graph.ByName[c.Node]
	if target != nil && target.Acts() {
		w := s.point.Top().Walk
		return s.setState(ctx, e, target, w.Parts[w.Part].Records.Items[w.Record])
	}
	if target == nil || target.Request == nil {
		return fmt.Errorf("the checkpoint names %q, which is no request", c.Node)
	}
	f := &checkpoint.CallFrame{Call: c}
	if target == n {
		f.Depth = checkpoint.Nearest(s.point.Stack).Depth + 1
		if f.Depth > s.maxDepth {
			return e.Report(evaluate.LimitAt(target, evaluate.CodeRecursion, "the request recurses more than %d times", s.maxDepth))
		}
	} else if loop := target.Request.Loop; loop != nil {
		elements, err := loop.Elements(s.scopeOf(s.point.Stack).Root)
		if err != nil {
			return e.Failed(ctx, target, ".loop_on", err)
		}
		if len(elements) == 0 {
			return nil
		}
		f.Elements = checkpoint.NewValues(elements)
	}
	s.point.Push(&checkpoint.Frame{Call: f})
	return nil
}

// leaveCall empties the spools of a request that has ended, one at a time, and then leaves it.
func (s *walk) leaveCall(ctx context.Context, e *evaluate.Evaluation, c *checkpoint.CallFrame) error {
	n := s.graph.ByName[c.Node]
	for _, spool := range n.Spools {
		collected := c.Spools[spool.Name]
		if collected == nil {
			continue
		}
		delete(c.Spools, spool.Name)
		e.Owner = c
		err := e.Batch(ctx, spool, collected.Items(), s.scopeOf(s.point.Stack[:len(s.point.Stack)-1]))
		if err != nil {
			return err
		}
		s.pushParts(e)
		return nil
	}
	s.point.Pop()
	return nil
}

// scopeOf builds the scope of a stack: the elements of its loops, the records it visits, and their contexts.
func (s *walk) scopeOf(stack []*checkpoint.Frame) plan.Scope {
	sc := s.ending()
	if s.point.Failing != nil {
		failure := jsonata.NewObject(2)
		failure.Set("code", s.point.Failing.Code)
		failure.Set("message", s.point.Failing.Message)
		sc = sc.With("error", failure)
	}
	for _, f := range stack {
		if c := f.Call; c != nil {
			if loop := s.graph.ByName[c.Node].Request.Loop; loop != nil && c.Elements != nil && !c.Done() {
				sc = sc.WithElement(loop, c.Elements.Items[c.Element])
			}
			continue
		}
		if w := f.Walk; !w.Done() {
			p := w.Parts[w.Part]
			sc = sc.WithOutput(s.graph.ByName[p.Node], p.Records.Items[w.Record]).WithContext(w.Added)
		}
	}
	return sc
}

// startWalk returns the walk over moments of the run.
func startWalk(nodes []*plan.Node) []*checkpoint.Frame {
	if len(nodes) == 0 {
		return nil
	}
	w := &checkpoint.WalkFrame{}
	for _, n := range nodes {
		w.Parts = append(w.Parts, checkpoint.Part{Node: n.Name, Records: checkpoint.NewValues([]jsonata.Value{jsonata.Null{}})})
	}
	return []*checkpoint.Frame{{Walk: w}}
}

// failing makes the run fail: from here on only its error events are walked. What was collected and is not delivered by
// that is named in the reason, so that it is not lost without a word.
func (s *walk) failing(reason millrace.RunError) {
	if lost := s.collected(); lost != "" {
		reason.Message += "; not sent were " + lost
	}
	s.point.Failing = &reason
	if s.point.First == nil {
		s.point.Fail(millrace.FirstError{RunError: reason, At: s.now()})
	}
	s.point.Settle()
	s.point.Stack = nil
	if len(s.plan) == 0 {
		s.point.Stack = startWalk(s.graph.Errors)
	}
}

// collected describes what spools hold.
func (s *walk) collected() string {
	counts := map[string]int{}
	for _, f := range s.point.Stack {
		if f.Call == nil {
			continue
		}
		for name, c := range f.Call.Spools {
			for _, v := range c {
				counts[name] += len(v.Items)
			}
		}
	}
	var names []string
	for name, n := range counts {
		if n > 0 {
			names = append(names, fmt.Sprintf("%d records that the spool %q had collected", n, name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// request computes what is to be asked for.
func (s *walk) request(ctx context.Context, n *plan.Node, c *checkpoint.CallFrame, sc plan.Scope) (FetchRequest, *evaluate.Problem) {
	asked := n.Request
	req := FetchRequest{
		EnvironmentID: s.run.EnvironmentID, AccountID: s.run.IntegratedAccountID, SyncJobRunID: s.run.ID,
		Resource: asked.Resource, Method: asked.Method, Waits: s.point.Limited, Turn: s.point.Turn,
	}
	if asked.Account != nil {
		id, err := asked.Account.Text(ctx, sc.Root)
		if err != nil {
			return req, evaluate.ExpressionProblem(n, asked.Account.Path, err)
		}
		req.AccountID = millrace.IntegratedAccountID(id)
	}
	if !millrace.IsID(string(req.AccountID)) {
		return req, evaluate.ProblemAt(n, evaluate.CodeAccount, "the integrated account %q is not an id", req.AccountID)
	}
	hasPrevious := s.point.Previous != ""
	var err error
	if asked.ID != nil {
		if req.ID, err = asked.ID.Text(ctx, sc.Root); err != nil {
			return req, evaluate.ExpressionProblem(n, asked.ID.Path, err)
		}
	}
	if req.Query, err = asked.Query.Eval(ctx, sc.Root, hasPrevious); err != nil {
		return req, evaluate.ExpressionProblem(n, asked.Query.Path, err)
	}
	switch req.Query.(type) {
	case nil, *jsonata.Object:
	case jsonata.Null:
		req.Query = nil
	default:
		return req, evaluate.ProblemAt(n, evaluate.CodeExpression, "the query is not an object")
	}
	if req.Body, err = asked.Body.Eval(ctx, sc.Root, hasPrevious); err != nil {
		return req, evaluate.ExpressionProblem(n, asked.Body.Path, err)
	}
	if len(c.Overlay) > 0 {
		if err := overlay(&req, c); err != nil {
			return req, evaluate.ProblemAt(n, evaluate.CodeExpression, "the config of the recursion does not apply: %v", err)
		}
	}
	return req, nil
}
