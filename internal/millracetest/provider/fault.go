package provider

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Fault is how a provider misbehaves instead of responding.
type Fault struct {
	List       string `json:"list"`        // which list of a resource with Lists; empty: any
	Page       int    `json:"page"`        // which page of a list, from 0
	Status     int    `json:"status"`      // to respond with; 0: none, see Break and Limit
	RetryAfter string `json:"retry_after"` // header
	Break      string `json:"break"`       // see the constants
	Limit      string `json:"limit"`       // see the constants
	Times      int    `json:"times"`       // how often; 0: always
}

// The ways in which a response is not what it should be.
const (
	BreakReset = "reset" // no response
	BreakHalf  = "half"  // a response that breaks off
	BreakSlow  = "slow"  // the right response, that takes its time
	BreakHTML  = "html"  // 200 and a page for people
	BreakEmpty = "empty" // 200 and nothing
	BreakTorn  = "torn"  // 200 and the first half of the response, as if it were all
)

// The ways of saying that there were too many requests, and when to come back: in a second.
const (
	LimitSeconds   = "seconds"   // 429, Retry-After: 1
	LimitDate      = "date"      // 429, Retry-After: <date>
	LimitReset     = "ratelimit" // 429, ratelimit-remaining and ratelimit-reset in seconds
	LimitEpoch     = "epoch"     // 429, X-RateLimit-Reset as seconds since 1970
	LimitBusy      = "busy"      // 503, Retry-After: 1
	LimitSilent    = "silent"    // 429 and nothing else
	LimitBody      = "body"      // 429, and only the body says when
	LimitForbidden = "forbidden" // 403, and only the message says that it is a limit
)

// Slowness is how long a slow response takes.
const Slowness = 150 * time.Millisecond

// RateLimitConfig is the rate_limit of an integration that understands all ways of saying it.
func RateLimitConfig() map[string]any {
	return map[string]any{
		"is_rate_limited": `status = 429 or (status = 503 and $exists(headers."retry-after"))` +
			` or (status = 403 and $contains($string(body.message), "rate limit"))`,
		"retry_after_header_expression": `body.retry_in ? body.retry_in : headers."retry-after"`,
	}
}

// fault returns how to misbehave on this request, or nil, and counts the request.
func (p *API) fault(res *Resource, request, list, name string, page int) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf("%s %d", name, page))
	for _, f := range res.Faults {
		if f.Page != page || f.Times < 0 || (f.List != "" && f.List != list) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				f.Times = -1
			}
		}
		return f
	}
	if p.Chaos == 0 || p.failed[request] {
		return nil
	}
	if p.random == nil {
		p.random, p.failed = rand.New(rand.NewPCG(p.Seed, 1)), map[string]bool{}
	}
	if p.random.Float64() >= p.Chaos {
		return nil
	}
	p.failed[request] = true
	faults := []*Fault{
		{Status: http.StatusTooManyRequests, RetryAfter: "1"},
		{Status: http.StatusBadGateway},
		{Status: http.StatusInternalServerError},
		{Break: BreakReset},
		{Break: BreakHalf},
		{Break: BreakSlow},
	}
	return faults[p.random.IntN(len(faults))]
}

// respond writes a body whose headers are set, or with the fault. A nil fault is none.
func (f *Fault) respond(w http.ResponseWriter, body []byte, status int) {
	if f == nil {
		f = &Fault{}
	}
	switch f.Break {
	case BreakReset:
		panic(http.ErrAbortHandler)
	case BreakHalf:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case BreakSlow:
		time.Sleep(Slowness)
	case BreakHTML:
		w.Header().Set("Content-Type", "text/html")
		body, status = []byte("<!doctype html><title>We will be back soon</title>"), http.StatusOK
	case BreakEmpty:
		body, status = nil, http.StatusOK
	case BreakTorn:
		body, status = body[:len(body)/2], http.StatusOK
	}
	switch {
	case f.Limit != "":
		f.limit(w)
		return
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		reject(w, f.Status, "something is wrong")
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// limit says that there were too many requests.
func (f *Fault) limit(w http.ResponseWriter) {
	h, status := w.Header(), http.StatusTooManyRequests
	soon := time.Now().Add(1100 * time.Millisecond)
	body := map[string]any{"message": "slow down"}
	switch f.Limit {
	case LimitSeconds:
		h.Set("Retry-After", "1")
	case LimitDate:
		h.Set("Retry-After", soon.UTC().Format(http.TimeFormat))
	case LimitReset:
		h.Set("ratelimit-remaining", "0")
		h.Set("ratelimit-reset", "1")
	case LimitEpoch:
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(soon.Unix(), 10))
	case LimitBusy:
		h.Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	case LimitBody:
		body["retry_in"] = 1
	case LimitForbidden:
		status = http.StatusForbidden
		body["message"], body["retry_in"] = "You have exceeded a secondary rate limit", 1
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
