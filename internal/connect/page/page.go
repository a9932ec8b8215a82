// Package page is the page on which customers connect accounts: its addresses, its HTML, and what it says in each language. It works
// without scripts; with them it talks to the page that shows it in a frame or a window.
package page

import (
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/form"
)

//go:embed connect.html form.html connect.css connect.js form.js texts
var files embed.FS

// Handler serves the page.
type Handler struct {
	flow   *connect.Flow
	forms  *form.Forms
	logger *slog.Logger
	html   *template.Template
	texts  *texts
	mux    *http.ServeMux
}

// New returns a handler of /connect-account and /connect/.
func New(flow *connect.Flow, forms *form.Forms, logger *slog.Logger) (*Handler, error) {
	h := &Handler{flow: flow, forms: forms, logger: logger, mux: http.NewServeMux()}
	var err error
	if h.html, err = template.New("").Funcs(template.FuncMap{"initial": initial, "picture": picture}).ParseFS(files, "*.html"); err != nil {
		return nil, err
	}
	if h.texts, err = loadTexts(); err != nil {
		return nil, err
	}
	h.mux.HandleFunc("GET /connect-account", h.open)
	h.mux.HandleFunc("POST /connect-account", h.submit)
	h.mux.HandleFunc("GET /connect-account/session", h.session)
	h.mux.HandleFunc("POST /connect-account/status", h.status)
	h.mux.HandleFunc("GET /connect-account/connect.css", asset("connect.css", "text/css; charset=utf-8"))
	h.mux.HandleFunc("GET /connect-account/connect.js", asset("connect.js", "text/javascript; charset=utf-8"))
	h.mux.HandleFunc("GET /connect-account/form.js", asset("form.js", "text/javascript; charset=utf-8"))
	h.mux.HandleFunc("GET /connect-account/post-connect", h.openForm)
	h.mux.HandleFunc("POST /connect-account/post-connect", h.submitForm)
	h.mux.HandleFunc("POST /connect-account/post-connect/options", h.formOptions)
	h.mux.HandleFunc("GET /connect/{integration}/callback", h.callback)
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	h.mux.ServeHTTP(w, r)
}

// Serves reports whether a path is one of the page.
func Serves(path string) bool {
	return path == "/connect-account" || strings.HasPrefix(path, "/connect-account/") || strings.HasPrefix(path, "/connect/")
}

const (
	maxForm    = 1 << 20
	maxOptions = 4 << 10
)

func asset(name, kind string) http.HandlerFunc {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body)
	}
}

// view is what a page shows.
type view struct {
	T       func(string) string
	Lang    string
	Kind    string // picker, form, go, working, connected, fields, saved, failed
	Brand   millrace.ConnectPage
	Nonce   string
	Ink     string // colour of what stands on the brand's
	Proof   proof
	Options options
	Choices []connect.Choice
	Choice  *connect.Choice
	Method  *connect.Method
	Values  url.Values
	Errors  map[string]string
	Problem string // above the form
	Detail  string
	Title   string
	Target  string // address of the provider, or of the product
	Refresh int    // seconds until the page asks again; 0: never
	Result  template.HTMLAttr
	Retry   string // address at which to begin again; empty: none
	Back    string
	Origins string // that the page tells the outcome of a connection, as JSON

	Form      *form.Page // after the connection
	FormProof formProof
	Label     string // of the integration
}

// options are those of the address of the page.
type options struct {
	Integration, Integrations, NoBack, AuthFormat, SkipForm, Iframe string
}

func optionsOf(q url.Values) options {
	get := func(name string) string {
		if v := q.Get(name); len(v) <= maxOptions {
			return v
		}
		return ""
	}
	return options{get("integration"), get("integrations"), get("no_back"), get("auth_format"), get("skip_rapid_form"), get("iframe")}
}

// proof is what allows a browser to use a link token: the token, or a session of that browser whose attempt has failed.
type proof struct{ Token, Session string }

func proofOf(q url.Values) proof { return proof{q.Get("link_token"), q.Get("session")} }

// link finds the link token of a proof.
func (h *Handler) link(r *http.Request, p proof) (*connect.Link, error) {
	if p.Token == "" && p.Session != "" {
		return h.flow.OpenAgain(r.Context(), p.Session, h.cookie(r))
	}
	return h.flow.Open(r.Context(), p.Token)
}

// query is the options as they stand in an address, with the proof.
func (o options) query(p proof) url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		"link_token": p.Token, "session": p.Session,
		"integration": o.Integration, "integrations": o.Integrations, "no_back": o.NoBack, "auth_format": o.AuthFormat, "skip_rapid_form": o.SkipForm, "iframe": o.Iframe,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// only are the names of the integrations that the address names; none: all.
