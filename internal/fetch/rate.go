package fetch

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

const (
	minWait = time.Second
	maxWait = 24 * time.Hour
)

// RateLimit is what the headers of an answer say about the third party's limit.
type RateLimit struct {
	Known     bool // Remaining is
	Limit     int64
	Remaining int64
	Reset     time.Duration // until the limit starts anew
}

// headerName matches the name of a header, such as Retry-After, where an expression is expected.
var headerName = regexp.MustCompile(`^[A-Za-z]+(-[A-Za-z]+)+$`)

// rateLimit says how to recognise a rate limit and for how long to wait.
type rateLimit struct {
	path      string
	isLimited *expr.Program // nil: by the status
	wait      *headerValue  // seconds
	reset     *headerValue  // point in time, or an object of limit, remaining and reset
}

// headerValue is an expression over headers and status, or just the name of a header.
type headerValue struct {
	path    string
	program *expr.Program
	header  string
}

func parseRateLimit(f field) *rateLimit {
	f.object()
	f.known("is_rate_limited", "retry_after_header_expression", "rate_limit_header_expression")
	if !f.present() {
		return nil
	}
	r := &rateLimit{path: f.path}
	limited := f.get("is_rate_limited")
	// A plain true only says that the API has limits, which is recognised by the status.
	if _, plain := limited.value.(bool); !plain && limited.value != "true" {
		r.isLimited = limited.program()
	}
	r.wait = parseHeaderValue(f.get("retry_after_header_expression"))
	r.reset = parseHeaderValue(f.get("rate_limit_header_expression"))
	return r
}

func parseHeaderValue(f field) *headerValue {
	if s, ok := f.value.(string); ok && headerName.MatchString(s) {
		return &headerValue{header: s}
	}
	if _, plain := f.value.(bool); plain {
		return nil
	}
	if p := f.program(); p != nil {
		return &headerValue{path: f.path, program: p}
	}
	return nil
}

// check tells whether an answer says "slow down".
func (r *rateLimit) check(ctx context.Context, c *call, in *incoming) (bool, error) {
	if in.status == http.StatusTooManyRequests {
		return true, nil
	}
	if r == nil || r.isLimited == nil {
		return c.looksLimited(in), nil
	}
	v, err := c.evalAnswer(ctx, r.path+".is_rate_limited", r.isLimited, rateInput(in), in)
	return expr.Truthy(v), err
}

// looksLimited recognises a limit that is not called 429: 503 with Retry-After, and 403 with it or with nothing left.
func (c *call) looksLimited(in *incoming) bool {
	switch in.status {
	case http.StatusServiceUnavailable:
		return in.header.Get("Retry-After") != ""
	case http.StatusForbidden:
		now := c.fetcher.clock()
		limit := readRateLimit(in.header, now)
		return retryAfter(in.header.Get("Retry-After"), now) > 0 || limit.Known && limit.Remaining == 0 && limit.Reset > 0
	}
	return false
}

// rateInput is the scope of these expressions, with the variables that other clients' configs use. The body is there
// because some third parties say only in it that they limit, or for how long.
func rateInput(in *incoming) expr.Input {
	headers := headersObject(in.header)
	response := jsonata.NewObject(3)
	response.Set("status", float64(in.status))
	response.Set("headers", headers)
	response.Set("body", in.body)
	scope := jsonata.NewObject(4)
	scope.Set("headers", headers)
	scope.Set("status", float64(in.status))
	scope.Set("body", in.body)
	scope.Set("response", response)
	return expr.Input{Data: scope, Bindings: map[string]expr.Value{
		"headers": headers, "header": headers, "status": float64(in.status), "response": response,
	}}
}

// waits returns how long to wait after an answer that says "slow down": the longest of what it says, or 0 when it says
// nothing that makes sense.
func (r *rateLimit) waits(ctx context.Context, c *call, in *incoming) (time.Duration, error) {
	now := c.fetcher.clock()
	wait := retryAfter(in.header.Get("Retry-After"), now)
	if limit := readRateLimit(in.header, now); limit.Remaining == 0 && wait == 0 {
		wait = limit.Reset
	}
	if r != nil {
		v, err := r.wait.eval(ctx, c, in)
		if err != nil {
			return 0, err
		}
		wait = max(wait, retryAfter(textOf(v), now))
		if v, err = r.reset.eval(ctx, c, in); err != nil {
			return 0, err
		}
		if o, ok := v.(*expr.Object); ok {
			v, _ = o.Get("reset")
		}
		wait = max(wait, untilReset(textOf(v), now))
	}
	if wait <= 0 {
		return 0, nil
	}
	return min(max(wait, minWait), maxWait), nil
}

