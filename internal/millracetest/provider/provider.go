package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// API is the API of a provider, described by data. Its lists are at /<resource>, or at
// /<parent>/<id>/<resource> for a resource with a parent; a response is {"data": [...]} with what its pagination adds.
type API struct {
	Key         string               `json:"key"` // callers send it as a bearer token; empty: any
	Resources   map[string]*Resource `json:"resources"`
	ExpireAfter int                  `json:"expire_after"` // the key is rejected for every page that was not requested before so many others; 0: never

	// Chaos makes some requests fail, at random but the same for the same seed and the same order of requests: the share
	// of pages whose first request fails. A page fails once.
	Chaos float64 `json:"chaos"`
	Seed  uint64  `json:"seed"`

	mu     sync.Mutex
	random *rand.Rand
	failed map[string]bool
	known  map[string]bool // pages that were asked for before the key expired
	calls  []string
}

// Host are the APIs of several providers on one address, each below a path of its own: /<name>/.
type Host struct {
	mu     sync.Mutex
	byName map[string]*API
}

// Add adds a provider, or replaces the one of that name.
func (p *Host) Add(name string, one *API) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName == nil {
		p.byName = map[string]*API{}
	}
	p.byName[name] = one
}

// ServeHTTP implements http.Handler.
func (p *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p.mu.Lock()
	one := p.byName[name]
	p.mu.Unlock()
	if one == nil {
		reject(w, http.StatusNotFound, "no such API")
		return
	}
	one.ServeHTTP(w, r)
}

// ServeHTTP implements http.Handler.
func (p *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, parent, ok := p.find(r.URL.Path)
	if !ok {
		reject(w, http.StatusNotFound, "no such resource")
		return
	}
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if key == "" || (p.Key != "" && key != p.Key) {
		reject(w, http.StatusUnauthorized, "API key is missing or wrong")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the caller was killed
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	res := p.Resources[name]
	l := res.list(r, name, parent, key)
	page, err := res.position(r, body, l)
	if err != nil {
		reject(w, http.StatusBadRequest, err.Error())
		return
	}
	if p.expired(l.key+name, page) {
		reject(w, http.StatusUnauthorized, "the token has expired")
		return
	}
	encoded, _ := json.Marshal(res.write(w.Header(), r, l, page))
	p.fault(res, key+r.URL.String(), l.key, name, page).respond(w, encoded, res.status(w.Header()))
}

func reject(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// find returns the resource at a path and the id of the parent in it. What is before the last three parts of a path is
// that of the API.
func (p *API) find(path string) (string, string, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := parts[len(parts)-1]
	res := p.Resources[name]
	switch {
	case res == nil:
		return "", "", false
	case res.Parent == "":
		return name, "", len(parts) <= 2
	case len(parts) < 3 || parts[len(parts)-3] != res.Parent:
		return "", "", false
	}
	return name, parts[len(parts)-2], true
}

// expired reports whether the key is no longer good for a page. A page that was served before is served again, so
// that a caller who dies in the middle finds the same world.
func (p *API) expired(list string, page int) bool {
	if p.ExpireAfter == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]bool{}
	}
	id := fmt.Sprintf("%s %d", list, page)
	if !p.known[id] && len(p.known) >= p.ExpireAfter {
		return true
	}
	p.known[id] = true
	return false
}

// Calls returns which pages were asked for, in order, as "<resource> <page from 0>".
func (p *API) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}
