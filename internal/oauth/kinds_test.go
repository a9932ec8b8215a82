package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/millracetest/tokens"
)

func TestKeka(t *testing.T) {
	t.Parallel()
	account := map[string]any{"client_id": "own-client", "client_secret": "own-secret", "api_key": "own-api-key"}
	got := sendTo(t, "keka_oauth", `{"auth":{"tokenHost":"HOST"}}`, Grant{Kind: KindKeka, Context: account})
	if diff := cmp.Diff(seen{Path: "/connect/token", Type: got.Type, Raw: got.Raw, Form: url.Values{
		"grant_type": {"kekaapi"}, "scope": {"kekaapi"}, "client_id": {"own-client"}, "client_secret": {"own-secret"}, "api_key": {"own-api-key"},
	}}, got); diff != "" {
		t.Error(diff)
	}
	r, err := NewRequest(credentialOf(t, "keka_oauth", `{}`), Grant{Kind: KindKeka, Context: account})
	if err != nil || r.Host() != "login.keka.com" {
		t.Errorf("got %v, %v", r, err)
	}
	delete(account, "api_key")
	if _, err = NewRequest(credentialOf(t, "keka_oauth", `{}`), Grant{Kind: KindKeka, Context: account}); err == nil || err.Error() != "context.api_key: is required" {
		t.Errorf("got %v", err)
	}
}

// newKey returns a private key as PEM, and its public half.
func newKey(t *testing.T) (string, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), key
}

// claimsOf verifies a JSON Web Token and returns what it says, and who signed it.
func claimsOf(t *testing.T, token string, key *ecdsa.PrivateKey) (map[string]any, jose.Header) {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	if id, _ := out["jti"].(string); len(id) < 20 {
		t.Errorf("the token has the id %q", id)
	}
	delete(out, "jti")
	return out, parsed.Signatures[0].Header
}

