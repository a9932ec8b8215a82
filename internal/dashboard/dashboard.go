package dashboard

import (
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/asset"
	"github.com/millrace/millrace/internal/dashboard/door"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/dashboard/settings"
	"github.com/millrace/millrace/internal/dashboard/steer"
	"github.com/millrace/millrace/internal/people"
	"github.com/millrace/millrace/internal/store"
)

//go:embed html static
var files embed.FS

// Root is the path below which all pages are.
const Root = "/dashboard"

// Serves reports whether a path is one of the dashboard.
func Serves(path string) bool { return path == Root || strings.HasPrefix(path, Root+"/") }

// SignInAddress is the address of a page that signs a user in by a link.
func SignInAddress(server, token string) string { return server + Root + "/sign-in/" + token }

// Config is what the dashboard needs. All but Door and Server is required.
type Config struct {
	Door      *door.Door // nil: there is no identity provider
	DB        *store.DB
	People    *people.People
	API       http.Handler // does what forms ask for
	Clock     func() time.Time
	Logger    *slog.Logger
	PublicURL func() string
	Server    settings.Server // what the page of the server shows
}

// Handler serves the dashboard.
type Handler struct {
	Config
	mux   *http.ServeMux
	pages map[string]*template.Template
	pace  pace

	stop    sync.Once
	stopped chan struct{} // closed: open pages are told nothing more
}

// Stop ends what open pages listen to.
func (h *Handler) Stop() { h.stop.Do(func() { close(h.stopped) }) }

// New returns the handler of [Root].
func New(cfg Config) (*Handler, error) {
	h := &Handler{Config: cfg, mux: http.NewServeMux(), pace: pace{turn: make(chan struct{}, 1)}, stopped: make(chan struct{})}
	var err error
	if h.pages, err = parse(); err != nil {
		return nil, err
	}
	h.routes()
	return h, nil
}

// routes lists every page and form. Those below {env} are of one environment.
func (h *Handler) routes() {
	h.mux.HandleFunc("GET "+Root+"/static/style.css", asset.Handler(files, "static/style.css", "text/css; charset=utf-8"))
	h.mux.HandleFunc("GET "+Root+"/static/app.js", asset.Handler(files, "static/app.js", "text/javascript; charset=utf-8"))
	h.mux.HandleFunc("GET "+Root+"/static/editor.js", asset.Handler(files, "static/editor.js", "text/javascript; charset=utf-8"))

	h.mux.HandleFunc("GET "+Root+"/sign-in", h.open(h.signInForm))
	h.mux.HandleFunc("POST "+Root+"/sign-in", h.open(h.signIn))
	if h.Door != nil {
		h.mux.HandleFunc("GET "+Root+"/sign-in/oidc", h.open(h.leave))
		h.mux.HandleFunc("GET "+door.Path, h.open(h.comeBack))
	}
	h.mux.HandleFunc("GET "+Root+"/sign-in/{token}", h.open(h.linkForm))
	h.mux.HandleFunc("POST "+Root+"/sign-in/{token}", h.open(h.useLink))
	h.form("/sign-out", millrace.RoleViewer, h.signOut)
	h.page("", h.first)
	h.page("/me", h.me)
	h.form("/me/password", millrace.RoleViewer, h.setPassword)
	h.form("/me/sessions", millrace.RoleViewer, h.endOthers)
	h.form("/me/tour", millrace.RoleViewer, h.endTour)
	h.page("/people", h.people)
	h.form("/people", millrace.RoleAdmin, h.invite)
	h.form("/people/{id}", millrace.RoleAdmin, h.changeUser)
	h.form("/people/{id}/link", millrace.RoleAdmin, h.newLink)

	h.page("/environment/{env}", h.home)
	h.page("/environment/{env}/search", h.search)
	h.page("/environment/{env}/runs", h.runs)
	h.page("/environment/{env}/runs/{id}", h.run)
	h.page("/environment/{env}/workflow-runs", h.workflowRuns)
	h.page("/environment/{env}/workflow-runs/{id}", h.workflowRun)
	h.page("/environment/{env}/events", h.events)
	h.page("/environment/{env}/events/{id}", h.event)
	h.page("/environment/{env}/accounts", h.accounts)
	h.page("/environment/{env}/accounts/{id}", h.account)
	h.page("/environment/{env}/webhooks", h.webhooks)
	h.page("/environment/{env}/webhooks/{id}", h.webhook)
	h.page("/environment/{env}/deliveries", h.deliveries)
	h.page("/environment/{env}/deliveries/{id}", h.delivery)
	h.page("/environment/{env}/workflows", h.workflows)
	h.page("/environment/{env}/workflows/{id}", h.workflow)
	h.page("/environment/{env}/sync-jobs", h.syncJobs)
	h.page("/environment/{env}/sync-jobs/{id}", h.syncJob)
	h.page("/environment/{env}/schedules", h.schedules)
	h.page("/environment/{env}/schedules/{id}", h.schedule)
	h.page("/environment/{env}/schedules/calendar", h.calendar)
	h.page("/environment/{env}/integrations", h.integrations)
	h.page("/environment/{env}/integrations/{id}", h.integration)
	h.page("/environment/{env}/inbound-hooks", h.inboundHooks)
	h.page("/environment/{env}/inbound-hooks/{id}", h.inboundHook)
	h.page("/environment/{env}/audit", h.audit)
	h.page("/environment/{env}/tokens", h.tokens)
	h.form("/environment/{env}/tokens", millrace.RoleAdmin, h.createToken)
	h.form("/environment/{env}/tokens/{id}/revoke", millrace.RoleAdmin, h.revokeToken)
	h.page("/environment/{env}/logs", h.logs)
	h.page("/environment/{env}/notification-destinations", h.destinations)
	h.form("/environment/{env}/notification-destinations", millrace.RoleMember, h.createDestination)
	h.page("/environment/{env}/notification-destinations/{id}", h.destination)
	h.form("/environment/{env}/notification-destinations/{id}/delete", millrace.RoleMember, h.deleteDestination)
	for _, a := range append(actions(), destinationActions()...) {
		h.form("/environment/{env}/"+a.path, millrace.RoleMember, h.act(a))
	}
	for _, e := range append(editor.Routes(), steer.Routes()...) {
		h.edit(e)
	}
	for _, e := range settings.Routes() {
		h.set(e)
	}
	h.mux.HandleFunc("GET "+Root+"/environment/{env}/live", h.live)
}