func (o options) only() []string {
	return strings.FieldsFunc(o.Integrations, func(r rune) bool { return r == ',' || r == ' ' })
}

// address of the page with other options.
func address(o options, p proof) string { return "/connect-account?" + o.query(p).Encode() }

// write writes a page. origins are those that may show it in a frame.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, v *view, origins []string) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	v.Nonce = base64.RawURLEncoding.EncodeToString(nonce[:])
	if raw, err := json.Marshal(origins); err == nil && len(origins) > 0 {
		v.Origins = string(raw)
	}
	v.Lang, v.T = h.texts.of(r.Header.Get("Accept-Language"))
	v.Ink = ink(v.Brand.Color)
	ancestors := "'none'"
	if len(origins) > 0 {
		ancestors = strings.Join(origins, " ")
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+v.Nonce+"'; img-src 'self' https: data:; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "+ancestors+"; require-trusted-types-for 'script'")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	if err := h.html.ExecuteTemplate(w, "page", v); err != nil && r.Context().Err() == nil {
		h.logger.WarnContext(r.Context(), "the connect page was not written", slog.Any("err", err))
	}
}

// ink returns black or white, whichever is read better on a colour, which is # and six digits.
func ink(color string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 24)
	if err != nil {
		return "#ffffff"
	}
	linear := func(shift uint) float64 { return math.Pow(float64(n>>shift&0xff)/255, 2.2) }
	if 0.2126*linear(16)+0.7152*linear(8)+0.0722*linear(0) > 0.179 {
		return "#000000"
	}
	return "#ffffff"
}

// problem writes the page about an error that ends the visit.
func (h *Handler) problem(w http.ResponseWriter, r *http.Request, l *connect.Link, err error) {
	known := &connect.Error{Type: "connection_error", Message: "internal"}
	status := http.StatusBadRequest
	if !errors.As(err, &known) {
		status = http.StatusInternalServerError
		if millrace.KindOf(err) == millrace.KindUnavailable {
			status = http.StatusServiceUnavailable
		}
		h.logger.ErrorContext(r.Context(), "the connect page failed", slog.Any("err", err))
	}
	v := &view{Kind: "failed", Title: "failed", Problem: known.Message, Detail: known.Detail}
	var origins []string
	if l != nil {
		v.Brand, origins = brand(l), l.Origins()
		v.Result = result(l, map[string]any{"result": "error", "error": known.Message, "error_type": known.Type})
		v.Target = target(l, url.Values{"result": {"error"}, "error_type": {known.Type}})
	}
	h.write(w, r, status, v, origins)
}

func brand(l *connect.Link) millrace.ConnectPage { return brandOf(l.Environment) }

func brandOf(env *millrace.Environment) millrace.ConnectPage {
	b := env.Connect
	if b.Name == "" {
		b.Name = env.Name
	}
	return b
}

// result is what a page tells the one that opened it, and to which origins. It is an attribute that the script reads.
func result(l *connect.Link, message map[string]any) template.HTMLAttr {
	return resultFor(l.Origins(), message)
}

func resultFor(origins []string, message map[string]any) template.HTMLAttr {
	message["is_truto"] = true
	raw, err := json.Marshal(map[string]any{"message": message, "origins": origins})
	if err != nil {
		return ""
	}
	return template.HTMLAttr(`data-result="` + template.HTMLEscapeString(string(raw)) + `"`) //nolint:gosec // it is escaped
}

// target is where the product wants the browser in the end, with the outcome of the connection; empty: nowhere.
func target(l *connect.Link, more url.Values) string {
	u, err := url.Parse(l.RedirectURI())
	if err != nil || u.Host == "" {
		return ""
	}
	q := u.Query()
	maps.Copy(q, more)
	u.RawQuery = q.Encode()
	return u.String()
}

// open shows what may be connected with a token, or the form of the one that the address names.
func (h *Handler) open(w http.ResponseWriter, r *http.Request) {
	p, o := proofOf(r.URL.Query()), optionsOf(r.URL.Query())
	l, err := h.link(r, p)
	if err == nil {
		err = l.Usable()
	}
	if err != nil {
		h.problem(w, r, l, err)
		return
	}
	h.show(w, r, l, p, o, &view{})
}

