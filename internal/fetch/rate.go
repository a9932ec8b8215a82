package fetch

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

const (
	minWait = time.Second
	maxWait = 24 * time.Hour
)

// RateLimit is what the headers of a response say about the provider's limit.
type RateLimit struct {
	Known     bool // Remaining is
	Limit     int64
	Remaining int64
	Reset     time.Duration // until the limit starts anew
}

// isLimited tells whether a response says "slow down".
func (c *call) isLimited(ctx context.Context, in *wire.Response) (bool, error) {
	r := c.cfg.RateLimit
	if in.Status == http.StatusTooManyRequests {
		return true, nil
	}
	if r == nil || r.IsLimited == nil {
		return c.looksLimited(in), nil
	}
	v, err := c.evalResponse(ctx, r.Path+".is_rate_limited", r.IsLimited, rateInput(in), in)
	return expr.Truthy(v), err
}

// looksLimited recognises a limit that is not called 429: 503 with Retry-After, and 403 with it or with nothing left.
func (c *call) looksLimited(in *wire.Response) bool {
	switch in.Status {
	case http.StatusServiceUnavailable:
		return in.Header.Get("Retry-After") != ""
	case http.StatusForbidden:
		now := c.fetcher.clock()
		limit := readRateLimit(in.Header, now)
		return retryAfter(in.Header.Get("Retry-After"), now) > 0 || limit.Known && limit.Remaining == 0 && limit.Reset > 0
	}
	return false
}

// rateInput is the scope of these expressions, with the variables that other clients' configs use. The body is there
// because some providers say only in it that they limit, or for how long.
func rateInput(in *wire.Response) expr.Input {
	headers := wire.HeadersObject(in.Header)
	response := jsonata.NewObject(3)
	response.Set("status", float64(in.Status))
	response.Set("headers", headers)
	response.Set("body", in.Body)
	scope := jsonata.NewObject(4)
	scope.Set("headers", headers)
	scope.Set("status", float64(in.Status))
	scope.Set("body", in.Body)
	scope.Set("response", response)
	return expr.Input{Data: scope, Bindings: map[string]expr.Value{
		"headers": headers, "header": headers, "status": float64(in.Status), "response": response,
	}}
}

// waits returns how long to wait after a response that says "slow down": the longest of what it says, or 0 when it says
// nothing that makes sense.
func (c *call) waits(ctx context.Context, in *wire.Response) (time.Duration, error) {
	r := c.cfg.RateLimit
	now := c.fetcher.clock()
	wait := retryAfter(in.Header.Get("Retry-After"), now)
	if limit := readRateLimit(in.Header, now); limit.Remaining == 0 && wait == 0 {
		wait = limit.Reset
	}
	if r != nil {
		v, err := c.headerValue(ctx, r.Wait, in)
		if err != nil {
			return 0, err
		}
		wait = max(wait, retryAfter(expr.Text(v), now))
		if v, err = c.headerValue(ctx, r.Reset, in); err != nil {
			return 0, err
		}
		if o, ok := v.(*expr.Object); ok {
			v, _ = o.Get("reset")
		}
		wait = max(wait, untilReset(expr.Text(v), now))
	}
	if wait <= 0 {
		return 0, nil
	}
	return min(max(wait, minWait), maxWait), nil
}

// limits returns what the headers say, in the config's words if it has some.
func (c *call) limits(ctx context.Context, in *wire.Response) (RateLimit, error) {
	r := c.cfg.RateLimit
	now := c.fetcher.clock()
	limit := readRateLimit(in.Header, now)
	if r == nil {
		return limit, nil
	}
	v, err := c.headerValue(ctx, r.Reset, in)
	if err != nil || v == nil {
		return limit, err
	}
	o, ok := v.(*expr.Object)
	if !ok {
		if reset := untilReset(expr.Text(v), now); reset > 0 {
			limit.Reset = reset
		}
		return limit, nil
	}
	read := func(name string) (float64, bool) { return expr.Number(expr.Get(o, name)) }
	n, hasLimit := read("limit")
	remaining, hasRemaining := read("remaining")
	if hasLimit || hasRemaining {
		limit = RateLimit{Known: hasRemaining && remaining >= 0, Limit: toInt(n), Remaining: toInt(remaining)}
	}
	if reset, ok := o.Get("reset"); ok {
		limit.Reset = untilReset(expr.Text(reset), now)
	}
	return limit, nil
}

// headerValue evaluates what the config says of a header.
func (c *call) headerValue(ctx context.Context, h *config.HeaderValue, in *wire.Response) (expr.Value, error) {
	switch {
	case h == nil:
		return nil, nil
	case h.Header != "":
		return in.Header.Get(h.Header), nil
	}
	return c.evalResponse(ctx, h.Path, h.Program, rateInput(in), in)
}

// readRateLimit reads the usual headers.
func readRateLimit(h http.Header, now time.Time) RateLimit {
	for _, prefix := range []string{"Ratelimit-", "X-Ratelimit-", "X-Rate-Limit-"} {
		limit, hasLimit := expr.Number(firstOf(h.Get(prefix + "Limit")))
		remaining, hasRemaining := expr.Number(firstOf(h.Get(prefix + "Remaining")))
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
	remaining, known := expr.Number(h.Get(prefix + "Remaining"))
	if !known || !(remaining >= 0) {
		return RateLimit{}
	}
	limit, _ := expr.Number(h.Get(prefix + "Max"))
	window, _ := expr.Number(h.Get(prefix + "Interval-Milliseconds"))
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
	if n, ok := expr.Number(s); ok {
		return seconds(n)
	}
	if t, err := http.ParseTime(strings.TrimSpace(s)); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// untilReset reads a point in time as seconds or milliseconds since 1970, as a date, or as seconds from now.
func untilReset(s string, now time.Time) time.Duration {
	n, ok := expr.Number(s)
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