// ServeHTTP implements http.Handler. A request that changes something must come from a page of this server.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	maxForm := int64(1 << 20)
	if editor.Takes(r.URL.Path) {
		maxForm = editor.MaxForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	secure(w.Header())
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		h.fail(w, r, nil, millrace.Errorf(millrace.KindForbidden, "this form was sent from another site"))
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		h.fail(w, r, nil, millrace.Errorf(millrace.KindNotFound, "there is no page %s", r.URL.Path))
		return
	}
	h.mux.ServeHTTP(w, r)
}

// secure sets the headers of every response.
func secure(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"frame-ancestors 'none'; form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// request is a request of a user who is signed in.
type request struct {
	*http.Request
	w            http.ResponseWriter
	who          *people.Who
	env          *millrace.Environment // nil: the page belongs to none
	environments []millrace.Environment
	now          millrace.Time
}

// sees reports whether the person may see payloads.
func (r *request) sees() bool { return r.who.SeesPayloads }

// steers reports whether the person may do more than look.
func (r *request) steers() bool { return r.who.Role.AtLeast(millrace.RoleMember) }

// path returns the address of a page of the environment.
func (r *request) path(parts ...string) string {
	return Root + "/environment/" + string(r.env.ID) + "/" + strings.Join(parts, "/")
}

// view is a page with what it shows.
type view struct {
	name  string // of its template
	title string
	body  any
	live  bool // it shows what changes
}

// page registers a page for everybody who is signed in.
func (h *Handler) page(path string, show func(*request) (*view, error)) {
	h.mux.HandleFunc("GET "+Root+path, func(w http.ResponseWriter, r *http.Request) {
		req, ok := h.enter(w, r, millrace.RoleViewer)
		if !ok {
			return
		}
		v, err := show(req)
		if err != nil {
			h.fail(w, r, req, err)
			return
		}
		if v != nil {
			h.render(req, v, http.StatusOK, notice{done: doneText(r.URL.Query().Get("done"))})
		}
	})
}

// form registers what a form does. It returns the address to go to, or an error that is shown on the page that the form is on.
func (h *Handler) form(path string, needs millrace.Role, do func(*request) (string, error)) {
	h.mux.HandleFunc("POST "+Root+path, func(w http.ResponseWriter, r *http.Request) {
		req, ok := h.enter(w, r, needs)
		if !ok {
			return
		}
		to, err := do(req)
		if err != nil {
			h.fail(w, r, req, err)
			return
		}
		if to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
		}
	})
}

// enter finds out who makes a request, and of which environment the page is. It has responded when it returns false.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, needs millrace.Role) (*request, bool) {
	req, ctx := &request{Request: r, w: w, now: millrace.TimeOf(h.Clock())}, r.Context()
	var err error
	if req.who, err = h.People.Find(ctx, sessionOf(r)); err != nil {
		if millrace.KindOf(err) != millrace.KindUnauthorized {
			h.fail(w, r, nil, err)
			return nil, false
		}
		to := Root + "/sign-in"
		if r.Method == http.MethodGet {
			to += "?to=" + template.URLQueryEscaper(r.URL.RequestURI())
		}
		http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // it is the page of signing in
		return nil, false
	}
	actor := store.Actor{Kind: store.ActorUser, ID: string(req.who.ID), Name: req.who.Email, Via: strings.Replace(r.Pattern, Root, "", 1)}
	req.Request = r.WithContext(store.By(ctx, actor))
	err = h.DB.View(ctx, func(tx *store.Tx) error {
		page, err := tx.Environments().List(ctx, "", millrace.Query{Limit: millrace.MaxLimit, Sort: []millrace.Sort{{Field: "name"}}})
		req.environments = page.Result
		if id := r.PathValue("env"); err == nil && id != "" { // there may be more than are listed
			req.env, err = tx.Environments().Get(ctx, millrace.EnvironmentID(millrace.Shorten(id)))
		}
		return err
	})
	if err != nil {
		h.fail(w, r, req, err)
		return nil, false
	}
	if !req.who.Role.AtLeast(needs) {
		h.fail(w, r, req, millrace.Errorf(millrace.KindForbidden, "your role is %s; this needs the role %s", req.who.Role, needs))
		return nil, false
	}
	return req, true
}

// first leads to the environment that was made first.
func (h *Handler) first(r *request) (*view, error) {
	if len(r.environments) == 0 {
		http.Redirect(r.w, r.Request, Root+"/environments", http.StatusSeeOther)
		return nil, nil //nolint:nilnil // it has responded
	}
	to := r.environments[0].ID
	for i := range r.environments {
		if r.environments[i].ID == millrace.FirstEnvironmentID() {
			to = r.environments[i].ID
		}
	}
	http.Redirect(r.w, r.Request, Root+"/environment/"+string(to), http.StatusSeeOther) //nolint:gosec // the id is of a row
	return nil, nil                                                                     //nolint:nilnil // it has responded
}
