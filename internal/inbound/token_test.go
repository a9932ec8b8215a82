package inbound

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/millrace/millrace"
)

const sharedKey = "a shared key of the tests, 32 bytes long"

func tokenNow() time.Time { return time.Unix(1_700_000_000, 0) }

// issuer publishes two keys and signs tokens.
type issuer struct {
	t      *testing.T
	ec     *ecdsa.PrivateKey
	rsa    *rsa.PrivateKey
	asked  atomic.Int64
	status atomic.Int64
}

func newIssuer(t *testing.T) (*issuer, string) {
	t.Helper()
	i := &issuer{t: t}
	var err error
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	return i, s.URL
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.asked.Add(1)
	if status := i.status.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{
		map[string]string{"kty": "unknown"},
		jose.JSONWebKey{Key: i.ec.Public(), KeyID: "ec", Use: "sig"},
		jose.JSONWebKey{Key: i.rsa.Public(), KeyID: "rsa"},
	}})
}

func token(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string, claims jwt.Claims) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if id != "" {
		options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hmacToken makes a token as RFC 7515 describes it, with a key of any length.
func hmacToken(algorithm string, digest func() hash.Hash, key, more string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"`+algorithm+`"`+more+`}`)) + "." + encode(fmt.Appendf(nil, `{"exp":%d}`, tokenNow().Add(time.Minute).Unix()))
	mac := hmac.New(digest, []byte(key))
	_, _ = mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

func claimsUntil(d time.Duration) jwt.Claims {
	return jwt.Claims{Issuer: "them", Audience: jwt.Audience{"us"}, ID: "j1", Expiry: jwt.NewNumericDate(tokenNow().Add(d))}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	i, url := newIssuer(t)
	published := millrace.HookSignature{Format: "jwt", JWKSURL: url, Issuer: "them", Audience: "us", Tolerance: 300}
	shared := millrace.HookSignature{Format: "jwt", Secret: sharedKey, Tolerance: 300}
	publicKey, err := x509.MarshalPKIXPublicKey(i.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	with := func(s millrace.HookSignature, change func(*millrace.HookSignature)) millrace.HookSignature {
		change(&s)
		return s
	}
	good := claimsUntil(time.Minute)
	shortened := token(t, jose.ES256, i.ec, "ec", good)
	v := &verifier{clock: tokenNow, keys: newKeySets(http.DefaultClient, tokenNow)}
	for _, c := range []struct {
		name      string
		signature millrace.HookSignature
		token     string
		reason    string
	}{
		{"elliptic curve", published, token(t, jose.ES256, i.ec, "ec", good), ""},
		{"rsa", published, token(t, jose.RS256, i.rsa, "rsa", good), ""},
		{"no key id", published, token(t, jose.RS256, i.rsa, "", good), ""},
		{"shared", shared, token(t, jose.HS256, []byte(sharedKey), "", good), ""},
		{"the key of another", published, token(t, jose.RS256, i.rsa, "ec", good), "no key"},
		{"a key that is not published", published, token(t, jose.RS256, i.rsa, "other", good), "no key"},
		{"a public key as a shared one", published, token(t, jose.HS256, publicKey, "rsa", good), "algorithm is not allowed"},
		{"a published key where a shared one is wanted", shared, token(t, jose.RS256, i.rsa, "", good), "algorithm is not allowed"},
		{"no algorithm", published, "eyJhbGciOiJub25lIn0.e30.", "algorithm is not allowed"},
		{"another shared key", shared, token(t, jose.HS256, []byte(strings.ToUpper(sharedKey)), "", good), "does not match"},
		{"a shared key of 16 bytes", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcdef" }), hmacToken("HS256", sha256.New, "0123456789abcdef", ""), ""},
		{"a shared key of 17 bytes for a long digest", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcdefg" }), hmacToken("HS512", sha512.New, "0123456789abcdefg", ""), ""},
		{"a shared key longer than a block", with(shared, func(s *millrace.HookSignature) { s.Secret = strings.Repeat("k", 200) }), hmacToken("HS384", sha512.New384, strings.Repeat("k", 200), ""), ""},
		{"another shared key of 16 bytes", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcdef" }), hmacToken("HS256", sha256.New, "0123456789abcdeg", ""), "does not match"},
		{"a beginning of the shared key", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcdefg" }), hmacToken("HS256", sha256.New, "0123456789abcdef", ""), "does not match"},
		{"an extension that must be understood", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcdef" }), hmacToken("HS256", sha256.New, "0123456789abcdef", `,"crit":["x"],"x":1`), "does not match"},
		{"a shared key of 15 bytes", with(shared, func(s *millrace.HookSignature) { s.Secret = "0123456789abcde" }), hmacToken("HS256", sha256.New, "0123456789abcde", ""), "at least 16 bytes"},
		{"a short shared key", with(shared, func(s *millrace.HookSignature) { s.Secret = "short" }), token(t, jose.HS256, []byte(sharedKey), "", good), "too short"},
		{"expired", published, token(t, jose.ES256, i.ec, "ec", claimsUntil(-2*time.Minute)), "not valid now"},
		{"never expires", shared, token(t, jose.HS256, []byte(sharedKey), "", jwt.Claims{ID: "x"}), "no time at which it expires"},
		{"issued just now", shared, token(t, jose.HS256, []byte(sharedKey), "", jwt.Claims{IssuedAt: jwt.NewNumericDate(tokenNow())}), ""},
		{"another audience", with(published, func(s *millrace.HookSignature) { s.Audience = "him" }), token(t, jose.ES256, i.ec, "ec", good), "another issuer or audience"},
		{"another issuer", with(published, func(s *millrace.HookSignature) { s.Issuer = "her" }), token(t, jose.ES256, i.ec, "ec", good), "another issuer or audience"},
		{"another algorithm than is wanted", with(published, func(s *millrace.HookSignature) { s.Algorithm = "es256" }), token(t, jose.RS256, i.rsa, "rsa", good), "algorithm is not allowed"},
		{"an algorithm that does not go with the key", with(published, func(s *millrace.HookSignature) { s.Algorithm = "HS256" }), shortened, "does not go with"},
		{"cut short", published, shortened[:len(shortened)-5], "no token"},
		{"no token", published, "", "$header.authorization"},
	} {
		header := map[string]string{}
		if c.token != "" {
			header["authorization"] = "Bearer " + c.token
		}
		got, err := v.verify(t.Context(), &c.signature, &millrace.InboundRequest{Header: header})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.reason == "" && got.reason != "" || !strings.Contains(got.reason, c.reason) {
			t.Errorf("%s: got reason %q, want %q", c.name, got.reason, c.reason)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the keys were read %d times, want once", n)
	}
}

// While keys cannot be read, hooks are rejected temporarily, and a new key is found.
func TestKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	i, url := newIssuer(t)
	now := tokenNow()
	k := newKeySets(http.DefaultClient, func() time.Time { return now })
	get := func(id string) (int, error) {
		keys, err := k.get(context.WithoutCancel(t.Context()), url, id)
		return len(keys), err
	}
	i.status.Store(http.StatusInternalServerError)
	for range 3 {
		if _, err := get("ec"); millrace.KindOf(err) != millrace.KindUnavailable {
			t.Errorf("got %v, want unavailable", err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the keys were read %d times within a minute, want once", n)
	}
	i.status.Store(0)
	now = now.Add(keysPause + time.Second)
	if n, err := get("ec"); n != 1 || err != nil {
		t.Errorf("got %d keys, %v", n, err)
	}
	i.status.Store(http.StatusInternalServerError)
	now = now.Add(keysKept + time.Second)
	if n, err := get("ec"); n != 1 || err != nil {
		t.Errorf("keys that were known are gone: got %d, %v", n, err)
	}
}
