package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

// credentialsOf compiles a config with one resource and the credentials of a format.
func credentialsOf(t *testing.T, url, format, options, method string) (*config.Config, *config.Credential) {
	t.Helper()
	cfg := oneMethod(t, url, `"credentials":{"`+format+`":{"format":"`+format+`","config":`+options+`}}`, method)
	credential := cfg.Credentials[format]
	return cfg, &credential
}

// TestSignedRequests: what is sent for accounts whose credentials sign requests, or make tokens of their own.
func TestSignedRequests(t *testing.T) { //nolint:tparallel // one upstream serves one case after the other
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	const aws = `{"access_key_id":"AKIDEXAMPLE","secretAccessKey":"{{secret_access_key}}","session_token":"{{session}}","region":"eu-west-1","service":"execute-api"}`
	const oauth1 = `{"client":{"id":"consumer-1","secret":"consumer-secret"},"signatureMethod":"HMAC-SHA256","realm":"{{realm}}"}`
	account := map[string]any{
		"secret_access_key": "aws-secret", "session": "aws-session", "realm": "123",
		"oauth": map[string]any{"token": map[string]any{"access_token": "token-1", "access_token_secret": "token-secret"}},
	}
	for name, c := range map[string]struct {
		format, options, method string
		want                    []string // in the header
	}{
		"OAuth 1.0a": {"oauth", oauth1, `{"path":"/x?a=1","query":{"b":"2"}}`, []string{`OAuth realm="123", oauth_consumer_key="consumer-1"`, `oauth_token="token-1"`, `"HMAC-SHA256"`, "oauth_signature="}},
		"OAuth 1.0a with tokens that were entered": {
			"oauth", `{"client":{"id":"c","secret":"s"},"token":"{{realm}}","token_secret":"{{session}}"}`, `{"path":"/x"}`, []string{`oauth_token="123"`, `"HMAC-SHA1"`},
		},
		"AWS":                  {"aws_sigv4", aws, `{"path":"/x","method":"post","body":{"a":1}}`, []string{"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/", "/eu-west-1/execute-api/aws4_request", "x-amz-security-token"}},
		"another one wins":     {"aws_sigv4", aws, `{"path":"/x","authorization":{"format":"bearer","config":{"token":"own"}}}`, []string{"Bearer own"}},
		"none":                 {"aws_sigv4", aws, `{"path":"/x","no_auth":true}`, []string{""}},
		"a token of one's own": {"jwt", `{"private_key":"{{session}}{{session}}{{session}}{{session}}","algorithm":"HS256","issuer":"me"}`, `{"path":"/x"}`, []string{"Bearer eyJ"}},
		"a token that was exchanged": {
			"jwt", `{"private_key":"{{session}}","auth":{"tokenHost":"https://t.test"}}`, `{"path":"/x"}`, []string{"Bearer token-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, credential := credentialsOf(t, u.URL, c.format, c.options, c.method)
			fetchOK(t, newFetcher(t), Request{Integration: cfg, Credential: credential, Context: account})
			r, _ := u.last(t)
			got := r.Header.Get("Authorization")
			for _, want := range c.want {
				if !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			if strings.Contains(got, "-secret") {
				t.Errorf("there is a secret in %q", got)
			}
		})
	}
}

// TestSignedRedirect: a signature is for one request, so that none is made of it for another.
func TestSignedRedirect(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/y", http.StatusFound) })
	cfg, credential := credentialsOf(t, u.URL, "oauth", `{"client":{"id":"c","secret":"s"},"token":"t","token_secret":"u"}`, `{"path":"/x"}`)
	o := fetchAny(t, newFetcher(t), Request{Integration: cfg, Credential: credential})
	if o.Kind != KindNetworkError || o.ErrorClass != classRedirect || len(u.lines()) != 1 {
		t.Errorf("got %s, %s, after %q", o.Kind, o.Message, u.lines())
	}
}

// TestUnusableKeys: what cannot sign is an error of the config, without the key.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	for format, c := range map[string]struct{ options, want string }{
		"jwt":       {`{"private_key":"{{key}}"}`, "config.credentials.jwt.config.private_key: the private key cannot be used"},
		"aws_sigv4": {`{"access_key_id":"a","secret_access_key":"{{missing}}","region":"r","service":"s"}`, "config.credentials.aws_sigv4.config.secret_access_key: {{missing}} has no value"},
		"api_key":   {`{"client_certificate":{"certificate":"{{key}}","private_key":"{{key}}"}}`, "config.credentials.api_key.config.client_certificate: the client certificate cannot be used"},
	} {
		cfg, credential := credentialsOf(t, u.URL, format, c.options, `{"path":"/x"}`)
		_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list", Credential: credential, Context: map[string]any{"key": "key-of-a-user"}})
		var e *millrace.Error
		if !errors.As(err, &e) || e.Kind != millrace.KindInvalid || !strings.HasPrefix(e.Message, c.want) || strings.Contains(e.Message, "key-of") {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

// TestClientCertificate: an account's certificate is shown to its API only, and for its own requests only.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "account"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, _ := x509.MarshalPKCS8PrivateKey(key)
	inPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	other := newUpstream(t, respondJSON(200, `[]`))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case len(r.TLS.PeerCertificates) == 0:
			w.WriteHeader(http.StatusForbidden)
		default:
			respondJSON(200, `["`+r.TLS.PeerCertificates[0].Subject.CommonName+`"]`)(w, r)
		}
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	f := newFetcher(t, func(c *FetcherConfig) { c.Client = s.Client() })
	for path, want := range map[string]Kind{"/x": KindOK, "/away": KindNetworkError} {
		cfg, credential := credentialsOf(t, s.URL, "api_key", `{"client_certificate":{"certificate":"{{certificate}}","private_key":"{{private_key}}"}}`, `{"path":"`+path+`"}`)
		account := map[string]any{"certificate": inPEM("CERTIFICATE", der), "private_key": inPEM("PRIVATE KEY", keyDER)}
		for range 2 {
			if o := fetchAny(t, f, Request{Integration: cfg, Credential: credential, Context: account}); o.Kind != want || want == KindOK && string(o.Body) != `["account"]` {
				t.Errorf("%s: got %s, %s, %s", path, o.Kind, o.Message, o.Body)
			}
			if o := fetchAny(t, f, Request{Integration: cfg, Context: account}); path == "/x" && o.Status != http.StatusForbidden {
				t.Errorf("a request without the credentials: got %s", o.Kind)
			}
		}
	}
}
