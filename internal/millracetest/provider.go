package millracetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Provider is a third-party API that is described by data. Its lists are at /<resource>, or at
// /<parent>/<id>/<resource> for a resource with a parent; every answer is {"data": [...], "next_cursor": ...}.
type Provider struct {
	Key       string               `json:"key"` // callers send it as a bearer token; empty: any
	Resources map[string]*Resource `json:"resources"`

	// Chaos makes some requests fail, at random but the same for the same seed and the same order of requests: the share
	// of pages whose first request fails. A page fails once.
	Chaos float64 `json:"chaos"`
	Seed  uint64  `json:"seed"`

	mu     sync.Mutex
	random *rand.Rand
	failed map[string]bool
	calls  []string
}

// Resource is one list of a provider.
type Resource struct {
	Parent     string           `json:"parent"`
	Pagination string           `json:"pagination"` // offset, page, cursor; empty: one page
	PageSize   int              `json:"page_size"`
	Count      int              `json:"count"` // so many records are made up: {"id": "<resource>-<n>", "n": <n>, "parent": "<id>"}
	Records    []map[string]any `json:"records"`
	Faults     []*Fault         `json:"faults"`
}

// Fault is how a provider misbehaves instead of answering.
type Fault struct {
	Page       int    `json:"page"`        // which page of a list, from 0
	Status     int    `json:"status"`      // to answer with; 0: none, see Break
	RetryAfter string `json:"retry_after"` // header
	Break      string `json:"break"`       // reset: no answer; half: an answer that breaks off; slow: an answer that takes its time
	Times      int    `json:"times"`       // how often; 0: always
}

// slowness is how long a slow answer takes.
const slowness = 150 * time.Millisecond

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, parent, ok := p.find(r.URL.Path)
	if !ok {
		refuse(w, http.StatusNotFound, "no such resource")
		return
	}
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if key == "" || (p.Key != "" && key != p.Key) {
		refuse(w, http.StatusUnauthorized, "API key is missing or wrong")
		return
	}
	res := p.Resources[name]
	page, size, err := res.page(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	all := res.all(name, parent, key)
	from := min(page*size, len(all))
	to := min(from+size, len(all))
	body := map[string]any{"data": all[from:to], "next_cursor": nil}
	if to < len(all) && res.Pagination == "cursor" {
		body["next_cursor"] = cursorOf(page + 1)
	}
	answer, _ := json.Marshal(body)
	p.answer(w, p.fault(res, key+r.URL.String(), name, page), answer)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// find returns the resource at a path and the id of the parent in it.
func (p *Provider) find(path string) (string, string, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name, owner, parent := parts[len(parts)-1], "", ""
	switch len(parts) {
	case 1:
	case 3:
		owner, parent = parts[0], parts[1]
	default:
		return "", "", false
	}
	res := p.Resources[name]
	return name, parent, res != nil && res.Parent == owner
}

// page returns the number of the page that a request asks for, and its size.
func (res *Resource) page(r *http.Request) (int, int, error) {
	q := r.URL.Query()
	number := func(name string, absent int) (int, error) {
		if q.Get(name) == "" {
			return absent, nil
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s is not a number", name)
		}
		return n, nil
	}
	size := max(res.PageSize, 1)
	switch res.Pagination {
	case "offset":
		offset, err := number("offset", 0)
		if err == nil && offset%size != 0 {
			err = fmt.Errorf("offset %d is not at a page of %d", offset, size)
		}
		return offset / size, size, err
	case "page":
		n, err := number("page", 1)
		return n - 1, size, err
	case "cursor":
		for n := range 1000 {
			if n == 0 && !q.Has("cursor") || q.Get("cursor") == cursorOf(n) {
				return n, size, nil
			}
		}
		return 0, 0, errors.New("the cursor is wrong")
	}
	return 0, 1 << 30, nil
}

// cursorOf makes cursors that are not numbers.
func cursorOf(page int) string { return fmt.Sprintf("c%x", page*7919+13) }

// all returns the records of a list. Those that are made up are told apart by the caller's key, so that records of two
// accounts are never the same.
func (res *Resource) all(name, parent, key string) []map[string]any {
	if res.Records != nil {
		if res.Parent == "" {
			return res.Records
		}
		var own []map[string]any
		for _, r := range res.Records {
			if fmt.Sprint(r["parent"]) == parent {
				own = append(own, r)
			}
		}
		return slices.Clip(append([]map[string]any{}, own...))
	}
	out := make([]map[string]any, res.Count)
	for i := range out {
		out[i] = map[string]any{"id": fmt.Sprintf("%s-%d", name, i), "n": i, "key": key}
		if parent != "" {
			out[i]["id"], out[i]["parent"] = fmt.Sprintf("%s-%s-%d", parent, name, i), parent
		}
	}
	return out
}

// fault returns how to misbehave on this request, or nil, and counts the request.
func (p *Provider) fault(res *Resource, request, name string, page int) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf("%s %d", name, page))
	for _, f := range res.Faults {
		if f.Page != page || f.Times < 0 {
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
		{Break: "reset"},
		{Break: "half"},
		{Break: "slow"},
	}
	return faults[p.random.IntN(len(faults))]
}

func (p *Provider) answer(w http.ResponseWriter, f *Fault, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f == nil:
		_, _ = w.Write(body)
	case f.Break == "reset":
		panic(http.ErrAbortHandler)
	case f.Break == "half":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case f.Break == "slow":
		time.Sleep(slowness)
		_, _ = w.Write(body)
	default:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		refuse(w, f.Status, "something is wrong")
	}
}

// Calls returns which pages were asked for, in order, as "<resource> <page from 0>".
func (p *Provider) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}
