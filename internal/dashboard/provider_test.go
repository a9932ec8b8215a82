package dashboard_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "millrace"
	clientSecret = "the secret of the client, which is long"
)

// identityProvider is an OpenID provider that does what a test tells it. Without being told it is honest.
type identityProvider struct {
	t   *testing.T
	at  string // its issuer
	key *rsa.PrivateKey

	mu     sync.Mutex
	claims map[string]any // of who signs in
	codes  map[string]codeGrant
	said   map[string]any                     // replaces what it says about itself
	forge  func(claims map[string]any) string // makes the ID token instead
	token  func(w http.ResponseWriter) bool   // responds to the request for tokens instead; false: it did not
	info   map[string]any                     // of the userinfo endpoint
	asked  map[string]int                     // requests by path
}

// codeGrant is what a code stands for.
type codeGrant struct {
	redirect, nonce, challenge string
	claims                     map[string]any
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &identityProvider{t: t, key: key, codes: map[string]codeGrant{}, said: map[string]any{}, asked: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.write(w, p.info)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked[r.URL.Path]++
		p.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.at = server.URL
	p.is("sub-ann", "ann@example.com")
	return p
}

// is says who signs in next.
func (p *identityProvider) is(subject, email string, more ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = map[string]any{"sub": subject, "email": email, "email_verified": true, "name": "Ann"}
	for i := 0; i+1 < len(more); i += 2 {
		p.claims[more[i].(string)] = more[i+1]
	}
}

// tells says what the userinfo endpoint responds.
func (p *identityProvider) tells(info map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = info
}

// times returns how often a path was asked for.
func (p *identityProvider) times(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *identityProvider) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *identityProvider) describe(w http.ResponseWriter, _ *http.Request) {
	about := map[string]any{
		"issuer": p.at, "authorization_endpoint": p.at + "/authorize", "token_endpoint": p.at + "/token", "jwks_uri": p.at + "/keys", "userinfo_endpoint": p.at + "/me",
		"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, "authorization_response_iss_parameter_supported": true,
	}
	p.mu.Lock()
	maps.Copy(about, p.said)
	p.mu.Unlock()
	p.write(w, about)
}

func (p *identityProvider) keys(w http.ResponseWriter, _ *http.Request) {
	p.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
}

// authorize signs a person in who was sent to an address, and returns the query of the redirect.
func (p *identityProvider) authorize(address string) url.Values {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme+"://"+u.Host+u.Path != p.at+"/authorize" || q.Get("response_type") != "code" || q.Get("client_id") != clientID || q.Get("code_challenge_method") != "S256" {
		p.t.Fatalf("the browser was sent to %s", address)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 43 {
			p.t.Fatalf("%s is %q, which can be guessed", name, q.Get(name))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := "code-" + rand.Text()
	p.codes[code] = codeGrant{q.Get("redirect_uri"), q.Get("nonce"), q.Get("code_challenge"), maps.Clone(p.claims)}
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.at}}
}

func (p *identityProvider) exchange(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != nil && p.token(w) {
		return
	}
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	grant, ok := p.codes[r.PostFormValue("code")]
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || id != clientID || secret != clientSecret || grant.redirect != r.PostFormValue("redirect_uri") || grant.challenge != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "the code " + r.PostFormValue("code") + " with " + secret + " is wrong"})
		return
	}
	delete(p.codes, r.PostFormValue("code"))
	now := time.Now()
	claims := map[string]any{"iss": p.at, "aud": clientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": grant.nonce}
	maps.Copy(claims, grant.claims)
	var token string
	if p.forge != nil {
		token = p.forge(claims)
	} else {
		token = p.sign(jose.RS256, jose.JSONWebKey{Key: p.key, KeyID: "one"}, claims)
	}
	p.write(w, map[string]any{"access_token": "access-token-of-ann", "token_type": "Bearer", "expires_in": 300, "id_token": token})
}

// sign makes a token.
func (p *identityProvider) sign(with jose.SignatureAlgorithm, key any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: with, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	return text
}
