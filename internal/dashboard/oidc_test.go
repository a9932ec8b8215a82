package dashboard_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

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
	g.h = g.node(with)
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

// node makes the handler of a process.
func (g *gate) node(with rules) *dashboard.Handler {
	g.t.Helper()
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
	h, err := dashboard.New(dashboard.Config{
		DB: g.db, People: g.p, API: http.NotFoundHandler(), Clock: clock, Logger: logger, PublicURL: func() string { return "https://millrace.example.com" }, Door: way,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return h
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
	if found := secrets.FindString(rec.Body.String()); found != "" {
		b.g.t.Errorf("%s %s shows %q", method, path, found)
	}
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
		// What one node has begun, another finishes.
		query := g.idp.authorize(b.leave(""))
		g.h = g.node(rules{})
		b.wantIn("a sign-in over two nodes", b.back(query), "ann@example.com")
		// Another address does not make another user.
		g.idp.is("sub-ann", "ann.new@example.com", "email_verified", false)
		b.wantIn("a user whose address has changed", b.signIn(), "ann@example.com")
	})
}

// user returns a user as stored.
func (g *gate) user(email string) *millrace.User {
	g.t.Helper()
	v, err := store.Compute(g.t.Context(), g.db, func(tx *store.Tx) (*millrace.User, error) { return tx.Users().ByEmail(g.t.Context(), email) })
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// TestForgedTokensProveNothing has the token endpoint respond with ID tokens that a provider, or who stands in its place, must not get through.
func TestForgedTokensProveNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		p := g.idp
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.MarshalPKIXPublicKey(p.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		known := jose.JSONWebKey{Key: p.key, KeyID: "one"}
		with := func(key string, value any) func(map[string]any) string {
			return func(claims map[string]any) string {
				claims[key] = value
				if value == nil {
					delete(claims, key)
				}
				return p.sign(jose.RS256, known, claims)
			}
		}
		signed := func(alg jose.SignatureAlgorithm, key any) func(map[string]any) string {
			return func(claims map[string]any) string { return p.sign(alg, key, claims) }
		}
		unsigned := func(alg string) func(map[string]any) string {
			return func(claims map[string]any) string {
				payload, _ := json.Marshal(claims)
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","kid":"one"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
			}
		}
		const proof, another, clock = "does not prove who you are", "is for another application", "a clock may be wrong"
		for what, forged := range map[string]struct {
			make func(map[string]any) string
			says string
		}{
			"another nonce":             {with("nonce", "another"), proof},
			"no nonce":                  {with("nonce", nil), proof},
			"another issuer":            {with("iss", "https://issuer.example.com"), proof},
			"no subject":                {with("sub", ""), proof},
			"a long subject":            {with("sub", strings.Repeat("s", 256)), proof},
			"another audience":          {with("aud", "another"), another},
			"no audience":               {with("aud", nil), another},
			"given to another":          {with("azp", "another"), another},
			"many audiences":            {with("aud", []string{"another", clientID}), another},
			"expired":                   {with("exp", time.Now().Add(-time.Minute).Unix()), clock},
			"not valid yet":             {with("nbf", time.Now().Add(time.Hour).Unix()), clock},
			"of the future":             {with("iat", time.Now().Add(time.Hour).Unix()), clock},
			"unsigned":                  {unsigned("none"), proof},
			"without its signature":     {unsigned("RS256"), proof},
			"signed with the secret":    {signed(jose.HS256, []byte(clientSecret)), proof},
			"signed with the key (DER)": {signed(jose.HS256, public), proof},
			"signed with the key (PEM)": {signed(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), proof},
			"another key":               {signed(jose.RS256, jose.JSONWebKey{Key: other, KeyID: "one"}), proof},
			"a key of its own":          {signed(jose.RS256, jose.JSONWebKey{Key: other, KeyID: "two"}), proof},
			"no ID token":               {func(map[string]any) string { return "" }, proof},
			"no token at all":           {func(map[string]any) string { return "ey.ey.ey" }, proof},
			"another payload": {func(claims map[string]any) string {
				parts := strings.Split(p.sign(jose.RS256, known, claims), ".")
				claims["sub"] = "sub-boss"
				payload, _ := json.Marshal(claims)
				return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
			}, proof},
		} {
			b := g.browser()
			address := b.leave("")
			p.mu.Lock()
			p.forge = forged.make
			p.mu.Unlock()
			b.wantOut(what, b.back(p.authorize(address)), http.StatusUnauthorized, forged.says)
		}
		if ann := g.user("ann@example.com"); ann.Subject != "" || ann.SignedInAt != 0 {
			t.Errorf("a forged token has made of the user %+v", ann)
		}
		p.forge = nil
		b := g.browser()
		b.wantIn("an honest token afterwards", b.signIn(), "ann@example.com")
	})
}