// show shows the picker, or a form with what was typed into it.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, l *connect.Link, p proof, o options, v *view) {
	choices, err := h.flow.Choices(r.Context(), l, o.only())
	if err != nil {
		h.problem(w, r, l, err)
		return
	}
	v.Brand, v.Proof, v.Options, v.Choices, v.Kind, v.Title = brand(l), p, o, choices, "picker", "pick"
	name := o.Integration
	if name == "" && len(choices) == 1 {
		name = choices[0].Name
	}
	status := http.StatusOK
	switch i := slices.IndexFunc(choices, func(c connect.Choice) bool { return c.Name == name }); {
	case len(choices) == 0, name != "" && i < 0:
		h.problem(w, r, l, connect.ErrIntegration)
		return
	case i >= 0:
		v.Choice, v.Kind, v.Title = &choices[i], "form", "connect"
		v.Method = methodOf(v.Choice, o.AuthFormat)
		if o.NoBack == "" && len(choices) > 1 {
			back := o
			back.Integration, back.AuthFormat = "", ""
			v.Back = address(back, p)
		}
	}
	if len(v.Errors) > 0 || v.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	h.write(w, r, status, v, l.Origins())
}

// picture is the address of a logo, which may be a data address as well: as a picture it runs no scripts.
func picture(address string) template.URL {
	if !strings.HasPrefix(address, "data:image/") && !strings.HasPrefix(address, "https://") {
		return ""
	}
	return template.URL(address) //nolint:gosec // its scheme was checked
}

// initial is the first letter of a label, which stands where there is no logo.
func initial(label string) string {
	first, _ := utf8.DecodeRuneInString(label)
	return string(unicode.ToUpper(first))
}

// methodOf returns the way to connect that was asked for, or the first.
func methodOf(c *connect.Choice, format string) *connect.Method {
	for i := range c.Methods {
		if c.Methods[i].Format == format {
			return &c.Methods[i]
		}
	}
	return &c.Methods[0]
}

// MethodAddress is the address of the same form for another way to connect.
func (v *view) MethodAddress(format string) string {
	o := v.Options
	o.Integration, o.AuthFormat = v.Choice.Name, format
	return address(o, v.Proof)
}

// ChoiceAddress is the address of the form of an integration.
func (v *view) ChoiceAddress(name string) string {
	o := v.Options
	o.Integration = name
	return address(o, v.Proof)
}

// submit takes a form.
func (h *Handler) submit(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.problem(w, r, nil, &connect.Error{Type: "connection_error", Message: "form_invalid"})
		return
	}
	p, o := proofOf(r.PostForm), optionsOf(r.PostForm)
	l, err := h.link(r, p)
	if err != nil {
		h.problem(w, r, l, err)
		return
	}
	step, err := h.flow.Begin(r.Context(), l, connect.Attempt{
		Integration: o.Integration, Method: r.PostForm.Get("method"), Fields: fields(r.PostForm), Browser: h.browser(w, r), Page: r.PostForm.Get("page"),
		SkipForm: o.SkipForm == "true",
	})
	var invalid *millrace.Error
	var known *connect.Error
	o.AuthFormat = r.PostForm.Get("method")
	switch {
	case errors.As(err, &invalid) && invalid.Kind == millrace.KindInvalid && len(invalid.Failures) > 0:
		v := &view{Values: shown(r.PostForm), Errors: map[string]string{}}
		for _, failure := range invalid.Failures {
			v.Errors[failure.Path] = failure.Message
		}
		h.show(w, r, l, p, o, v)
	case errors.As(err, &known) && known.Retry && step.Session == "":
		h.show(w, r, l, p, o, &view{Values: shown(r.PostForm), Problem: known.Message, Detail: known.Detail})
	case err != nil && step.Session == "":
		h.problem(w, r, l, err)
	case step.Redirect != "":
		// A redirect here would need the provider's host in the policy about forms, and hand the address on.
		h.write(w, r, http.StatusOK, &view{Kind: "go", Title: "continue", Brand: brand(l), Target: step.Redirect}, l.Origins())
	case errors.As(err, &known) && known.Retry:
		h.show(w, r, l, p, o, &view{Values: shown(r.PostForm), Problem: known.Message, Detail: known.Detail})
	default:
		http.Redirect(w, r, "/connect-account/session?session="+url.QueryEscape(step.Session), http.StatusSeeOther)
	}
}

// fieldPrefix is what the names of the fields of an integration begin with, so that none is taken for one of the page's.
const fieldPrefix = "field."

func fields(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		if field, ok := strings.CutPrefix(name, fieldPrefix); ok {
			out[field] = values
		}
	}
	return out
}

// shown is what was typed, for the form to be shown once more. Secrets are left out by the template.
func shown(form url.Values) url.Values { return fields(form) }

