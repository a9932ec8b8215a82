package oauth

import (
	"bufio"
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// strangeSecret has what a secret must be encoded for in a header.
const strangeSecret = "s:e c+r%e/t&=of?tests-that-is-long-enough"

// startProvider starts npm's oidc-provider, a certified implementation that others wrote. MILLRACE_OIDC_PROVIDER is a folder in which it
// is installed.
func startProvider(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	folder := os.Getenv("MILLRACE_OIDC_PROVIDER")
	if folder == "" {
		t.Skip("SKIPPED: MILLRACE_OIDC_PROVIDER does not name a folder with oidc-provider; make realserver makes one")
	}
	client := func(id, method string, more map[string]any) map[string]any {
		out := map[string]any{
			"client_id": id, "token_endpoint_auth_method": method, "redirect_uris": []string{"https://millrace.test/callback"},
			"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "response_types": []string{"code"},
		}
		maps.Copy(out, more)
		return out
	}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: "k1", Use: "sig", Algorithm: "ES256"}
	config, err := json.Marshal(map[string]any{"clients": []any{
		client("basic", "client_secret_basic", map[string]any{"client_secret": strangeSecret}),
		client("post", "client_secret_post", map[string]any{"client_secret": strangeSecret}),
		client("key", "private_key_jwt", map[string]any{"jwks": map[string]any{"keys": []any{public}}, "token_endpoint_auth_signing_alg": "ES256"}),
		client("public", "none", map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/oidc-provider.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// Node looks for packages where the script is.
	at := filepath.Join(folder, "millrace-oidc-provider.mjs")
	if err := os.WriteFile(at, script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", at)
	cmd.Env = append(os.Environ(), "OIDC_CONFIG="+string(config))
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return lines.Text()
		}
	}
	t.Fatal("oidc-provider did not start")
	return ""
}

// allow goes through the pages of the provider as a user does who logs in and allows everything, and returns the redirect back.
func allow(t *testing.T, address string) url.Values {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	client := http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "millrace.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := client.Get(address)
	for _, form := range []url.Values{{"prompt": {"login"}, "login": {"user-1"}, "password": {"x"}}, {"prompt": {"consent"}}} {
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("the provider did not ask the user: %v, %v", resp, err)
		}
		page := resp.Request.URL.String()
		_ = resp.Body.Close()
		resp, err = client.PostForm(page, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("the provider did not send the user back: %v, %v", resp.Status, err)
	}
	return back.Query()
}

// TestOIDCProvider has a strict provider judge every request: PKCE, each way of proving a client, rotation, reuse, revocation.
func TestOIDCProvider(t *testing.T) { //nolint:tparallel // one provider for all
	t.Parallel()
	text, key := newKey(t)
	issuer := startProvider(t, key)
	account := map[string]any{"key": text, "secret": strangeSecret}
	for name, client := range map[string]string{
		"basic":  `"client":{"id":"basic","secret":"{{secret}}"}`,
		"post":   `"client":{"id":"post","secret":"{{secret}}"},"options":{"authorizationMethod":"body"}`,
		"key":    `"client":{"id":"key","private_key":"{{key}}","algorithm":"ES256","key_id":"k1"}`,
		"public": `"client":{"id":"public"}`,
	} {
		t.Run(name, func(t *testing.T) {
			options := `{` + client + `,"auth":{"tokenHost":"` + issuer + `","tokenPath":"/token","authorizePath":"/auth","revokePath":"/token/revocation"},"scope":["openid","offline_access"],
				"params":{"prompt":"consent"},"issuer":"` + issuer + `","identity":"claims.sub"}`
			w := &world{t, nil, newClient(t), credentialOf(t, "oauth2", options), time.Now()}
			connect := func(verifier, said string) (Result, error) {
				address, err := AuthorizeURL(w.credential, Authorization{RedirectURI: "https://millrace.test/callback", State: "s", Verifier: verifier, Context: account})
				if err != nil {
					t.Fatal(err)
				}
				code, _, err := ReadRedirect(w.credential, allow(t, address))
				if err != nil {
					t.Fatal(err)
				}
				return w.ask(Grant{Kind: KindCode, Code: code, RedirectURI: "https://millrace.test/callback", Verifier: said, Context: account, Now: w.now})
			}
			refresh := func(token string) Result {
				got, err := w.ask(Grant{Kind: KindRefresh, RefreshToken: token, Context: account, Now: w.now})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			verifier := Verifier()
			first, err := connect(verifier, verifier)
			if err != nil || first.Outcome != Granted || first.ExpiresAt.Sub(w.now).Round(time.Minute) != 10*time.Minute {
				t.Fatalf("got %s, %s, %v", first.Outcome, first.Message, err)
			}
			if sub, err := Identity(t.Context(), w.credential, first, nil, nil, time.Now); sub != "user-1" || err != nil {
				t.Errorf("the account is called %q, %v", sub, err)
			}
			if bad, err := connect(Verifier(), Verifier()); err != nil || bad.Outcome != Refused || bad.Code != "invalid_grant" {
				t.Errorf("another verifier: got %s, %s, %v", bad.Outcome, bad.Code, err)
			}
			second := refresh(first.RefreshToken)
			if second.Outcome != Granted || second.RefreshToken == first.RefreshToken {
				t.Fatalf("got %s, %s", second.Outcome, second.Message)
			}
			if again := refresh(first.RefreshToken); again.Outcome != Refused || again.Code != "invalid_grant" {
				t.Errorf("a second use: got %s, %s", again.Outcome, again.Code)
			}
			if dead := refresh(second.RefreshToken); dead.Outcome != Refused {
				t.Errorf("the family lives on: got %s", dead.Outcome)
			}
			third, _ := connect(verifier, verifier)
			r, err := NewRequest(w.credential, Grant{Kind: KindRevoke, RefreshToken: third.RefreshToken, Context: account, Now: w.now})
			if err != nil {
				t.Fatal(err)
			}
			if response, err := w.client.Send(t.Context(), r); err != nil || response.Status != http.StatusOK || refresh(third.RefreshToken).Outcome != Refused {
				t.Errorf("it was not revoked: %v, %v", response, err)
			}
			if name == "public" {
				return
			}
			machine, err := w.ask(Grant{Kind: KindClient, Scopes: []string{"read"}, Context: account, Now: w.now})
			if err != nil || machine.Outcome != Granted || machine.RefreshToken != "" {
				t.Errorf("client credentials: got %s, %s, %v", machine.Outcome, machine.Message, err)
			}
			if name != "key" {
				wrong, err := w.ask(Grant{Kind: KindClient, Context: map[string]any{"secret": "wrong-secret-of-tests"}, Now: w.now})
				if err != nil || wrong.Outcome != Refused || wrong.Code != "invalid_client" {
					t.Errorf("a wrong secret: got %s, %s, %v", wrong.Outcome, wrong.Code, err)
				}
			}
		})
	}
}