func TestJWTGrant(t *testing.T) {
	t.Parallel()
	text, key := newKey(t)
	account := map[string]any{"private_key": strings.ReplaceAll(text, "\n", `\n`), "email": "robot@provider.test", "key_id": "k-1"}
	got := sendTo(t, "jwt", `{"auth":{"tokenHost":"HOST","tokenPath":"/token?x=1"},"private_key":"{{private_key}}","algorithm":"ES256","key_id":"{{key_id}}",
		"issuer":"{{email}}","subject":"{{user}}","claims":{"scope":"a b","sub":"{{nothing}}"},"lifetime":600}`,
		Grant{Kind: KindJWT, Now: noon, Context: merged(account, "user", "u@provider.test")})
	if got.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || got.User != "" || len(got.Form) != 2 {
		t.Errorf("got %v", got)
	}
	said, header := claimsOf(t, got.Form.Get("assertion"), key)
	aud, _ := said["aud"].(string)
	if !strings.HasPrefix(aud, "http://127.0.0.1") || !strings.HasSuffix(aud, "/token") || header.KeyID != "k-1" {
		t.Errorf("got aud %q, %v", aud, header)
	}
	delete(said, "aud")
	want := map[string]any{"iss": "robot@provider.test", "sub": "u@provider.test", "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 600), "scope": "a b"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	credential := credentialOf(t, "jwt", `{"private_key":"{{private_key}}","auth":{"tokenHost":"https://t.test"}}`)
	for _, wrong := range []string{"secret-key-of-a-user", text[:60], ""} {
		_, err := NewRequest(credential, Grant{Kind: KindJWT, Now: noon, Context: map[string]any{"private_key": wrong}})
		if err == nil || !strings.HasPrefix(err.Error(), "config.credentials.jwt.config.private_key: ") || strings.Contains(err.Error(), "secret-key") {
			t.Errorf("got %v", err)
		}
	}
}

func merged(m map[string]any, name string, v any) map[string]any {
	out := map[string]any{name: v}
	maps.Copy(out, m)
	return out
}

// TestClientAssertion: a client proves itself with a key, as with Microsoft.
func TestClientAssertion(t *testing.T) {
	t.Parallel()
	text, key := newKey(t)
	got := sendTo(t, "oauth2_client_credentials", `{"client":{"id":"app","private_key":"{{key}}","algorithm":"ES256","certificate":"{{cert}}"},"auth":{"tokenHost":"HOST"}}`,
		Grant{Kind: KindClient, Now: noon, Context: map[string]any{"key": text, "cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}})
	if got.User != "" || got.Form.Get("client_secret") != "" || got.Form.Get("client_id") != "app" || got.Form.Get("client_assertion_type") == "" {
		t.Errorf("got %v", got)
	}
	said, header := claimsOf(t, got.Form.Get("client_assertion"), key)
	if said["iss"] != "app" || said["sub"] != "app" || header.ExtraHeaders["x5t"] == nil {
		t.Errorf("got %v, %v", said, header)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := tokens.Start()
	t.Cleanup(s.Close)
	credential := credentialOf(t, "session_token", `{"auth":{"tokenHost":"`+s.URL+`","tokenPath":"/login"},"token_params":{"username":"{{username}}","password":"{{password}}"},
		"token_path":"session.token","expires_path":"session.expires"}`)
	w := &world{t, s, newClient(t), credential, time.Now()}
	good, err := w.ask(Grant{Kind: KindLogin, Context: map[string]any{"username": "u", "password": tokens.ClientSecret}})
	if err != nil || good.Outcome != Granted || good.ExpiresAt.Sub(w.now).Round(time.Minute) != time.Hour {
		t.Errorf("got %v, %v, %v, %v", good.Outcome, good.Message, good.ExpiresAt, err)
	}
	bad, err := w.ask(Grant{Kind: KindLogin, Context: map[string]any{"username": "u", "password": "wrong-" + tokens.ClientSecret}})
	if err != nil || bad.Outcome != Refused || bad.Message != "the provider rejected the request: wrong password ***" {
		t.Errorf("got %v, %q, %v", bad.Outcome, bad.Message, err)
	}
	s.Next(tokens.ServerError)
	if down, err := w.ask(Grant{Kind: KindLogin}); err != nil || down.Outcome != Unknown {
		t.Errorf("got %v, %v", down.Outcome, err)
	}
}

// TestLoginWithHeaders: a GET with a name and a password whose response has the token in a header.
func TestLoginWithHeaders(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodGet || user != "u" || password != "p&w" || r.URL.Query().Get("tenant") != "acme" || r.Header.Get("X-App") != "millrace" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Session", "the-session")
	}))
	t.Cleanup(s.Close)
	credential := credentialOf(t, "session_token", `{"auth":{"tokenHost":"`+s.URL+`/login"},"client":{"id":"{{username}}","secret":"{{password}}"},"headers":{"X-App":"millrace"},
		"options":{"method":"get","authorizationMethod":"header","credentialsEncodingMode":"loose"},"token_params":{"tenant":"acme"},"response_header":"x-session","tokenExpiryDuration":60}`)
	w := &world{t, nil, newClient(t), credential, time.Now()}
	got, err := w.ask(Grant{Kind: KindLogin, Context: map[string]any{"username": "u", "password": "p&w"}})
	if err != nil || got.AccessToken != "the-session" || got.ExpiresAt.Sub(w.now) != time.Minute {
		t.Errorf("got %v, %s, %v", got.AccessToken, got.Message, err)
	}
	if got, err = w.ask(Grant{Kind: KindLogin, Context: map[string]any{"username": "u", "password": "x"}}); err != nil || got.Outcome != Refused {
		t.Errorf("a 401 without a word: got %v, %v", got.Outcome, err)
	}
}

// TestOAuth1 goes through the three requests of OAuth 1.0a.
func TestOAuth1(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		switch {
		case r.URL.Path == "/request" && strings.Contains(header, `oauth_callback="https%3A%2F%2Fm.test%2Fcb%3Fstate%3Ds"`) && strings.Contains(header, `oauth_consumer_key="app"`):
			_, _ = io.WriteString(w, "oauth_token=temporary-1&oauth_token_secret=temporary-secret-1&oauth_callback_confirmed=true")
		case r.URL.Path == "/access" && strings.Contains(header, `oauth_token="temporary-1"`) && strings.Contains(header, `oauth_verifier="v-1"`):
			_, _ = io.WriteString(w, "oauth_token=granted-1&oauth_token_secret=granted-secret-1&user_id=7")
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "oauth_problem=signature_invalid")
		}
	}))
	t.Cleanup(s.Close)
	credential := credentialOf(t, "oauth", `{"client":{"id":"app","secret":"app-secret"},"requestTokenUrl":"`+s.URL+`/request","authorize_url":"`+s.URL+`/authorize?x=1","tokenUrl":"`+s.URL+`/access",
		"keep":{"token":["user_id"]}}`)
	w := &world{t, nil, newClient(t), credential, time.Now()}
	temporary, err := w.ask(Grant{Kind: KindTemporary, RedirectURI: "https://m.test/cb?state=s", Now: noon})
	if err != nil || temporary.AccessToken != "temporary-1" {
		t.Fatalf("got %v, %v", temporary.Message, err)
	}
	address, err := AuthorizeURL(credential, Authorization{Temporary: temporary.AccessToken, State: "s"})
	if err != nil || address != s.URL+"/authorize?oauth_token=temporary-1&x=1" {
		t.Errorf("got %s, %v", address, err)
	}
	code, _, err := ReadRedirect(credential, url.Values{"oauth_token": {"temporary-1"}, "oauth_verifier": {"v-1"}, "state": {"s"}})
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := temporary.Token["access_token_secret"].(string)
	granted, err := w.ask(Grant{Kind: KindCode, Code: code, Temporary: Temporary{temporary.AccessToken, secret}, Now: noon})
	if err != nil || granted.AccessToken != "granted-1" || granted.Token["access_token_secret"] != "granted-secret-1" || granted.Extra["user_id"] != "7" {
		t.Errorf("got %v, %v", granted, err)
	}
	if bad, err := w.ask(Grant{Kind: KindCode, Code: "v-2", Temporary: Temporary{"temporary-1", secret}, Now: noon}); err != nil || bad.Outcome != Refused || bad.Code != "signature_invalid" {
		t.Errorf("got %v, %q, %v", bad.Outcome, bad.Code, err)
	}
	if _, _, err := ReadRedirect(credential, url.Values{"denied": {"temporary-1"}}); err == nil || !strings.Contains(err.Error(), "access was denied") {
		t.Errorf("got %v", err)
	}
	if _, err := NewRequest(credential, Grant{Kind: KindRefresh, RefreshToken: "r"}); err == nil {
		t.Error("a token of OAuth 1.0a was refreshed")
	}
}

