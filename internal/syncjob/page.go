package syncjob

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// maxLimitedPause bounds the pause after a rate limit for which the third party named no time.
const maxLimitedPause = 5 * time.Minute

// page makes one request and evaluates its records. The checkpoint has moved behind the page when it returns nil, or
// says when to try again.
func (s *slice) page(ctx context.Context, e *evaluation, c *callFrame) error {
	n := s.graph.byName[c.Node]
	sc := s.scopeOf(s.point.Stack)
	e.owner = ownerIn(s.point.Stack)
	if c.Page >= s.r.cfg.MaxPages {
		return s.giveUp(e, c, limitAt(n, codePageLimit, "there are more than %d pages", s.r.cfg.MaxPages))
	}
	req, p := s.request(ctx, n, c, sc)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p != nil {
		return s.giveUp(e, c, p)
	}
	c.Account = req.AccountID
	res, err := s.fetch(ctx, req)
	if err != nil {
		return fmt.Errorf("fetch page: %w", err)
	}
	s.lease = res.Lease
	if ctx.Err() != nil && res.Outcome != FetchOK {
		return context.Cause(ctx) // interrupted, which says nothing about the third party
	}
	switch res.Outcome {
	case FetchOK:
		return s.accept(ctx, e, c, n, sc, res)
	case FetchRateLimited:
		return s.limited(e, res)
	case FetchPaced:
		s.point.Turn, s.point.NotBefore = true, s.r.now().Add(res.RetryAfter)
		return nil
	case FetchTemporary:
		return s.temporary(e, c, n, res)
	case FetchRejected:
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	return fmt.Errorf("fetch page: unknown outcome %q", res.Outcome)
}

// fetch asks for a page. When it does not come soon, what is behind is written while it is on its way: a crash in that
// time would repeat the last delivery, with the same id and the same bytes.
func (s *slice) fetch(ctx context.Context, req FetchRequest) (FetchResult, error) {
	if s.behind == nil {
		return s.ask(ctx, req)
	}
	if s.r.cfg.Soon < 0 {
		if err := s.catchUp(ctx); err != nil {
			return FetchResult{}, err
		}
		return s.ask(ctx, req)
	}
	caughtUp := make(chan error, 1)
	timer := time.AfterFunc(s.r.cfg.Soon, func() { caughtUp <- s.catchUp(ctx) })
	res, err := s.ask(ctx, req)
	if !timer.Stop() {
		if late := <-caughtUp; late != nil {
			return FetchResult{}, late
		}
	}
	return res, err
}

// ask makes the request.
func (s *slice) ask(ctx context.Context, req FetchRequest) (FetchResult, error) {
	return away(ctx, s.turn, func() (FetchResult, error) { return s.r.cfg.Fetcher.Fetch(ctx, req) })
}

// accept evaluates the records of a page and moves the cursor.
func (s *slice) accept(ctx context.Context, e *evaluation, c *callFrame, n *node, sc scope, res FetchResult) error {
	circles, err := c.Loop.circles(res.Next, res.Records)
	if err != nil {
		return fmt.Errorf("compare pages: %w", err)
	}
	if circles {
		return s.giveUp(e, c, problemAt(n, codeCursorLoop, "the third party repeats its pages: the cursor goes round in circles"))
	}
	counted := e.counts.of(n.request.resource, n.request.method)
	counted.Pages++
	counted.Fetched += int64(len(res.Records))
	s.r.cfg.Observe(1, int64(len(res.Records)), 0)
	c.Page++
	c.Cursor, c.Ended = res.Next, len(res.Next) == 0
	s.settled()
	if len(res.Records) > 0 {
		if err := e.batch(ctx, n, res.Records, sc); err != nil {
			return err
		}
	}
	s.pushParts(e)
	return nil
}

// settled forgets the failed tries of a request that was answered for good.
func (s *slice) settled() {
	s.point.Attempt, s.point.Limited, s.point.NotBefore, s.point.Turn = 0, 0, 0, false
}

// giveUp goes on behind a request that failed for good, unless the run must fail.
func (s *slice) giveUp(e *evaluation, c *callFrame, p *problem) error {
	s.settled()
	c.Ended = true
	return e.report(p)
}

// limited makes the run wait as long as the third party asks.
func (s *slice) limited(e *evaluation, res FetchResult) error {
	pause := res.RetryAfter
	if pause <= 0 {
		pause = s.r.spread(min(time.Second<<min(s.point.Limited, 10), maxLimitedPause))
	}
	s.point.Limited++
	s.point.NotBefore, s.point.Turn = s.r.now().Add(pause), false
	e.limited = true
	return nil
}

// temporary makes the run try again later, a few times.
func (s *slice) temporary(e *evaluation, c *callFrame, n *node, res FetchResult) error {
	retries := s.r.cfg.FetchRetries
	if s.point.Attempt >= int64(len(retries)) {
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	pause := max(s.r.spread(retries[s.point.Attempt]), res.RetryAfter)
	s.point.Attempt++
	s.point.NotBefore, s.point.Turn = s.r.now().Add(pause), false
	return nil
}

// request computes what is to be asked for.
func (s *slice) request(ctx context.Context, n *node, c *callFrame, sc scope) (FetchRequest, *problem) {
	plan := n.request
	req := FetchRequest{
		EnvironmentID: s.run.EnvironmentID, AccountID: s.run.IntegratedAccountID, SyncJobRunID: s.run.ID,
		Resource: plan.resource, Method: plan.method, Cursor: c.Cursor, Waits: s.point.Limited, Turn: s.point.Turn,
	}
	if plan.account != nil {
		id, err := plan.account.text(ctx, sc.root)
		if err != nil {
			return req, expressionProblem(n, plan.account.path, err)
		}
		req.AccountID = millrace.IntegratedAccountID(id)
	}
	if !millrace.IsID(string(req.AccountID)) {
		return req, problemAt(n, codeAccount, "the integrated account %q is not an id", req.AccountID)
	}
	hasPrevious := s.point.Previous != ""
	var err error
	if plan.id != nil {
		if req.ID, err = plan.id.text(ctx, sc.root); err != nil {
			return req, expressionProblem(n, plan.id.path, err)
		}
	}
	if req.Query, err = plan.query.eval(ctx, sc.root, hasPrevious); err != nil {
		return req, expressionProblem(n, plan.query.path, err)
	}
	switch req.Query.(type) {
	case nil, *jsonata.Object:
	case jsonata.Null:
		req.Query = nil
	default:
		return req, problemAt(n, codeExpression, "the query is not an object")
	}
	if req.Body, err = plan.body.eval(ctx, sc.root, hasPrevious); err != nil {
		return req, expressionProblem(n, plan.body.path, err)
	}
	if len(c.Overlay) > 0 {
		if err := overlay(&req, c); err != nil {
			return req, problemAt(n, codeExpression, "the config of the recursion does not apply: %v", err)
		}
	}
	return req, nil
}

// overlay merges what a recursion changes over a request.
func overlay(req *FetchRequest, c *callFrame) error {
	config := jsonata.NewObject(4)
	if err := mergeJSON(config, c.Overlay); err != nil {
		return err
	}
	switch id := present(config, "id").(type) {
	case string:
		req.ID = id
	case float64:
		req.ID = jsonata.FormatNumber(id)
	}
	req.Query = merged(req.Query, present(config, "query"))
	req.Body = merged(req.Body, present(config, "body"))
	return nil
}

// merged returns v with the members of over in it; anything but an object replaces it.
func merged(v, over jsonata.Value) jsonata.Value {
	base, ok := v.(*jsonata.Object)
	top, isObject := over.(*jsonata.Object)
	switch {
	case over == nil:
		return v
	case !ok || !isObject:
		return over
	}
	out := copyObject(base, top.Len())
	for key, member := range top.All() {
		old, _ := base.Get(key)
		out.Set(key, merged(old, member))
	}
	return out
}
