package dashboard

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
)

// edit registers a page or a form of the editor.
func (h *Handler) edit(e editor.Route) {
	h.route(e.Method, "/environment/{env}/"+e.Path, e.Needs, func(r *request) (*editor.Page, error) { return e.Serve(h.editing(r)) })
}

// route registers a page or a form that says what to show or where to go.
func (h *Handler) route(method, path string, needs millrace.Role, serve func(*request) (*editor.Page, error)) {
	h.mux.HandleFunc(method+" "+Root+path, func(w http.ResponseWriter, r *http.Request) {
		req, ok := h.enter(w, r, needs)
		if !ok {
			return
		}
		page, err := serve(req)
		switch {
		case err != nil:
			h.fail(w, r, req, err)
		case page.To != "":
			http.Redirect(w, r, page.To, http.StatusSeeOther)
		case page.Raw != nil:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(page.Raw)
		default:
			h.render(req, &view{name: page.Name, title: page.Title, body: page.Body, live: page.Live}, max(page.Status, http.StatusOK), notice{done: doneText(r.URL.Query().Get("done"))})
		}
	})
}

// editing is a request as the editor sees it.
func (h *Handler) editing(r *request) *editor.Request {
	return &editor.Request{
		Request: r.Request, DB: h.DB, Env: r.env.ID, Base: strings.TrimSuffix(r.path(""), "/"), Sees: r.sees(), Steers: r.steers(),
		Call: func(ctx context.Context, c *editor.Call) (*editor.Response, error) {
			w, err := h.ask(ctx, r, c.Method, c.Path, c.MediaType, c.Body)
			if err != nil {
				return nil, err
			}
			out := &editor.Response{Body: w.body.Bytes()}
			for _, warning := range w.header.Values("Warning") {
				_, text, _ := strings.Cut(warning, "\"")
				if text, err = strconv.Unquote("\"" + text); err == nil {
					out.Warnings = append(out.Warnings, text)
				}
			}
			return out, nil
		},
	}
}
