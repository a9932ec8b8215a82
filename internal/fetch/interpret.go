package fetch

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/page"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

// interpret decides what a response means. A rate limit comes first: it says nothing about the request itself.
func (c *call) interpret(ctx context.Context, out *wire.Request, in *wire.Response) (Outcome, error) {
	unreadable := in.Decode(c.m.ResponseFormat, c.m.StrictParsing, c.stream) // about the response, not about us
	in.Read(c.m.ResponsePath)
	o := c.outcome(KindOK, in)
	var err error
	if o.RateLimit, err = c.limits(ctx, in); err != nil {
		return o, err
	}
	limited, err := c.isLimited(ctx, in)
	if err != nil {
		return o, err
	}
	if limited {
		return c.rateLimited(ctx, o, in)
	}
	if page.EndsAt(c.m.Pagination, in.Status) {
		o.Data, o.Records = jsonata.NewArray(), jsonata.NewArray()
		return o, nil
	}
	problem, err := c.problem(ctx, in)
	if err != nil {
		return o, err
	}
	switch {
	case problem != nil && problem.status == http.StatusTooManyRequests:
		o.Message = c.secrets.say(problem.message, maxMessage)
		return c.rateLimited(ctx, o, in)
	case problem != nil:
		return c.failed(c.withRaw(o, in), problem), nil
	case unreadable != nil:
		return c.unusable(in, &wire.UnusableError{Message: unreadable.Error(), Class: classUnreadable}), nil //nolint:nilerr // a response of the provider is an outcome
	}
	if reason := c.noPage(in); reason != "" {
		return c.unusable(in, &wire.UnusableError{Message: reason, Class: classUnreadable}), nil
	}
	o, err = c.page(ctx, o, out, in)
	if err == nil {
		c.hideEchoes(&o)
	}
	return o, err
}

// outcome is what all outcomes of a response have in common.
func (c *call) outcome(kind Kind, in *wire.Response) Outcome {
	o := Outcome{Kind: kind, Status: in.Status, Headers: http.Header{}, Body: in.Raw, Foreign: c.m.ForeignAuth}
	all := 0
	for name, values := range in.Header {
		if name == "Set-Cookie" {
			continue
		}
		for _, v := range values {
			o.Headers.Add(name, v)
			all += len(v) + 1
		}
	}
	joined := make([]byte, 0, all)
	for _, values := range o.Headers {
		for _, v := range values {
			joined = append(append(joined, v...), ' ')
		}
	}
	if !c.secrets.hides(string(joined)) { // one look for all of them: every page has headers
		return o
	}
	for _, values := range o.Headers {
		for i, v := range values {
			values[i] = c.secrets.Scrub(v)
		}
	}
	return o
}

// withRaw leaves of the response's body its beginning, which is shown with what went wrong. Secrets are replaced before it is
// cut: a part of one would not be found.
func (c *call) withRaw(o Outcome, in *wire.Response) Outcome {
	o.Raw, o.Body = []byte(c.secrets.prefix(string(in.Raw[:min(len(in.Raw), maxRaw+maxReach)]), maxRaw)), nil
	return o
}

func (c *call) rateLimited(ctx context.Context, o Outcome, in *wire.Response) (Outcome, error) {
	var err error
	o = c.withRaw(o, in)
	o.Kind = KindRateLimited
	if o.RetryAfter, err = c.waits(ctx, in); err != nil {
		return o, err
	}
	if o.Message == "" {
		o.Message = c.secrets.say(in.Message(mostOfMessage), maxMessage)
	}
	if o.Message == "" {
		o.Message = fmt.Sprintf("the provider responded with %d and limits its callers", in.Status)
	}
	return o, nil
}

