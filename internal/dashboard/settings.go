package dashboard

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/dashboard/settings"
)

// set registers a page or a form about the installation.
func (h *Handler) set(e settings.Route) {
	h.route(e.Method, e.Path, e.Needs, func(r *request) (*editor.Page, error) {
		return e.Serve(&settings.Request{
			Request: r.Request, DB: h.DB, Env: r.env, Role: r.who.Role, Now: r.now, Root: Root, Server: &h.Server,
			Call: func(ctx context.Context, method, path string, body, out any) error {
				return h.administer(ctx, r, method, path, body, out)
			},
		})
	})
}

// place is an environment that the user may go to.
type place struct {
	millrace.Environment
	Href string // of the page there that is like this one
}

// places are the environments, each with its page that is like this one. What is of one environment only is left out: a row, whose list is
// like it, and filters by ids.
func (r *request) places() []place {
	base, page := Root+"/environment/", ""
	if rest, ok := strings.CutPrefix(r.URL.Path, base); ok && r.env != nil {
		parts := strings.Split(rest, "/")[1:]
		if i := slices.IndexFunc(parts, millrace.IsID); i >= 0 {
			parts = parts[:i]
		}
		if r.Method != http.MethodGet {
			parts = parts[:min(1, len(parts))]
		}
		page = strings.Join(append([]string{""}, parts...), "/")
		q := r.URL.Query()
		for name, values := range q {
			if name == "cursor" || name == "done" || len(values) != 1 || millrace.IsID(values[0]) {
				q.Del(name)
			}
		}
		if len(q) > 0 && r.Method == http.MethodGet && page == strings.TrimPrefix(rest, string(r.env.ID)) {
			page += "?" + q.Encode()
		}
	}
	out := make([]place, len(r.environments))
	for i := range r.environments {
		out[i] = place{r.environments[i], base + string(r.environments[i].ID) + page}
	}
	return out
}