// TestClientCertificate asks an endpoint that wants a certificate.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	text, key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := x509.ParseCertificate(der)
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"for-`+r.TLS.PeerCertificates[0].Subject.CommonName+`"}`)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.StartTLS()
	t.Cleanup(s.Close)
	transport := egress.NewTransport(egress.TransportConfig{AllowLoopback: true})
	transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client, err := New(ClientConfig{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	options := `{"client":{"id":"app"},"auth":{"tokenHost":"` + s.URL + `"},"options":{"authorizationMethod":"none"}`
	with := credentialOf(t, "oauth2_client_credentials", options+`,"client_certificate":{"certificate":"{{cert}}","private_key":"{{key}}"}}`)
	w := &world{t, nil, client, with, time.Now()}
	account := map[string]any{"cert": certificate, "key": text}
	got, err := w.ask(Grant{Kind: KindClient, Context: account})
	if err != nil || got.AccessToken != "for-client" {
		t.Errorf("got %v, %v", got.AccessToken, err)
	}
	w.credential = credentialOf(t, "oauth2_client_credentials", options+"}")
	if _, err = w.ask(Grant{Kind: KindClient}); err == nil {
		t.Error("a request without certificate was taken")
	}
	if _, err = NewRequest(with, Grant{Kind: KindClient, Context: map[string]any{"cert": "x", "key": "secret-of-a-user"}}); err == nil || strings.Contains(err.Error(), "secret-of") ||
		!strings.HasPrefix(err.Error(), "config.credentials.oauth2_client_credentials.config.client_certificate: ") {
		t.Errorf("got %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	idToken := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u-7"}`)) + ".c2ln"
	r := Result{Token: map[string]any{"access_token": "at-secret", "id_token": idToken, "team": map[string]any{"id": "T1", "token": "deep-secret"}, "n": json.Number("7")}}
	for expression, want := range map[string]string{
		`token.team.id & '/' & claims.sub & '/' & redirect.realmId & '/' & context.subdomain & '/' & token.n`: "T1/u-7/12/acme/7",
		`$string(token)`: `{"n":7,"team":{"id":"T1"}}`,
		`token.nothing`:  "",
	} {
		raw, _ := json.Marshal(expression)
		credential := credentialOf(t, "oauth2", `{"auth":{"tokenHost":"https://t.test"},"identity":`+string(raw)+`}`)
		got, err := Identity(t.Context(), credential, r, map[string]any{"realmId": "12"}, map[string]any{"subdomain": "acme"}, time.Now)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", expression, got, err, want)
		}
	}
	credential := credentialOf(t, "oauth2", `{"auth":{"tokenHost":"https://t.test"},"identity":"$number(token.team.id)"}`)
	if _, err := Identity(t.Context(), credential, r, nil, nil, time.Now); err == nil || strings.Contains(err.Error(), "T1") {
		t.Errorf("got %v", err)
	}
}

func TestFirstKind(t *testing.T) {
	t.Parallel()
	for format, options := range map[string]string{
		"oauth2": `{"auth":{"tokenHost":"https://t.test"}}`, "oauth2_client_credentials": `{"auth":{"tokenHost":"https://t.test"}}`, "keka_oauth": `{}`,
		"jwt": `{"private_key":"{{k}}","auth":{"tokenHost":"https://t.test"}}`, "session_token": `{"auth":{"tokenHost":"https://t.test"},"token_path":"t"}`, "api_key": `{}`,
		"oauth": `{"client":{"id":"a"}}`,
	} {
		want, has := map[string]Kind{"oauth2": KindCode, "oauth2_client_credentials": KindClient, "keka_oauth": KindKeka, "jwt": KindJWT, "session_token": KindLogin}[format]
		if got, ok := FirstKind(credentialOf(t, format, options)); got != want || ok != has {
			t.Errorf("%s: got %q, %v", format, got, ok)
		}
	}
}