// TestRedirectsBelongToTheirBrowser takes redirects that are not of this browser's sign-in, or not any more.
func TestRedirectsBelongToTheirBrowser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		const lost = "begin again"
		mallory, b := g.browser(), g.browser()
		theirs := g.idp.authorize(mallory.leave(""))
		b.wantOut("a redirect without a sign-in", b.back(theirs), http.StatusUnauthorized, lost)
		mine := g.idp.authorize(b.leave(""))
		b.wantOut("a redirect of another browser's sign-in", b.back(theirs), http.StatusUnauthorized, lost)
		mixed := url.Values{"code": theirs["code"], "state": mine["state"], "iss": mine["iss"]}
		cookie := b.cookies["__Host-millrace_sign_in"]
		b.wantOut("a stolen code", b.back(mixed), http.StatusServiceUnavailable, "could not sign you in")
		b.wantOut("the same sign-in once more", b.back(mine), http.StatusUnauthorized, lost)

		for what, query := range map[string]struct {
			change func(url.Values)
			status int
			says   string
		}{
			"two states":                      {func(q url.Values) { q.Add("state", q.Get("state")) }, http.StatusUnauthorized, lost},
			"no state":                        {func(q url.Values) { q.Del("state") }, http.StatusUnauthorized, lost},
			"another state":                   {func(q url.Values) { q.Set("state", q.Get("state")+"x") }, http.StatusUnauthorized, lost},
			"another issuer":                  {func(q url.Values) { q.Set("iss", "https://issuer.example.com") }, http.StatusUnauthorized, "does not prove"},
			"two issuers":                     {func(q url.Values) { q.Add("iss", "https://issuer.example.com") }, http.StatusUnauthorized, "does not prove"},
			"no issuer":                       {func(q url.Values) { q.Del("iss") }, http.StatusUnauthorized, "does not prove"},
			"denied by the issuer of another": {func(q url.Values) { q.Set("iss", "https://x.example"); q.Set("error", "access_denied") }, http.StatusUnauthorized, "does not prove"},
			"denied":                          {func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, http.StatusForbidden, "did not let you in, or you did not allow it"},
			"an error of the provider": {func(q url.Values) {
				q.Set("error", "server_error")
				q.Set("error_description", "<script>alert(1)</script>")
			}, http.StatusServiceUnavailable, "could not sign you in"},
			"no code":                {func(q url.Values) { q.Del("code") }, http.StatusServiceUnavailable, "could not sign you in"},
			"a code that is made up": {func(q url.Values) { q.Set("code", "code-"+rand.Text()) }, http.StatusServiceUnavailable, "could not sign you in"},
		} {
			b := g.browser()
			q := g.idp.authorize(b.leave(""))
			query.change(q)
			rec := b.back(q)
			b.wantOut(what, rec, query.status, query.says)
			if strings.Contains(rec.Body.String(), "alert(1)") || !strings.Contains(rec.Body.String(), "Sign in with") {
				t.Errorf("%s: the page is\n%s", what, rec.Body)
			}
		}

		// The browser of a user who is signed in already.
		b = g.browser()
		b.wantIn("a user", b.signIn(), "ann@example.com")
		if rec := b.back(theirs); rec.Code != http.StatusUnauthorized || b.who() != "ann@example.com" {
			t.Errorf("a redirect of another's sign-in: %d, and the browser is signed in as %q", rec.Code, b.who())
		}
		g.invite("bob@example.com", millrace.RoleViewer)
		g.idp.is("sub-bob", "bob@example.com")
		b.wantIn("another user in the same browser", b.signIn(), "bob@example.com")

		// From another site.
		query := g.idp.authorize(b.leave(""))
		if rec := b.do(http.MethodPost, door.Path+"?"+query.Encode(), url.Values{}, "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden {
			t.Errorf("a form of another site: %d", rec.Code)
		}
		if rec := b.do(http.MethodPost, door.Path, query, "Origin", "https://idp.example.com"); rec.Code != http.StatusForbidden {
			t.Errorf("a form of another origin: %d", rec.Code)
		}

		// Cookies that are not ours, or too old.
		for what, value := range map[string]string{"empty": "", "no base64": "%%%", "not sealed": base64.RawURLEncoding.EncodeToString([]byte(`{"state":"x"}`)), "huge": strings.Repeat("A", 8<<10), "of before": cookie[:len(cookie)-2]} {
			b := g.browser()
			q := g.idp.authorize(b.leave(""))
			b.cookies["__Host-millrace_sign_in"] = value
			b.wantOut("a cookie that is "+what, b.back(q), http.StatusUnauthorized, lost)
		}
		b = g.browser()
		q := g.idp.authorize(b.leave(""))
		g.now = func() time.Time { return time.Now().Add(oidc.Life + time.Second) }
		b.wantOut("a sign-in that took too long", b.back(q), http.StatusUnauthorized, lost)
	})
}

