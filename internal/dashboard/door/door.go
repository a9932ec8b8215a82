// Package door lets people into the dashboard who sign in at an identity provider: the cookie of a sign-in, what is said where one comes to
// nothing, and the session where one does not.
package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/oidc"
	"github.com/millrace/millrace/internal/people"
)

// Path is where the provider sends browsers back to, below the address of the server.
const Path = "/dashboard/sign-in/oidc/callback"

// cookieName is of the cookie of a sign-in; by https only this host can have set it.
const (
	cookieName   = "millrace_sign_in"
	secureCookie = "__Host-" + cookieName
)

// maxTo bounds the address that is gone to afterwards: browsers drop cookies of more than 4 KiB.
const maxTo = 1500

// Config is what a door needs. All of it is required.
type Config struct {
	Client    *oidc.Client
	People    *people.People
	Admission people.Admission
	Only      bool // passwords are off
	Secure    func() bool
	Logger    *slog.Logger
}

// Door is the way in by one identity provider. A nil one is none.
type Door struct{ cfg Config }

// New returns a door.
func New(cfg Config) *Door { return &Door{cfg} }

// Name returns what the provider is called; empty: there is none.
func (d *Door) Name() string {
	if d == nil {
		return ""
	}
	return d.cfg.Client.Name
}

// Only reports whether passwords are off.
func (d *Door) Only() bool { return d != nil && d.cfg.Only }

// Check asks the provider about itself, so that the log says early what is wrong.
func (d *Door) Check(ctx context.Context) {
	if d == nil {
		return
	}
	if err := d.cfg.Client.Ask(ctx); err != nil && ctx.Err() == nil {
		d.cfg.Logger.WarnContext(ctx, "the identity provider cannot be used; it is tried again when somebody signs in", slog.String("err", err.Error()))
	}
}

func (d *Door) name() string {
	if d.cfg.Secure() {
		return secureCookie
	}
	return cookieName
}

func (d *Door) keep(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: d.name(), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: d.cfg.Secure(), SameSite: http.SameSiteLaxMode}) //nolint:gosec // Secure where the public address is https
}

// Leave returns the address at which a person signs in, and gives the browser its cookie. An error that is not ours is for people.
func (d *Door) Leave(w http.ResponseWriter, r *http.Request, to string) (string, error) {
	if len(to) > maxTo {
		to = ""
	}
	address, cookie, err := d.cfg.Client.Begin(r.Context(), to)
	if err != nil {
		return "", d.say(r.Context(), err)
	}
	d.keep(w, cookie, int(oidc.Life.Seconds()))
	return address, nil
}

// Return takes the redirect of the provider, and returns what the browser is to keep as its session and, also beside an error, where it was going. An error
// that is not ours is for people. Only a redirect of the browser's own sign-in takes its cookie.
func (d *Door) Return(w http.ResponseWriter, r *http.Request) (string, string, error) {
	cookie := ""
	if c, err := r.Cookie(d.name()); err == nil {
		cookie = c.Value
	}
	person, to, err := d.cfg.Client.Finish(r.Context(), r.URL.Query(), cookie)
	if d.cfg.Client.Mine(r.URL.Query(), cookie) {
		d.keep(w, "", -1)
	}
	token := ""
	if err == nil {
		token, err = d.cfg.People.SignInByIdentity(context.WithoutCancel(r.Context()), &people.Identity{
			Issuer: d.cfg.Client.Issuer, Subject: person.Subject, Email: person.Email, Verified: person.Verified, Name: person.Name, Role: person.Role,
			State: person.State, ExpiresAt: millrace.TimeOf(person.ExpiresAt),
		}, d.cfg.Admission, r.UserAgent())
	}
	if err != nil {
		return "", to, d.say(r.Context(), err)
	}
	return token, to, nil
}

// say logs why a sign-in came to nothing, and returns what the person is told.
func (d *Door) say(ctx context.Context, err error) error {
	const msg = "a sign-in at the identity provider came to nothing"
	if failure, ok := errors.AsType[*oidc.Error](err); ok {
		d.cfg.Logger.InfoContext(ctx, msg, slog.String("reason", string(failure.Reason)), slog.String("detail", failure.Detail))
		return d.words(failure.Reason)
	}
	kind := millrace.KindOf(err)
	if kind != millrace.KindForbidden && kind != millrace.KindUnauthorized {
		return err
	}
	d.cfg.Logger.InfoContext(ctx, msg, slog.String("reason", "no_user"), slog.String("detail", err.Error()))
	text := err.Error()
	return millrace.Errorf(kind, "%s%s.", strings.ToUpper(text[:1]), text[1:])
}

func (d *Door) words(reason oidc.Reason) error {
	const ask = "Ask whoever runs this server; its log has the reason."
	name := d.Name()
	kind, text := millrace.KindUnauthorized, ""
	switch reason {
	case oidc.Lost:
		text = "This sign-in was begun in another tab or browser, took more than ten minutes, or was used already. Please begin again."
	case oidc.Denied:
		kind, text = millrace.KindForbidden, name+" did not let you in, or you did not allow it."
	case oidc.ProviderFailed:
		kind, text = millrace.KindUnavailable, fmt.Sprintf("%s could not sign you in. %s", name, ask)
	case oidc.ProviderSilent:
		kind, text = millrace.KindUnavailable, name+" does not respond as it should. Please try again in a minute."
	case oidc.Unproven:
		text = fmt.Sprintf("What %s sent does not prove who you are. %s", name, ask)
	case oidc.OtherClient:
		text = fmt.Sprintf("What %s sent is for another application. %s", name, ask)
	case oidc.NoRole:
		kind, text = millrace.KindForbidden, name+" gives you no role here. Ask whoever runs it."
	case oidc.Clock:
		text = fmt.Sprintf("What %s sent is not valid at this time: a clock may be wrong. %s", name, ask)
	}
	return millrace.Errorf(kind, "%s", text)
}
