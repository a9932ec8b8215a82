package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/door"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/people"
)

// A browser that comes by https keeps its session in a cookie that only this host can have set.
const (
	cookieName   = "millrace_session"
	secureCookie = "__Host-" + cookieName
)

// sessionOf returns what the browser has of its session.
func sessionOf(r *http.Request) string {
	for _, name := range []string{secureCookie, cookieName} {
		if c, err := r.Cookie(name); err == nil {
			return c.Value
		}
	}
	return ""
}

// keep gives the browser its session; an empty one takes it.
func (h *Handler) keep(w http.ResponseWriter, token string) {
	secured := strings.HasPrefix(h.PublicURL(), "https:")
	name, age := cookieName, int(people.SessionLife.Seconds())
	if secured {
		name = secureCookie
	}
	if token == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: name, Value: token, Path: "/", MaxAge: age, HttpOnly: true, Secure: secured, SameSite: http.SameSiteLaxMode}) //nolint:gosec // Secure where the public address is https
}

// open is a page for those who are not signed in.
func (h *Handler) open(show func(*request) (*view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := &request{Request: r, w: w, now: millrace.TimeOf(h.Clock())}
		v, err := show(req)
		switch {
		case err != nil:
			h.fail(w, r, nil, err)
		case v != nil:
			h.render(req, v, http.StatusOK, notice{})
		}
	}
}

// signing is the page of signing in.
type signing struct {
	Link     bool // by a link, which only has to be pressed
	Dead     bool // the link does not work
	To       string
	Problem  string
	Provider string // of identities; empty: there is none
	Only     bool   // passwords are off
}

// inside returns an address only if it is a page of the dashboard.
func inside(to string) string {
	if !strings.HasPrefix(to, Root) || strings.HasPrefix(to, Root+"/sign-in") || strings.ContainsAny(to, "\\\r\n") || !Serves(strings.SplitN(to, "?", 2)[0]) {
		return Root
	}
	return to
}

func (h *Handler) signInForm(r *request) (*view, error) {
	return h.signing(signing{To: inside(r.URL.Query().Get("to"))}), nil
}

func (h *Handler) signing(s signing) *view {
	s.Provider, s.Only = h.Door.Name(), h.Door.Only()
	return &view{name: "sign-in", title: "Sign in", body: s}
}

func (h *Handler) signIn(r *request) (*view, error) {
	to := inside(r.PostFormValue("to"))
	if h.Door.Only() {
		return h.out(r, to, errOnly(h.Door))
	}
	token, err := h.People.SignIn(r.Context(), r.PostFormValue("email"), r.PostFormValue("password"), r.UserAgent())
	if err != nil {
		return h.out(r, to, err)
	}
	return h.in(r, token, to)
}

func errOnly(d *door.Door) error {
	return millrace.Errorf(millrace.KindForbidden, "Users of this server sign in with %s.", d.Name())
}

// out shows the page of signing in with what went wrong, unless that is our fault.
func (h *Handler) out(r *request, to string, err error) (*view, error) {
	known, ok := errors.AsType[*millrace.Error](err)
	if !ok || known.Kind == millrace.KindInternal {
		return nil, err
	}
	h.render(r, h.signing(signing{To: to, Problem: known.Message}), rest.StatusOf(known.Kind), notice{})
	return nil, nil //nolint:nilnil // it has responded
}

// leave sends the browser to the identity provider. The page has a link and no form, because a form that is redirected elsewhere is against
// the policy of the page.
func (h *Handler) leave(r *request) (*view, error) {
	to := inside(r.URL.Query().Get("to"))
	address, err := h.Door.Leave(r.w, r.Request, to)
	if err != nil {
		return h.out(r, to, err)
	}
	http.Redirect(r.w, r.Request, address, http.StatusSeeOther) //nolint:gosec // the operator has named the provider
	return nil, nil                                             //nolint:nilnil // it has responded
}

// comeBack takes the redirect of the identity provider.
func (h *Handler) comeBack(r *request) (*view, error) {
	token, to, err := h.Door.Return(r.w, r.Request)
	if err != nil {
		return h.out(r, inside(to), err)
	}
	return h.in(r, token, inside(to))
}

// in lets the browser in.
func (h *Handler) in(r *request, token, to string) (*view, error) {
	h.keep(r.w, token)
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther) //nolint:gosec // inside has checked it
	return nil, nil                                        //nolint:nilnil // it has responded
}

// linkForm shows a button: what only looks at the link, such as a mail filter, does not use it.
func (h *Handler) linkForm(r *request) (*view, error) {
	works, err := h.People.LinkWorks(r.Context(), r.PathValue("token"))
	if err != nil {
		return nil, err
	}
	return &view{name: "sign-in", title: "Sign in", body: signing{Link: works, Dead: !works}}, nil
}

func (h *Handler) useLink(r *request) (*view, error) {
	token, err := h.People.SignInByLink(r.Context(), r.PathValue("token"), r.UserAgent())
	if millrace.KindOf(err) == millrace.KindUnauthorized && err != nil {
		h.render(r, &view{name: "sign-in", title: "Sign in", body: signing{Dead: true}}, http.StatusUnauthorized, notice{})
		return nil, nil //nolint:nilnil,nilerr // it has responded
	}
	if err != nil {
		return nil, err
	}
	return h.in(r, token, Root)
}

func (h *Handler) signOut(r *request) (string, error) {
	if err := h.People.SignOut(r.Context(), r.who); err != nil {
		return "", err
	}
	h.keep(r.w, "")
	return Root + "/sign-in", nil
}
