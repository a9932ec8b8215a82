package rest

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/store"
)

// Config is what a router needs.
type Config struct {
	DB *store.DB
	// TokenLimit bounds the requests in 10 seconds for each API token. 0: no limit.
	TokenLimit int
	// MethodNote says what to do instead of a method that a resource does not have.
	MethodNote func(resource string) string
	// Unserved returns the feature, in the plural, that a path of the reference belongs to and that there is not; empty: none.
	Unserved func(path string) string

	Observe func(route string, status int, took time.Duration) // receives each request; may be nil
	Logger  *slog.Logger
	Clock   func() time.Time
	MaxBody int64        // bytes of a request body
	Memory  memory.Pools // what all requests may take at once
}

// Router serves the routes that handle registers on it.
type Router struct {
	cfg      Config
	mux      *http.ServeMux
	huma     huma.API
	registry huma.Registry
	tokens   *tokens
	limit    *Limit // of each token

	needed   map[string]Need // by route
	paths    []string
	openJSON func() ([]byte, error) // rendered when they are first asked for: it takes longer than the rest of a start
	openYAML func() ([]byte, error)
}

// New returns a router without routes. When it has all of them, complete has to be called.
func New(cfg Config) *Router {
	if cfg.Unserved == nil {
		cfg.Unserved = func(string) string { return "" }
	}
	r := &Router{cfg: cfg, mux: http.NewServeMux(), needed: map[string]Need{}}
	r.huma = newHuma(r.mux)
	r.registry = r.huma.OpenAPI().Components.Schemas
	r.tokens = newTokens(cfg.DB, cfg.Clock)
	r.limit = NewLimit("API token", cfg.TokenLimit, cfg.Clock)
	return r
}

// OpenAPIJSON returns the OpenAPI document of the routes.
func (r *Router) OpenAPIJSON() ([]byte, error) { return r.openJSON() }

// OpenAPIYAML returns the same document as YAML.
func (r *Router) OpenAPIYAML() ([]byte, error) { return r.openYAML() }
