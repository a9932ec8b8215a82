package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// maxLimitedPause bounds the pause after a rate limit for which the provider named no time.
const maxLimitedPause = 5 * time.Minute

// connectingPause is how long a run waits, unless it is woken, before it looks again whether its account is connected.
const connectingPause = 10 * time.Second

// page makes one request and evaluates its records. The checkpoint has moved behind the page when it returns nil, or
// says when to try again.
func (s *slice) page(ctx context.Context, e *evaluate.Evaluation, c *checkpoint.CallFrame) error {
	n := s.graph.ByName[c.Node]
	sc := s.scopeOf(s.point.Stack)
	e.Owner = checkpoint.Owner(s.point.Stack)
	if c.Page >= s.r.cfg.MaxPages {
		return s.giveUp(e, c, evaluate.LimitAt(n, evaluate.CodePageLimit, "there are more than %d pages", s.r.cfg.MaxPages))
	}
	req, p := s.request(ctx, n, c, sc)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p != nil {
		return s.giveUp(e, c, p)
	}
	c.Account, req.Since = req.AccountID, s.since
	var err error
	if req.Cursor, err = readCursor(c.Cursor); err != nil {
		return err
	}
	res, err := s.fetch(ctx, req)
	if err != nil {
		return fmt.Errorf("fetch page: %w", err)
	}
	s.lease = res.Lease
	if ctx.Err() != nil && res.Kind != fetch.KindOK {
		return context.Cause(ctx) // interrupted, which says nothing about the provider
	}
	switch res.Kind {
	case fetch.KindOK:
		return s.accept(ctx, e, c, n, sc, res)
	case fetch.KindRateLimited:
		return s.limited(e, res)
	case fetch.KindPaced:
		s.point.Wait(s.r.now().Add(res.RetryAfter), "few requests are left in the provider's rate limit")
		s.point.Turn = true
		return nil
	case fetch.KindUnauthorized:
		return s.unauthorized(e, c, n, res)
	case fetch.KindRemoteError, fetch.KindNetworkError, fetch.KindRejected:
		if res.Temporary() {
			return s.temporary(e, c, n, res)
		}
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	return fmt.Errorf("fetch page: unknown outcome %q", res.Kind)
}

// fetch asks for a page. When it does not come soon, what is behind is written while it is on its way: a crash in that
// time would repeat the last delivery, with the same id and the same bytes.
func (s *slice) fetch(ctx context.Context, req FetchRequest) (fetch.Outcome, error) {
	if s.behind == nil {
		return s.ask(ctx, req)
	}
	if s.r.cfg.Soon < 0 {
		if err := s.catchUp(ctx); err != nil {
			return fetch.Outcome{}, err
		}
		return s.ask(ctx, req)
	}
	caughtUp := make(chan error, 1)
	timer := time.AfterFunc(s.r.cfg.Soon, func() { caughtUp <- s.catchUp(ctx) })
	res, err := s.ask(ctx, req)
	if !timer.Stop() {
		if late := <-caughtUp; late != nil {
			return fetch.Outcome{}, late
		}
	}
	return res, err
}

// ask makes the request.
func (s *slice) ask(ctx context.Context, req FetchRequest) (fetch.Outcome, error) {
	return away(ctx, s.turn, func() (fetch.Outcome, error) { return s.r.cfg.Fetcher.Fetch(ctx, req) })
}

// accept evaluates the records of a page and moves the cursor.
func (s *slice) accept(ctx context.Context, e *evaluate.Evaluation, c *checkpoint.CallFrame, n *plan.Node, sc plan.Scope, res fetch.Outcome) error {
	next, err := writeCursor(res.NextCursor)
	if err != nil {
		return err
	}
	records := res.Records.Items()
	circles, err := c.Loop.Circles(next, records)
	if err != nil {
		return fmt.Errorf("compare pages: %w", err)
	}
	if circles {
		return s.giveUp(e, c, evaluate.ProblemAt(n, evaluate.CodeCursorLoop, "the provider repeats its pages: the cursor goes round in circles"))
	}
	counted := e.Counts.Of(n.Request.Resource, n.Request.Method)
	counted.Pages++
	counted.Fetched += int64(len(records))
	s.r.cfg.Observe.Tell(ctx, observe.Fact{Kind: observe.Page, N: int64(len(records))})
	c.Page++
	c.Seen += int64(len(records))
	c.Cursor, c.Ended = next, len(next) == 0
	s.point.Fetched = s.point.Fetched || s.point.Moment() == ""
	s.point.Settle()
	if len(records) > 0 {
		if err := e.Batch(ctx, n, records, sc); err != nil {
			return err
		}
	}
	s.pushParts(e)
	return nil
}

// giveUp goes on behind a request that failed for good, unless the run must fail.
func (s *slice) giveUp(e *evaluate.Evaluation, c *checkpoint.CallFrame, p *evaluate.Problem) error {
	s.point.Settle()
	c.Ended = true
	return e.Report(p)
}

// limited makes the run wait as long as the provider asks.
func (s *slice) limited(e *evaluate.Evaluation, res fetch.Outcome) error {
	pause := res.RetryAfter
	if pause <= 0 {
		pause = s.r.spread(min(time.Second<<min(s.point.Limited, 10), maxLimitedPause))
	}
	s.point.Limited++
	s.point.AuthSince = 0
	s.point.Wait(s.r.now().Add(pause), limitReason(res))
	e.Limited = true
	return nil
}

// temporary makes the run try again later, a few times.
func (s *slice) temporary(e *evaluate.Evaluation, c *checkpoint.CallFrame, n *plan.Node, res fetch.Outcome) error {
	if res.ErrorClass == fetch.ClassToken && s.r.cfg.MaxAuthWait > 0 {
		return s.tokenless(e, c, n, res)
	}
	retries := s.r.cfg.FetchRetries
	if s.point.AuthSince != 0 {
		s.point.AuthSince, s.point.Attempt = 0, 0 // the credentials work again
	}
	if s.point.Attempt >= int64(len(retries)) {
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	pause := max(s.r.spread(retries[s.point.Attempt]), res.RetryAfter)
	s.point.Attempt++
	s.point.Wait(s.r.now().Add(pause), fmt.Sprintf("attempt %d of %d to request %s failed with %s: %s",
		s.point.Attempt, len(retries)+1, n.Resource(), res.Code(), res.Message))
	return nil
}

// tokenless makes the run wait until there is an access token again, and gives the request up when there is none in time. No request has
// failed: the credentials cannot be used at the moment, for however long.
func (s *slice) tokenless(e *evaluate.Evaluation, c *checkpoint.CallFrame, n *plan.Node, res fetch.Outcome) error {
	now := s.r.now()
	since := s.point.AuthSince
	if since == 0 {
		since = now
	}
	left := until(since.Add(s.r.cfg.MaxAuthWait), now)
	if left <= 0 {
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	s.point.AuthSince = since
	s.point.Wait(now.Add(min(max(res.RetryAfter, time.Second), left)), fmt.Sprintf("the account %s: %s", c.Account, res.Message))
	return nil
}

// unauthorized makes the run wait until its account is connected, or the credentials work again, and gives the request up when neither
// happens in time.
func (s *slice) unauthorized(e *evaluate.Evaluation, c *checkpoint.CallFrame, n *plan.Node, res fetch.Outcome) error {
	now := s.r.now()
	since := s.point.AuthSince
	if since == 0 {
		since, s.point.Attempt = now, 0
	}
	left := until(since.Add(s.r.cfg.MaxAuthWait), now)
	if res.ErrorClass == fetch.ClassConnecting {
		s.point.AuthSince = since // so that the run is woken
		s.point.Wait(now.Add(connectingPause), res.Message)
		return nil
	}
	if res.Foreign || left <= 0 {
		return s.giveUp(e, c, fetchProblem(n, res))
	}
	retries := s.r.cfg.AuthRetries
	pause := s.r.spread(retries[min(s.point.Attempt, int64(len(retries)-1))])
	s.point.Attempt++
	s.point.AuthSince = since
	s.point.Wait(now.Add(min(pause, left)), fmt.Sprintf("the account %s needs re-authentication: %s", c.Account, res.Message))
	return nil
}

// limitReason says why a run waits for the limit of a provider.
func limitReason(res fetch.Outcome) string {
	if res.RetryAfter > 0 {
		return fmt.Sprintf("the provider limits the rate and asks for %s: %s", res.RetryAfter.Round(time.Second), res.Message)
	}
	return "the provider limits the rate and does not say for how long: " + res.Message
}

// overlay merges what a recursion changes over a request.
func overlay(req *FetchRequest, c *checkpoint.CallFrame) error {
	config := jsonata.NewObject(4)
	if err := expr.SetMembers(config, c.Overlay); err != nil {
		return err
	}
	switch id := expr.Member(config, "id").(type) {
	case string:
		req.ID = id
	case float64:
		req.ID = jsonata.FormatNumber(id)
	}
	for name, part := range map[string]*jsonata.Value{"query": &req.Query, "body": &req.Body} {
		if over := expr.Member(config, name); over != nil {
			*part = expr.Merge(*part, over, expr.Replace)
		}
	}
	return nil
}

// fetchProblem returns the problem that the outcome of a request is.
func fetchProblem(n *plan.Node, res fetch.Outcome) *evaluate.Problem {
	p := evaluate.ProblemAt(n, res.Code(), "%s", res.Message)
	p.Request, p.Status = res.RequestLine, res.Status
	if len(res.Raw) > 0 {
		p.Body, _ = json.Marshal(string(res.Raw)) // a text always has a JSON
	}
	return p
}

// readCursor returns the cursor of a checkpoint, where it is JSON.
func readCursor(raw json.RawMessage) (string, error) {
	var cursor string
	if len(raw) == 0 {
		return "", nil
	}
	if err := json.Unmarshal(raw, &cursor); err != nil {
		return "", fmt.Errorf("decode cursor: %w", err)
	}
	return cursor, nil
}

// writeCursor returns a cursor for a checkpoint; none is nothing.
func writeCursor(cursor string) (json.RawMessage, error) {
	if cursor == "" {
		return nil, nil
	}
	raw, err := json.Marshal(cursor)
	if err != nil {
		return nil, fmt.Errorf("encode cursor: %w", err)
	}
	return raw, nil
}