// limits returns what the headers say, in the config's words if it has some.
func (r *rateLimit) limits(ctx context.Context, c *call, in *incoming) (RateLimit, error) {
	now := c.fetcher.clock()
	limit := readRateLimit(in.header, now)
	if r == nil {
		return limit, nil
	}
	v, err := r.reset.eval(ctx, c, in)
	if err != nil || v == nil {
		return limit, err
	}
	o, ok := v.(*expr.Object)
	if !ok {
		if reset := untilReset(textOf(v), now); reset > 0 {
			limit.Reset = reset
		}
		return limit, nil
	}
	read := func(name string) (float64, bool) { return number(memberOf(o, name)) }
	n, hasLimit := read("limit")
	remaining, hasRemaining := read("remaining")
	if hasLimit || hasRemaining {
		limit = RateLimit{Known: hasRemaining && remaining >= 0, Limit: toInt(n), Remaining: toInt(remaining)}
	}
	if reset, ok := o.Get("reset"); ok {
		limit.Reset = untilReset(textOf(reset), now)
	}
	return limit, nil
}

func (h *headerValue) eval(ctx context.Context, c *call, in *incoming) (expr.Value, error) {
	switch {
	case h == nil:
		return nil, nil
	case h.header != "":
		return in.header.Get(h.header), nil
	}
	return c.evalAnswer(ctx, h.path, h.program, rateInput(in), in)
}

// readRateLimit reads the usual headers.
func readRateLimit(h http.Header, now time.Time) RateLimit {
	for _, prefix := range []string{"Ratelimit-", "X-Ratelimit-", "X-Rate-Limit-"} {
		limit, hasLimit := number(firstOf(h.Get(prefix + "Limit")))
		remaining, hasRemaining := number(firstOf(h.Get(prefix + "Remaining")))
		reset := untilReset(firstOf(h.Get(prefix+"Reset")), now)
		if hasLimit || hasRemaining || reset > 0 {
			// Less than nothing is how some say that there is no limit.
			return RateLimit{Known: hasRemaining && remaining >= 0, Limit: toInt(limit), Remaining: toInt(remaining), Reset: reset}
		}
	}
	return readHubSpot(h)
}

// readHubSpot reads HubSpot's headers, which say how long a window is and not when it ends.
func readHubSpot(h http.Header) RateLimit {
	const prefix = "X-Hubspot-Ratelimit-"
	remaining, known := number(h.Get(prefix + "Remaining"))
	if !known || !(remaining >= 0) {
		return RateLimit{}
	}
	limit, _ := number(h.Get(prefix + "Max"))
	window, _ := number(h.Get(prefix + "Interval-Milliseconds"))
	return RateLimit{Known: true, Limit: toInt(limit), Remaining: toInt(remaining), Reset: seconds(window / 1000)}
}

// firstOf returns a value without its parameters and further values: "100, 100;w=60" is 100.
func firstOf(s string) string {
	if i := strings.IndexAny(s, ",;"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

// retryAfter reads seconds, or a date as HTTP writes it.
func retryAfter(s string, now time.Time) time.Duration {
	if n, ok := number(s); ok {
		return seconds(n)
	}
	if t, err := http.ParseTime(strings.TrimSpace(s)); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// untilReset reads a point in time as seconds or milliseconds since 1970, as a date, or as seconds from now.
func untilReset(s string, now time.Time) time.Duration {
	n, ok := number(s)
	switch {
	case !ok:
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(s)); err == nil {
			return max(0, t.Sub(now))
		}
		return retryAfter(s, now)
	case n >= 1e11:
		return max(0, seconds(n/1000-float64(now.UnixMilli())/1000))
	case n >= 1e9:
		return max(0, seconds(n-float64(now.UnixMilli())/1000))
	}
	return seconds(n)
}

// seconds converts, within bounds: headers are hostile input.
func seconds(n float64) time.Duration {
	if math.IsNaN(n) || n <= 0 {
		return 0
	}
	return time.Duration(min(n, maxWait.Seconds()) * float64(time.Second))
}

func toInt(f float64) int64 {
	if math.IsNaN(f) || f < 0 {
		return 0
	}
	return int64(min(f, 1<<53))
}
