package page

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/connect"
)

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
		v.Kind, v.Refresh, v.Title, v.Problem = "working", 2, "working", cmp.Or(s.Message, "working_text")
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

// message is what the product learns of a session.
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
	l, _ := h.link(r, proofOf(r.PostForm)) // one that is used up has an attempt that succeeded
	if l == nil {
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