// callback takes the redirect of a provider.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) {
	session, err := h.flow.Callback(r.Context(), r.PathValue("integration"), r.URL.Query(), h.cookie(r))
	var known *connect.Error
	if session == "" || err != nil && !errors.As(err, &known) || errors.Is(err, connect.ErrSession) {
		h.problem(w, r, nil, err)
		return
	}
	http.Redirect(w, r, "/connect-account/session?session="+url.QueryEscape(session), http.StatusSeeOther)
}

// session shows the outcome of an attempt.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) {
	s, err := h.flow.Look(r.Context(), r.URL.Query().Get("session"), h.cookie(r))
	if err != nil {
		h.problem(w, r, nil, err)
		return
	}
	v := &view{Brand: brand(s.Link), Kind: string(s.State), Title: string(s.State), Problem: s.Message, Detail: s.Detail}
	switch s.State {
	case connect.StateOpen, connect.StateWorking:
		v.Kind, v.Refresh, v.Title = "working", 2, "working"
	case connect.StateConnected:
		if !s.Framed && h.formFollows(r, s) {
			http.Redirect(w, r, "/connect-account/post-connect?session="+url.QueryEscape(r.URL.Query().Get("session")), http.StatusSeeOther)
			return
		}
		v.Target = target(s.Link, url.Values{"result": {"success"}, "integration": {s.Integration}, "integrated_account_id": {string(s.AccountID)}})
		v.Result = result(s.Link, message(s))
	case connect.StateFailed:
		v.Target = target(s.Link, url.Values{"result": {"error"}, "integration": {s.Integration}, "error_type": {s.Type}})
		v.Result = result(s.Link, message(s))
		if s.Again {
			// Without the list of integrations of the address that led here, there is no way back to the others.
			v.Retry = address(options{Integration: s.Integration, AuthFormat: s.Method, NoBack: "true"}, proof{Session: r.URL.Query().Get("session")})
		}
	}
	h.write(w, r, http.StatusOK, v, s.Link.Origins())
}

// message is what the product is told of a session.
func message(s *connect.Status) map[string]any {
	m := map[string]any{"result": "success", "integration": s.Integration}
	if s.State == connect.StateFailed {
		text := s.Message
		if s.Detail != "" {
			text = s.Detail
		}
		m["result"], m["error"], m["error_type"] = "error", text, s.Type
	}
	if s.AccountID != "" {
		m["integrated_account_id"] = string(s.AccountID)
	}
	return m
}

// status tells the script of a page in a frame the outcome of its last attempt.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	out := map[string]any{"state": "open"}
	l, err := h.link(r, proofOf(r.PostForm))
	if err != nil {
		_ = json.NewEncoder(w).Encode(out) // the browser may have left
		return
	}
	if s, err := h.flow.LookFrom(r.Context(), l, r.PostForm.Get("page")); err == nil {
		out["state"] = s.State
		switch {
		case s.State == connect.StateConnected && h.formFollows(r, s):
			q := url.Values{"link_token": {r.PostForm.Get("link_token")}, "session": {r.PostForm.Get("session")}, "page": {r.PostForm.Get("page")}}
			out["next"] = "/connect-account/post-connect?" + q.Encode()
		case s.State == connect.StateConnected || s.State == connect.StateFailed:
			told := message(s)
			told["is_truto"] = true
			out["message"] = told
		}
	}
	_ = json.NewEncoder(w).Encode(out) // the browser may have left
}

// The cookie that binds sessions to a browser. Its prefix makes browsers insist on a secure connection, which a server on this machine
// does not have.
const (
	secureCookie = "__Host-millrace-connect"
	plainCookie  = "millrace-connect"
)

// cookieName is the name of the cookie at the public address. Under https the other one is not taken: a page of a neighbouring host could
// set it, and know it.
func (h *Handler) cookieName() string {
	if strings.HasPrefix(h.flow.PublicURL(), "https://") {
		return secureCookie
	}
	return plainCookie
}

func (h *Handler) cookie(r *http.Request) string {
	if c, err := r.Cookie(h.cookieName()); err == nil && len(c.Value) == 43 {
		return c.Value
	}
	return ""
}

// browser returns the cookie of a browser, which gets one if it has none.
func (h *Handler) browser(w http.ResponseWriter, r *http.Request) string {
	if known := h.cookie(r); known != "" {
		return known
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	c := &http.Cookie{     //nolint:gosec // a server on this machine has no secure connection
		Name: h.cookieName(), Value: base64.RawURLEncoding.EncodeToString(b[:]), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: h.cookieName() == secureCookie,
	}
	http.SetCookie(w, c)
	return c.Value
}