// TestASignInMakesOneSession has a provider that takes a code many times, and a browser whose cookies were copied.
func TestASignInMakesOneSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		b := g.browser()
		query := g.idp.authorize(b.leave(""))
		g.idp.mu.Lock()
		grant := g.idp.codes[query.Get("code")]
		g.idp.token = func(http.ResponseWriter) bool { g.idp.codes[query.Get("code")] = grant; return false }
		g.idp.mu.Unlock()
		copied := g.browser()
		copied.cookies = maps.Clone(b.cookies)
		b.wantIn("the browser", b.back(query), "ann@example.com")
		copied.wantOut("its copy", copied.back(query), http.StatusUnauthorized, "used already")
	})
}

// TestWhoComesInByAProvider is about users: who is found, made, and rejected.
func TestWhoComesInByAProvider(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{admission: people.Admission{Domains: []string{"corp.example"}, Role: millrace.RoleMember}})
		b := g.browser()
		out := func(what, says string) {
			t.Helper()
			b := g.browser()
			b.wantOut(what, b.signIn(), http.StatusForbidden, says)
		}
		for what, verified := range map[string]any{"unverified": false, "verified in a way": "yes", "verified as a number": 1, "not said to be verified": nil} {
			g.idp.is("sub-x", "ann@example.com", "email_verified", verified)
			out(what, "does not vouch for the address ann@example.com")
		}
		g.idp.is("sub-x", "")
		g.idp.tells(map[string]any{"sub": "sub-x"})
		out("no address", "did not say your address")
		g.idp.is("sub-x", "Ann <ann@example.com>")
		out("an address with a name", "did not say your address")
		g.idp.is("sub-zoe", "zoe@example.com")
		out("an unknown user", "Ask an owner to invite zoe@example.com")
		for _, domain := range []string{"evil-corp.example", "x.corp.example", "corp.example.evil", "corp.example@evil.example"} {
			g.idp.is("sub-x", "zoe@"+domain)
			out("a user of "+domain, "")
		}
		if users, err := g.p.All(t.Context()); err != nil || len(users) != 2 {
			t.Errorf("there are %d users, %v; want 2", len(users), err)
		}

		g.idp.is("sub-ann", "ANN@example.com", "email_verified", "true")
		b.wantIn("an invited user", b.signIn(), "ann@example.com")
		g.idp.is("sub-mallory", "ann@example.com")
		out("another subject with a linked address", "belongs to another account")
		if ann := g.user("ann@example.com"); ann.Subject != "sub-ann" || ann.Issuer != g.idp.at || ann.Role != millrace.RoleMember {
			t.Errorf("the user is %+v", ann)
		}

		g.idp.is("sub-carl", "Carl@CORP.example", "name", markup)
		b.wantIn("a user of an admitted domain", b.signIn(), "Carl@CORP.example")
		carl := g.user("carl@corp.example")
		if carl.Role != millrace.RoleMember || carl.SeesPayloads || carl.PasswordHash != "" || carl.Name != markup {
			t.Errorf("the user is %+v", carl)
		}
		if err := g.p.Change(t.Context(), g.boss, carl.ID, people.Change{Role: millrace.RoleMember, Disabled: true}); err != nil {
			t.Fatal(err)
		}
		if b.who() != "" {
			t.Error("a user who is disabled is signed in")
		}
		out("a user who is disabled", "may not sign in here any more")
		g.idp.is("sub-carl-2", "carl@corp.example")
		out("a user who is disabled, as another subject", "belongs to another account")
		dora := people.Change{Role: millrace.RoleViewer, Disabled: true}
		g.invite("dora@corp.example", millrace.RoleViewer)
		if err := g.p.Change(t.Context(), g.boss, g.user("dora@corp.example").ID, dora); err != nil {
			t.Fatal(err)
		}
		g.idp.is("sub-dora", "dora@corp.example")
		out("a user who is disabled and was never there", "may not sign in here any more")
	})
}