// noPage says why a successful response cannot be a page of what was asked for, or "". Such a response must not pass for
// an empty page, which would end a list and lose the rest of it. An empty response to the first request is an empty list.
func (c *call) noPage(in *wire.Response) string {
	structured := c.m.ResponsePath != "" || c.m.Pagination != nil
	if !structured || c.m.ResponseFormat != "" || !c.m.StrictParsing || in.Status == http.StatusNoContent {
		return ""
	}
	switch in.Body.(type) {
	case nil:
		if c.list.At != nil && len(bytes.TrimSpace(in.Raw)) == 0 {
			return "the response is empty, and it is not the first page"
		}
	case string:
		if in.IsText {
			return "the response is text and not JSON: " + c.secrets.say(string(bytes.ToValidUTF8(in.Raw, nil)), maxMessage/2)
		}
	case *expr.File:
		return "the response is " + c.secrets.say(in.Header.Get("Content-Type"), maxMessage/2) + " and not JSON"
	}
	return ""
}

// problemFound is an error that a response reports.
type problemFound struct {
	status  int
	message string
}

// problem finds out whether a response reports an error, by its status or by the config's expression. The
// expression returns anything true, a message, or an object of message and status.
func (c *call) problem(ctx context.Context, in *wire.Response) (*problemFound, error) {
	var found *problemFound
	if in.Status < 200 || in.Status > 299 {
		found = &problemFound{status: in.Status, message: in.Message(mostOfMessage)}
	}
	if c.m.ErrorExpression != nil {
		scope := jsonata.NewObject(4)
		scope.Set("response", in.Body)
		scope.Set("headers", wire.HeadersObject(in.Header))
		scope.Set("status", float64(in.Status))
		scope.Set("data", in.Body) // whatever response_path says: an error is beside what it names
		v, err := c.evalResponse(ctx, c.m.ErrorPath, c.m.ErrorExpression, expr.Input{Data: scope}, in)
		if err != nil {
			return nil, err
		}
		if expr.Truthy(v) {
			found = describe(v, in)
		}
	}
	if found != nil && found.message == "" {
		found.message = fmt.Sprintf("the provider responded with %d %s", in.Status, http.StatusText(in.Status))
	}
	return found, nil
}

func describe(v expr.Value, in *wire.Response) *problemFound {
	p := &problemFound{status: in.Status}
	switch v := v.(type) {
	case string:
		p.message = v
	case *expr.Object:
		p.message = expr.Text(expr.Get(v, "message"))
		for _, key := range []string{"status", "status_code", "statusCode"} {
			if n, ok := expr.Number(expr.Get(v, key)); ok && n >= http.StatusBadRequest && n < 600 {
				p.status = int(n)
			}
		}
	}
	if p.message == "" {
		p.message = in.Message(mostOfMessage)
	}
	return p
}

func (c *call) failed(o Outcome, p *problemFound) Outcome {
	o.Kind, o.Message = KindRemoteError, c.secrets.say(p.message, maxMessage)
	if p.status != 0 {
		o.Status = p.status
	}
	if p.status == http.StatusUnauthorized {
		o.Kind = KindUnauthorized
	}
	return o
}

// page completes the outcome of a page.
func (c *call) page(ctx context.Context, o Outcome, out *wire.Request, in *wire.Response) (Outcome, error) {
	o.Data, o.Records, o.Note = in.Data, in.Records(), c.secrets.Scrub(in.Note(c.m.ResponsePath))
	o.Exact = in.IsJSON && c.m.ResponsePath == ""
	o.Verbatim = !in.IsJSON && len(in.Raw) > 0 && c.m.ResponsePath == "" && (in.IsText || c.m.ResponseFormat == "")
	if c.m.Pagination == nil {
		return o, nil
	}
	next, prev, err := c.m.Pagination.Turn(ctx, &c.list, out, in)
	if err != nil {
		return o, err
	}
	if o.NextCursor, err = c.list.Encode(next); err != nil {
		return o, wire.Unusablef("%v", err)
	}
	if o.PrevCursor, err = c.list.Encode(prev); err != nil {
		return o, wire.Unusablef("%v", err)
	}
	return o, nil
}
