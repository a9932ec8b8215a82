// Package page is the page on which customers connect accounts: its addresses, its HTML, and what it says in each language. It works
// without scripts; with them it talks to the page that shows it in a frame or a window.
package page

import (
	"crypto/rand"
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
	"github.com/millrace/millrace/internal/asset"
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
	h.mux.HandleFunc("GET /connect-account/connect.css", asset.Handler(files, "connect.css", "text/css; charset=utf-8"))
	h.mux.HandleFunc("GET /connect-account/connect.js", asset.Handler(files, "connect.js", "text/javascript; charset=utf-8"))
	h.mux.HandleFunc("GET /connect-account/form.js", asset.Handler(files, "form.js", "text/javascript; charset=utf-8"))
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