// TestManyBrowsersOfANewUser has one new user come in by many browsers at once.
func TestManyBrowsersOfANewUser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{admission: people.Admission{Domains: []string{"corp.example"}}})
		g.idp.is("sub-carl", "carl@corp.example")
		var group sync.WaitGroup
		browsers := make([]*surfer, 8)
		queries := make([]url.Values, len(browsers))
		for i := range browsers {
			browsers[i] = g.browser()
			queries[i] = g.idp.authorize(browsers[i].leave(""))
		}
		for i, b := range browsers {
			group.Go(func() { b.wantIn("one of many browsers", b.back(queries[i]), "carl@corp.example") })
		}
		group.Wait()
		if users, err := g.p.All(t.Context()); err != nil || len(users) != 3 {
			t.Errorf("there are %d users, %v; want 3", len(users), err)
		}
	})
}

// TestWhatAProviderSaysElsewhere is about addresses from the userinfo endpoint, and about trust in addresses.
func TestWhatAProviderSaysElsewhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{settings: oidc.Settings{TrustEmail: true}})
		g.idp.is("sub-ann", "")
		g.idp.tells(map[string]any{"sub": "sub-mallory", "email": "ann@example.com"})
		b := g.browser()
		b.wantOut("userinfo of another subject", b.signIn(), http.StatusServiceUnavailable, "does not respond as it should")
		g.idp.tells(map[string]any{"sub": "sub-ann", "email": "ann@example.com"})
		b.wantIn("an address of the userinfo endpoint that nobody has verified, where that is trusted", b.signIn(), "ann@example.com")
	})
}

