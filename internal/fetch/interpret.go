package fetch

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// interpret decides what an answer means. A rate limit comes first: it says nothing about the request itself.
func (c *call) interpret(ctx context.Context, out *outgoing, in *incoming) (Outcome, error) {
	unreadable := in.decode(c.m, c.stream) // about the answer, not about us
	in.read(c.m)
	o := c.outcome(KindOK, in)
	var err error
	if o.RateLimit, err = c.cfg.rateLimit.limits(ctx, c, in); err != nil {
		return o, err
	}
	limited, err := c.cfg.rateLimit.check(ctx, c, in)
	if err != nil {
		return o, err
	}
	if limited {
		return c.rateLimited(ctx, o, in)
	}
	if c.isEndOfRange(in) {
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
		return c.unusable(in, &remoteError{message: unreadable.Error(), class: classUnreadable}), nil //nolint:nilerr // what a third party answers is an outcome
	}
	if reason := c.noPage(in); reason != "" {
		return c.unusable(in, &remoteError{message: reason, class: classUnreadable}), nil
	}
	o, err = c.page(ctx, o, out, in)
	if err == nil {
		c.hideEchoes(&o)
	}
	return o, err
}

// outcome is what all outcomes of an answer have in common.
func (c *call) outcome(kind Kind, in *incoming) Outcome {
	o := Outcome{Kind: kind, Status: in.status, Headers: http.Header{}, Body: in.raw, Foreign: c.m.foreignAuth}
	all := 0
	for name, values := range in.header {
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

// withRaw leaves of the answer's body its beginning, which is shown with what went wrong. Secrets are replaced before it is
// cut: a part of one would not be found.
func (c *call) withRaw(o Outcome, in *incoming) Outcome {
	o.Raw, o.Body = []byte(c.secrets.prefix(string(in.raw[:min(len(in.raw), maxRaw+maxReach)]), maxRaw)), nil
	return o
}

func (c *call) rateLimited(ctx context.Context, o Outcome, in *incoming) (Outcome, error) {
	var err error
	o = c.withRaw(o, in)
	o.Kind = KindRateLimited
	if o.RetryAfter, err = c.cfg.rateLimit.waits(ctx, c, in); err != nil {
		return o, err
	}
	if o.Message == "" {
		o.Message = c.secrets.say(in.message(), maxMessage)
	}
	if o.Message == "" {
		o.Message = fmt.Sprintf("the third party answered %d and limits its callers", in.status)
	}
	return o, nil
}

// isEndOfRange: a range behind the last record is how some APIs say that there is nothing more.
func (c *call) isEndOfRange(in *incoming) bool {
	_, isRange := c.m.pagination.(*rangePager)
	return isRange && in.status == http.StatusRequestedRangeNotSatisfiable
}

// noPage says why an answer of success cannot be a page of what was asked for, or "". Such an answer must not pass for
// an empty page, which would end a list and lose the rest of it. An empty answer to the first request is an empty list.
func (c *call) noPage(in *incoming) string {
	structured := c.m.responsePath != "" || c.m.pagination != nil
	if !structured || c.m.responseFormat != "" || !c.m.strictParsing || in.status == http.StatusNoContent {
		return ""
	}
	switch in.body.(type) {
	case nil:
		if c.at != nil && len(bytes.TrimSpace(in.raw)) == 0 {
			return "the answer is empty, and it is not the first page"
		}
	case string:
		if in.isText {
			return "the answer is text and not JSON: " + c.secrets.say(string(bytes.ToValidUTF8(in.raw, nil)), maxMessage/2)
		}
	case *expr.File:
		return "the answer is " + c.secrets.say(in.header.Get("Content-Type"), maxMessage/2) + " and not JSON"
	}
	return ""
}

// problemFound is an error that an answer reports.
type problemFound struct {
	status  int
	message string
}

// problem finds out whether an answer reports an error, by its status or by the config's expression. The
// expression returns anything true, a message, or an object of message and status.
func (c *call) problem(ctx context.Context, in *incoming) (*problemFound, error) {
	var found *problemFound
	if in.status < 200 || in.status > 299 {
		found = &problemFound{status: in.status, message: in.message()}
	}
	if c.m.errorExpression != nil {
		scope := jsonata.NewObject(4)
		scope.Set("response", in.body)
		scope.Set("headers", headersObject(in.header))
		scope.Set("status", float64(in.status))
		scope.Set("data", in.data)
		v, err := c.evalAnswer(ctx, c.m.errorPath, c.m.errorExpression, expr.Input{Data: scope}, in)
		if err != nil {
			return nil, err
		}
		if expr.Truthy(v) {
			found = describe(v, in)
		}
	}
	if found != nil && found.message == "" {
		found.message = fmt.Sprintf("the third party answered %d %s", in.status, http.StatusText(in.status))
	}
	return found, nil
}

func describe(v expr.Value, in *incoming) *problemFound {
	p := &problemFound{status: in.status}
	switch v := v.(type) {
	case string:
		p.message = v
	case *expr.Object:
		p.message = textOf(memberOf(v, "message"))
		for _, key := range []string{"status", "status_code", "statusCode"} {
			if n, ok := number(memberOf(v, key)); ok && n >= http.StatusBadRequest && n < 600 {
				p.status = int(n)
			}
		}
	}
	if p.message == "" {
		p.message = in.message()
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
func (c *call) page(ctx context.Context, o Outcome, out *outgoing, in *incoming) (Outcome, error) {
	o.Data, o.Records, o.Note = in.data, in.records(), c.secrets.Scrub(in.note(c.m))
	o.Exact = in.isJSON && c.m.responsePath == ""
	if c.m.pagination == nil {
		return o, nil
	}
	next, prev, err := c.m.pagination.turn(ctx, c, out, in)
	if err != nil {
		return o, err
	}
	if o.NextCursor, err = c.encode(next); err != nil {
		return o, c.remote("%v", err)
	}
	if o.PrevCursor, err = c.encode(prev); err != nil {
		return o, c.remote("%v", err)
	}
	return o, nil
}
