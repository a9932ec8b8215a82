package dashboard_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/dashboard/door"
	"github.com/millrace/millrace/internal/oidc"
	"github.com/millrace/millrace/internal/people"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// gate is a dashboard with an identity provider, and an owner who has invited ann@example.com.
type gate struct {
	t    *testing.T
	db   *store.DB
	idp  *identityProvider
	p    *people.People
	h    *dashboard.Handler
	boss *people.Who
	log  bytes.Buffer
	now  func() time.Time
}

// rules is what a test sets beside the usual.
type rules struct {
	settings  oidc.Settings
	admission people.Admission
	only      bool
}

func newGate(t *testing.T, db *store.DB, with rules) *gate {
	t.Helper()
	g := &gate{t: t, db: db, idp: newProvider(t), p: people.New(db), now: time.Now}
	s := with.settings
	s.Issuer, s.ClientID, s.Secret, s.Name = g.idp.at, clientID, clientSecret, "Acme <b>"
	logger := slog.New(slog.NewTextHandler(&g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := func() time.Time { return g.now() }
	way := door.New(door.Config{
		Client: oidc.New(oidc.Config{
			Settings: s, Redirect: func() string { return "https://millrace.example.com" + door.Path }, Transport: http.DefaultTransport, Keys: storetest.Cipher{}, Clock: clock,
		}),
		People: g.p, Admission: with.admission, Only: with.only, Secure: func() bool { return true }, Logger: logger,
	})
	var err error
	g.h, err = dashboard.New(dashboard.Config{
		DB: db, People: g.p, API: http.NotFoundHandler(), Clock: clock, Logger: logger, PublicURL: func() string { return "https://millrace.example.com" }, Door: way,
	})
	if err != nil {
		t.Fatal(err)
	}
	link, err := g.p.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := g.p.SignInByLink(t.Context(), link, "test")
	if err != nil {
		t.Fatal(err)
	}
	if g.boss, err = g.p.Find(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	g.invite("ann@example.com", millrace.RoleMember)
	t.Cleanup(g.quiet)
	return g
}

func (g *gate) invite(email string, role millrace.Role) {
	g.t.Helper()
	if _, err := g.p.Invite(g.t.Context(), g.boss, &millrace.User{Email: email, Role: role}); err != nil {
		g.t.Fatal(err)
	}
}

// secrets are what no log may have.
var secrets = regexp.MustCompile(`code-[A-Z2-7]{26}|access-token-of|the secret of the client|eyJ[A-Za-z0-9_-]{20}|[?&]state=|mr_[A-Za-z0-9_-]{43}`)

// quiet fails for a secret in the log.
func (g *gate) quiet() {
	if found := secrets.FindString(g.log.String()); found != "" {
		g.t.Errorf("the log has %q:\n%s", found, g.log.String())
	}
}

// surfer is a browser with its cookies.
type surfer struct {
	g       *gate
	cookies map[string]string
}

func (g *gate) browser() *surfer { return &surfer{g, map[string]string{}} }

func (b *surfer) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	b.g.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.g.t.Context(), method, "https://millrace.example.com"+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.g.h.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			b.g.t.Errorf("the cookie is %s", c.String())
		}
		b.cookies[c.Name] = c.Value
	}
	return rec
}

// leave goes to the provider, and returns the address at which it signs people in.
func (b *surfer) leave(to string) string {
	b.g.t.Helper()
	rec := b.do(http.MethodGet, dashboard.Root+"/sign-in/oidc?to="+url.QueryEscape(to), nil)
	if rec.Code != http.StatusSeeOther {
		b.g.t.Fatalf("the button leads to %d %s", rec.Code, rec.Body)
	}
	return rec.Header().Get("Location")
}

// back takes the redirect of the provider.
func (b *surfer) back(query url.Values) *httptest.ResponseRecorder {
	b.g.t.Helper()
	return b.do(http.MethodGet, door.Path+"?"+query.Encode(), nil)
}

// signIn goes there and back.
func (b *surfer) signIn() *httptest.ResponseRecorder {
	b.g.t.Helper()
	return b.back(b.g.idp.authorize(b.leave("")))
}

// who returns who the browser is signed in as.
func (b *surfer) who() string {
	b.g.t.Helper()
	who, err := b.g.p.Find(b.g.t.Context(), b.cookies["__Host-millrace_session"])
	if err != nil {
		return ""
	}
	return who.Email
}

// wantIn fails unless the browser is signed in as a user.
func (b *surfer) wantIn(what string, rec *httptest.ResponseRecorder, email string) {
	b.g.t.Helper()
	if who := b.who(); rec.Code != http.StatusSeeOther || who != email {
		b.g.t.Errorf("%s: %d, signed in as %q, want %q\n%s\n%s", what, rec.Code, who, email, rec.Body, b.g.log.String())
	}
}

// wantOut fails unless the page says why nobody was signed in.
func (b *surfer) wantOut(what string, rec *httptest.ResponseRecorder, status int, says string) {
	b.g.t.Helper()
	if who := b.who(); rec.Code != status || who != "" || !strings.Contains(rec.Body.String(), says) || !strings.Contains(rec.Body.String(), `role="alert"`) {
		b.g.t.Errorf("%s: %d, signed in as %q, want %d and %q\n%s\n%s", what, rec.Code, who, status, says, rec.Body, b.g.log.String())
	}
}

func TestSigningInAtAProvider(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		b := g.browser()
		page := b.do(http.MethodGet, dashboard.Root+"/sign-in?to=/dashboard/people", nil).Body.String()
		if !strings.Contains(page, `href="/dashboard/sign-in/oidc?to=%2fdashboard%2fpeople">Sign in with Acme &lt;b&gt;</a>`) || !strings.Contains(page, `name="password"`) {
			t.Errorf("the page of signing in is\n%s", page)
		}
		rec := b.back(g.idp.authorize(b.leave("/dashboard/people?x=1")))
		b.wantIn("an invited user", rec, "ann@example.com")
		if to := rec.Header().Get("Location"); to != "/dashboard/people?x=1" {
			t.Errorf("after signing in the browser is sent to %q", to)
		}
		if len(b.cookies) != 1 {
			t.Errorf("the browser keeps %d cookies, want the session alone", len(b.cookies))
		}
		if rec := b.do(http.MethodPost, dashboard.Root+"/sign-out", url.Values{}); rec.Code != http.StatusSeeOther || b.who() != "" {
			t.Errorf("after signing out: %d, signed in as %q", rec.Code, b.who())
		}
		// Another address does not make another user.
		g.idp.is("sub-ann", "ann.new@example.com", "email_verified", false)
		b.wantIn("a user whose address has changed", b.signIn(), "ann@example.com")
	})
}