// TestAnAddressIsVerifiedWhereItIsSaid mixes the two documents that say something of a person.
func TestAnAddressIsVerifiedWhereItIsSaid(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{settings: oidc.Settings{RoleClaim: "role"}})
		b := g.browser()
		g.idp.is("sub-x", "zoe@example.com")
		g.idp.tells(map[string]any{"sub": "sub-x", "email": "ann@example.com", "role": "owner"})
		b.wantOut("another address of the userinfo endpoint", b.signIn(), http.StatusForbidden, "invite zoe@example.com")
		g.idp.is("sub-x", "", "email_verified", true)
		b.wantOut("a verified address that is said nowhere", b.signIn(), http.StatusForbidden, "does not vouch for the address ann@example.com")
	})
}

// TestAProviderThatDoesNotRespond goes to a provider that is not there yet, or that responds with what it must not.
func TestAProviderThatDoesNotRespond(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		b := g.browser()
		wait := time.Duration(0)
		g.now = func() time.Time { return time.Now().Add(wait) }
		for what, said := range map[string]map[string]any{
			"of another issuer": {"issuer": "https://issuer.example.com"}, "with a script": {"authorization_endpoint": "javascript:alert(1)"}, "without tokens": {"token_endpoint": ""},
			"without keys": {"jwks_uri": "file:///etc/passwd"}, "huge": {"padding": strings.Repeat("x", 2<<20)},
		} {
			g.idp.mu.Lock()
			g.idp.said = said
			g.idp.mu.Unlock()
			rec := b.do(http.MethodGet, dashboard.Root+"/sign-in/oidc?to=/dashboard/me", nil)
			b.wantOut("a provider "+what, rec, http.StatusServiceUnavailable, "does not respond as it should")
			if !strings.Contains(rec.Body.String(), "oidc?to=%2fdashboard%2fme") || !strings.Contains(rec.Body.String(), `name="password"`) {
				t.Errorf("%s: the page has no way to go on:\n%s", what, rec.Body)
			}
			asked := g.idp.times("/.well-known/openid-configuration")
			b.wantOut("at once again", b.do(http.MethodGet, dashboard.Root+"/sign-in/oidc", nil), http.StatusServiceUnavailable, "")
			if n := g.idp.times("/.well-known/openid-configuration"); n != asked {
				t.Errorf("a provider that does not respond was asked again at once")
			}
			wait += 6 * time.Second
		}
		g.idp.mu.Lock()
		g.idp.said = nil
		g.idp.mu.Unlock()
		query := g.idp.authorize(b.leave(""))
		for what, respond := range map[string]func(http.ResponseWriter) bool{
			"an error": func(w http.ResponseWriter) bool {
				http.Error(w, "the database of "+clientSecret, http.StatusInternalServerError)
				return true
			},
			"no JSON": func(w http.ResponseWriter) bool { _, _ = io.WriteString(w, "<html>"); return true },
			"a redirect": func(w http.ResponseWriter) bool {
				w.Header().Set("Location", "http://169.254.169.254/")
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			},
			"no response": func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		} {
			b := g.browser()
			q := g.idp.authorize(b.leave(""))
			g.idp.mu.Lock()
			g.idp.token = respond
			g.idp.mu.Unlock()
			b.wantOut("a token endpoint with "+what, b.back(q), http.StatusServiceUnavailable, "Acme")
		}
		g.idp.mu.Lock()
		g.idp.token = nil
		g.idp.mu.Unlock()
		b.wantIn("a provider that is well again", b.back(query), "ann@example.com")
	})
}

// TestAfterAProviderOnlyOurPages leaves with addresses of elsewhere.
func TestAfterAProviderOnlyOurPages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		for _, to := range []string{"https://evil.example/", "//evil.example", "/dashboard//evil.example/..", "/\\evil.example", "/dashboard\\@evil.example", "/dashboardx", "javascript:alert(1)", "/dashboard/sign-in/oidc", "/dashboard/" + strings.Repeat("x", 4000), "\r\nSet-Cookie: x=y"} {
			b := g.browser()
			rec := b.back(g.idp.authorize(b.leave(to)))
			if at := rec.Header().Get("Location"); at != dashboard.Root && !strings.HasPrefix(at, dashboard.Root+"/") || strings.HasPrefix(at, "//") || strings.Contains(at, "sign-in") || len(at) > 2000 {
				t.Errorf("%.60q leads to %d %.60q", to, rec.Code, at)
			}
		}
	})
}

