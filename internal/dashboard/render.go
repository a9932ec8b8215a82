package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/show"
	"github.com/millrace/millrace/internal/httpapi/rest"
)

// parse reads the templates: each page is a file that fills the frame of layout.html.
func parse() (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "html/*.html")
	if err != nil {
		return nil, err
	}
	base, err := template.New("").Funcs(show.Functions()).ParseFS(files, "html/layout.html", "html/parts.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page == "layout" || page == "parts" {
			continue
		}
		clone, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if pages[page], err = clone.ParseFS(files, name); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// notice is what a page says above all else.
type notice struct{ done, problem string }

// frame is what the layout shows.
type frame struct {
	Title        string
	Page         string
	Nav          []navItem
	Who          string
	Role         millrace.Role
	SignedIn     bool
	Env          *millrace.Environment
	Environments []place
	Base         string // of the pages of the environment
	Query        string // of the search
	Live         string // where changes of the page are told; empty: it does not change
	Done         string
	Problem      string
	Failures     []millrace.Failure
	Now          millrace.Time
	Steers       bool // the person may do more than look
	Sees         bool // the person may see payloads
	Administers  bool // the person may see the server
	Body         any
}

type navItem struct {
	Name, Href string
	Here       bool
}

// nav is the way to the lists.
func (r *request) nav() []navItem {
	if r.env == nil {
		return nil
	}
	base := Root + "/environment/" + string(r.env.ID)
	items := []navItem{
		{"Home", base, r.URL.Path == base},
		{"Runs", base + "/runs", false},
		{"Events", base + "/events", false},
		{"Accounts", base + "/accounts", false},
		{"Webhooks", base + "/webhooks", false},
		{"Deliveries", base + "/deliveries", false},
		{"Workflows", base + "/workflows", false},
		{"Workflow runs", base + "/workflow-runs", false},
		{"Sync jobs", base + "/sync-jobs", false},
		{"Schedules", base + "/schedules", false},
		{"Integrations", base + "/integrations", false},
		{"Inbound hooks", base + "/inbound-hooks", false},
		{"Logs", base + "/logs", false},
		{"Notifications", base + "/notification-destinations", false},
		{"API tokens", base + "/tokens", false},
		{"Audit", base + "/audit", false},
		{"Settings", base + "/settings", false},
	}
	for i := range items[1:] {
		it := &items[i+1]
		it.Here = r.URL.Path == it.Href || strings.HasPrefix(r.URL.Path, it.Href+"/")
	}
	return items
}

// frame returns the layout for a request.
func (r *request) frame(page, title string) frame {
	f := frame{Title: title, Page: page, Now: r.now, Environments: r.places(), Env: r.env, Nav: r.nav()}
	if r.who != nil {
		f.SignedIn, f.Who, f.Role = true, r.who.Email, r.who.Role
		f.Steers, f.Sees, f.Administers = r.steers(), r.who.SeesPayloads, r.who.Role.AtLeast(millrace.RoleAdmin)
	}
	if r.env != nil {
		f.Base, f.Query = Root+"/environment/"+string(r.env.ID), r.URL.Query().Get("q")
	}
	return f
}

// render writes a page.
func (h *Handler) render(r *request, v *view, status int, n notice) {
	f := r.frame(v.name, v.title)
	f.Done, f.Problem, f.Body = n.done, n.problem, v.body
	if r.env != nil && v.live {
		f.Live = f.Base + "/live?seen=" + stateMark + "&page=" + template.URLQueryEscaper(r.URL.RequestURI())
	}
	h.write(r.w, r.Request, f, status)
}

// write writes a page as a whole or not at all.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, f frame, status int) {
	var b bytes.Buffer
	if err := h.pages[f.Page].ExecuteTemplate(&b, "layout", f); err != nil {
		h.Logger.ErrorContext(r.Context(), "a page cannot be shown", slog.String("page", f.Page), slog.Any("err", err))
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	body := b.Bytes()
	if f.Live != "" {
		state := stateOf(body)
		body = bytes.ReplaceAll(body, []byte(stateMark), []byte(state))
		w.Header().Set(stateHeader, state)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// fail shows an error. One that is ours shows no more than the log line has.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, req *request, err error) {
	if errors.Is(err, r.Context().Err()) && r.Context().Err() != nil {
		return // the browser has gone
	}
	if req == nil {
		req = &request{Request: r, w: w, now: millrace.TimeOf(h.Clock())}
	}
	status := rest.StatusOf(millrace.KindOf(err))
	f := req.frame("error", http.StatusText(status))
	var known *millrace.Error
	switch {
	case status == http.StatusInternalServerError:
		id := millrace.NewID[string]()
		f.Problem = fmt.Sprintf("This is our fault. The log has the reason under the id %s.", id)
		h.Logger.ErrorContext(r.Context(), "page failed", slog.String("id", id), slog.String("path", r.URL.Path), slog.Any("err", err))
	case errors.As(err, &known):
		f.Problem, f.Failures = known.Message, known.Failures
	}
	if r.Method == http.MethodPost {
		f.Body = back(r)
	}
	h.write(w, r, f, status)
}

// back returns the page that a form was on.
func back(r *http.Request) string {
	if to := r.PostFormValue("back"); to != "" && inside(to) == to {
		return to
	}
	return ""
}

// doneText is what a page says after something was done.
func doneText(done string) string {
	return map[string]string{
		"password":   "Your password is set, and your other sessions have ended.",
		"sessions":   "Your other sessions have ended.",
		"user":       "The user is changed.",
		"stop":       "The run is asked to stop.",
		"again":      "A run with the same arguments was started.",
		"resend":     "The delivery is at the end of the backlog.",
		"pause":      "The workflow is paused: events do not run it, and its schedules rest.",
		"resume":     "The workflow is active.",
		"test":       "A test event was sent to the webhook.",
		"on":         "The webhook is active.",
		"off":        "The webhook is inactive.",
		"refresh":    "The credentials were refreshed.",
		"saved":      "It is saved.",
		"made":       "The environment is there. It needs a token, on the page API tokens.",
		"notify-on":  "The destination gets notifications.",
		"notify-off": "The destination gets no notifications.",
		"notified":   "A test notification was sent.",
		"deleted":    "It is deleted.",
		"halted":     "The redelivery is stopped. What it has queued stays in the backlog.",
		"ended":      "The old secret does not sign any more.",
		"revoked":    "The token is revoked. Requests with it are rejected within seconds.",
		"actions":    "The actions of the connection run again.",
	}[done]
}
