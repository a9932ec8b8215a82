package dashboard

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace"
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
	Link    bool // by a link, which only has to be pressed
	Dead    bool // the link does not work
	To      string
	Problem string
}

// inside returns an address only if it is a page of the dashboard.
func inside(to string) string {
	if !strings.HasPrefix(to, Root) || strings.HasPrefix(to, Root+"/sign-in") || strings.ContainsAny(to, "\\\r\n") || !Serves(strings.SplitN(to, "?", 2)[0]) {
		return Root
	}
	return to
}

func (h *Handler) signInForm(r *request) (*view, error) {
	return &view{name: "sign-in", title: "Sign in", body: signing{To: inside(r.URL.Query().Get("to"))}}, nil
}

func (h *Handler) signIn(r *request) (*view, error) {
	token, err := h.People.SignIn(r.Context(), r.PostFormValue("email"), r.PostFormValue("password"), r.UserAgent())
	to := inside(r.PostFormValue("to"))
	if kind := millrace.KindOf(err); err != nil && (kind == millrace.KindUnauthorized || kind == millrace.KindRateLimited) {
		h.render(r, &view{name: "sign-in", title: "Sign in", body: signing{To: to, Problem: err.Error()}}, rest.StatusOf(millrace.KindOf(err)), notice{})
		return nil, nil //nolint:nilnil // it has responded
	}
	if err != nil {
		return nil, err
	}
	return h.in(r, token, to)
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