// TestAFaultSignsNobodyIn fails at every statement and commit between the token and the session.
func TestAFaultSignsNobodyIn(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		faults := &storetest.Faults{}
		g := newGate(t, faults.Open(t, address), rules{})
		b := g.browser()
		query := g.idp.authorize(b.leave(""))
		faults.At(nil)
		b.wantIn("without a fault", b.back(query), "ann@example.com")
		places := faults.Places()
		if len(places) < 6 {
			t.Fatalf("there are %d places", len(places))
		}
		for _, place := range places {
			b := g.browser()
			query := g.idp.authorize(b.leave(""))
			faults.At(&place)
			rec := b.back(query)
			faults.At(nil)
			switch who := b.who(); {
			case rec.Code == http.StatusSeeOther && who == "ann@example.com":
			case rec.Code < 400 || who != "" || b.cookies["__Host-millrace_session"] != "":
				t.Errorf("%+v: %d, signed in as %q", place, rec.Code, who)
			}
			b.wantIn("after a fault", b.signIn(), "ann@example.com")
		}
	})
}

// TestOnlyTheProvider has no passwords.
func TestOnlyTheProvider(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{only: true})
		b := g.browser()
		b.wantIn("a user", b.signIn(), "ann@example.com")
		ann, err := g.p.Find(t.Context(), b.cookies["__Host-millrace_session"])
		if err != nil {
			t.Fatal(err)
		}
		const password = "correct horse battery"
		if rec := b.do(http.MethodPost, dashboard.Root+"/me/password", url.Values{"password": {password}}); rec.Code != http.StatusForbidden {
			t.Errorf("a password is set: %d", rec.Code)
		}
		if page := b.do(http.MethodGet, dashboard.Root+"/me", nil).Body.String(); strings.Contains(page, "password") {
			t.Errorf("the page of the user is\n%s", page)
		}
		if err := g.p.SetPassword(t.Context(), ann, "", password); err != nil { // from before
			t.Fatal(err)
		}
		b = g.browser()
		if page := b.do(http.MethodGet, dashboard.Root+"/sign-in", nil).Body.String(); strings.Contains(page, "<form") {
			t.Errorf("the page of signing in is\n%s", page)
		}
		rec := b.do(http.MethodPost, dashboard.Root+"/sign-in", url.Values{"email": {"ann@example.com"}, "password": {password}})
		b.wantOut("a password", rec, http.StatusForbidden, "sign in with Acme")
	})
}

// TestTheProviderGivesRoles has a claim with the role.
func TestTheProviderGivesRoles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{settings: oidc.Settings{RoleClaim: "https://example.com/roles"}, admission: people.Admission{Domains: []string{"corp.example"}}})
		for _, test := range []struct {
			claim any
			want  millrace.Role // empty: not let in
		}{
			{"admin", millrace.RoleAdmin},
			{[]string{"viewer", "sales", "member"}, millrace.RoleMember},
			{nil, ""},
			{"root", ""},
			{[]any{1, nil, map[string]any{"owner": "owner"}}, ""},
			{"Owner", ""},
			{"owner", millrace.RoleOwner},
			{"viewer", millrace.RoleViewer},
		} {
			b, before := g.browser(), g.user("ann@example.com").Role
			g.idp.is("sub-ann", "ann@example.com", "https://example.com/roles", test.claim)
			g.idp.tells(map[string]any{"sub": "sub-ann"})
			rec := b.signIn()
			if test.want == "" {
				b.wantOut("no role", rec, http.StatusForbidden, "gives you no role here")
				test.want = before
			} else {
				b.wantIn("a role", rec, "ann@example.com")
			}
			if got := g.user("ann@example.com").Role; got != test.want {
				t.Errorf("the claim %v makes of the role %s the role %s, want %s", test.claim, before, got, test.want)
			}
		}
		g.invite("boss@example.com", millrace.RoleOwner)
		if err := g.p.Change(t.Context(), g.boss, g.boss.ID, people.Change{Role: millrace.RoleAdmin}); err != nil {
			t.Fatal(err)
		}
		b := g.browser()
		g.idp.is("sub-boss", "boss@example.com", "https://example.com/roles", "viewer")
		b.wantIn("the last owner", b.signIn(), "boss@example.com")
		if got := g.user("boss@example.com").Role; got != millrace.RoleOwner {
			t.Errorf("the last owner has become %s", got)
		}
		g.idp.is("sub-carl", "carl@corp.example", "https://example.com/roles", "member")
		b.wantIn("a new user", b.signIn(), "carl@corp.example")
		if got := g.user("carl@corp.example").Role; got != millrace.RoleMember {
			t.Errorf("a new user is %s", got)
		}
	})
}

// TestUnlinkingAUser lets another subject with the address in, once an admin says so, and tells the audit log.
func TestUnlinkingAUser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := newGate(t, db, rules{})
		b := g.browser()
		b.wantIn("a user", b.signIn(), "ann@example.com")
		ann := g.user("ann@example.com")
		change := people.Change{Role: ann.Role, Unlinked: true}
		low, err := g.p.Find(t.Context(), b.cookies["__Host-millrace_session"])
		if err != nil {
			t.Fatal(err)
		}
		if err := g.p.Change(t.Context(), low, ann.ID, change); millrace.KindOf(err) != millrace.KindForbidden {
			t.Errorf("a member unlinks: %v", err)
		}
		boss := g.browser()
		link, err := g.p.NewLinkFor(t.Context(), g.boss, g.boss.ID)
		if err != nil {
			t.Fatal(err)
		}
		boss.do(http.MethodPost, dashboard.Root+"/sign-in/"+link, url.Values{})
		if page := boss.do(http.MethodGet, dashboard.Root+"/people", nil).Body.String(); strings.Count(page, `name="unlinked"`) != 1 {
			t.Errorf("the page of people is\n%s", page)
		}
		form := url.Values{"role": {string(ann.Role)}, "unlinked": {"on"}}
		if rec := boss.do(http.MethodPost, dashboard.Root+"/people/"+string(ann.ID), form); rec.Code != http.StatusSeeOther || b.who() != "" {
			t.Errorf("unlink: %d, and the user is signed in as %q", rec.Code, b.who())
		}
		g.idp.is("sub-ann-2", "ann@example.com")
		b.wantIn("another subject", b.signIn(), "ann@example.com")
		var found []string
		for _, e := range g.entries(ann.ID) {
			found = append(found, e.Action+" by "+e.ActorName+" via "+e.Via+" "+string(e.After))
		}
		all := strings.Join(found, "\n")
		for _, want := range []string{
			`changed by ann@example.com via sign-in {"issuer":"` + g.idp.at + `","subject":"sub-ann"}`, "signed in by ann@example.com via sign-in", `changed by owner via POST /people/{id} `, `"subject":"sub-ann-2"`,
		} {
			if !strings.Contains(all, want) {
				t.Errorf("the audit log has no %s:\n%s", want, all)
			}
		}
	})
}

// entries are the entries of the audit log about a user.
func (g *gate) entries(id millrace.UserID) []store.AuditEntry {
	g.t.Helper()
	page, err := store.Compute(g.t.Context(), g.db, func(tx *store.Tx) (millrace.Page[store.AuditEntry], error) {
		return store.AuditOf(tx).OfInstallation(g.t.Context(), millrace.Query{Limit: 100, Filters: []millrace.Filter{{Field: "resource_id", Op: millrace.OpEq, Values: []string{string(id)}}}})
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return page.Result
}
