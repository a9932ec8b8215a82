package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/millracetest/tokens"
)

// world is a token server and a client of it.
type world struct {
	*testing.T
	server     *tokens.Server
	client     *Client
	credential *config.Credential
	now        time.Time
}

const oauth2Options = `{"client":{"id":"app-of-tests","secret":"client-secret-of-tests"},"auth":{"tokenHost":"HOST","tokenPath":"/token","authorizePath":"/authorize"}`

func newWorld(t *testing.T, more string) *world {
	t.Helper()
	s := tokens.Start()
	t.Cleanup(s.Close)
	options := strings.ReplaceAll(oauth2Options+more+"}", "HOST", s.URL)
	return &world{t, s, newClient(t), credentialOf(t, "oauth2", options), time.Now()}
}

// ask sends the request of a grant and reads the response as one that was stored in between.
func (w *world) ask(g Grant) (Result, error) {
	w.Helper()
	r, err := NewRequest(w.credential, g)
	if err != nil {
		w.Fatal(err)
	}
	response, err := w.client.Send(w.Context(), r)
	if err != nil {
		w.clean(err.Error())
		return Result{}, err
	}
	raw, err := json.Marshal(response)
	if err != nil {
		w.Fatal(err)
	}
	var stored Response
	if err := json.Unmarshal(raw, &stored); err != nil {
		w.Fatal(err)
	}
	result := Read(w.credential, stored, w.now)
	w.clean(result.Message)
	w.clean(result.Code)
	w.clean(fmt.Sprintf("%v %+v %#v %v", response, response, response, r))
	return result, nil
}

// clean fails when a text has a secret in it: all those of the server say what they are.
func (w *world) clean(text string) {
	w.Helper()
	if strings.Contains(text, "-token-0") || strings.Contains(text, tokens.ClientSecret) {
		w.Errorf("there is a secret in %q", text)
	}
}

// code goes through the redirect.
func (w *world) code(verifier string) string {
	w.Helper()
	address, err := AuthorizeURL(w.credential, Authorization{RedirectURI: "https://millrace.test/callback", State: "the-state", Verifier: verifier})
	if err != nil {
		w.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		w.Fatal(err)
	}
	code, _, err := ReadRedirect(w.credential, back.Query())
	if err != nil || back.Query().Get("state") != "the-state" {
		w.Fatalf("got %v from %s", err, back)
	}
	return code
}

// TestConnectAndRefresh goes all the way, and then uses a refresh token twice.
func TestConnectAndRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	verifier := Verifier()
	first, err := w.ask(Grant{Kind: KindCode, Code: w.code(verifier), RedirectURI: "https://millrace.test/callback", Verifier: verifier})
	if err != nil || first.Outcome != Granted || first.RefreshToken == "" {
		t.Fatalf("got %v, %v", first.Outcome, err)
	}
	if want := w.now.Add(time.Hour); first.ExpiresAt.Sub(want).Abs() > time.Second || cmp.Diff([]string{"read", "write"}, first.Scope) != "" {
		t.Errorf("got %v and %q", first.ExpiresAt, first.Scope)
	}
	if diff := cmp.Diff([][]string{{"access_token"}, {"refresh_token"}}, first.SecretPaths); diff != "" {
		t.Error(diff)
	}
	second, err := w.ask(Grant{Kind: KindRefresh, RefreshToken: first.RefreshToken})
	if err != nil || second.Outcome != Granted || second.RefreshToken == first.RefreshToken {
		t.Fatalf("got %v, %v", second.Outcome, err)
	}
	again, err := w.ask(Grant{Kind: KindRefresh, RefreshToken: first.RefreshToken})
	if err != nil || again.Outcome != Refused || again.Code != "invalid_grant" {
		t.Errorf("got %v, %v, %v", again.Outcome, again.Code, err)
	}
	if w.server.Alive(second.RefreshToken) {
		t.Error("the second use of a refresh token did not revoke the family")
	}
	wrong, err := w.ask(Grant{Kind: KindCode, Code: w.code(verifier), RedirectURI: "https://millrace.test/callback", Verifier: "another"})
	if err != nil || wrong.Outcome != Refused {
		t.Errorf("another verifier: got %v, %v", wrong.Outcome, err)
	}
}

// TestEveryFault: what each fault means, that it was asked once, and that no message has a secret in it.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	const lost = "lost" // no response
	want := map[tokens.Fault]string{
		tokens.CutBefore: lost, tokens.CutAfter: lost, tokens.CutHalf: lost, tokens.Silence: lost, tokens.Huge: lost, tokens.Bomb: lost,
		tokens.ServerError: "unknown", tokens.Busy: "unknown", tokens.TooMany: "unknown", tokens.Page: "unknown", tokens.PageOK: "unknown",
		tokens.Redirect: "unknown", tokens.ErrorAfter: "unknown", tokens.Empty: "unknown",
		tokens.Denied: "refused", tokens.DeniedOK: "refused", tokens.NotOK: "refused",
		tokens.FloatExpiry: "granted", tokens.TextExpiry: "granted", tokens.EmptyExpiry: "granted", tokens.NoExpiry: "granted",
		tokens.Absolute: "granted", tokens.Nested: "granted", tokens.Form: "granted", tokens.Slow: "granted", tokens.SameRefresh: "granted",
	}
	for _, fault := range tokens.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[bool]string{true: `,"token_path":"authed_user"`}[fault == tokens.Nested])
			if fault == tokens.Silence {
				w.client.timeout = 2 * time.Second // enough for the request to arrive on a busy machine
			}
			w.server.Skew = 3 * time.Hour
			w.server.Next(fault)
			_, refresh := w.server.Grant()
			got, err := w.ask(Grant{Kind: KindRefresh, RefreshToken: refresh})
			outcome := string(got.Outcome)
			if err != nil {
				if outcome = lost; Unsent(err) {
					t.Error("the request counts as not sent")
				}
			}
			if outcome != want[fault] {
				t.Errorf("got %s (%s %v), want %s", outcome, got.Message, err, want[fault])
			}
			if n := len(w.server.Requests()); n != 1 {
				t.Errorf("the server got %d requests", n)
			}
			w.checkFault(fault, got)
		})
	}
}

func (w *world) checkFault(fault tokens.Fault, got Result) {
	w.Helper()
	if (got.Message == "") != (got.Outcome == Granted || got.Outcome == "") {
		w.Errorf("%s with the message %q", got.Outcome, got.Message)
	}
	if got.Outcome == Granted && (got.AccessToken == "" || (got.RefreshToken == "") != (fault == tokens.SameRefresh)) {
		w.Errorf("got tokens %q and %q", got.AccessToken, got.RefreshToken)
	}
	if fault == tokens.Busy || fault == tokens.TooMany {
		if got.RetryAfter != 7*time.Second {
			w.Errorf("got %v", got.RetryAfter)
		}
	}
	left := got.ExpiresAt.Sub(w.now)
	switch fault { //nolint:exhaustive // of the others it is the plain number
	case tokens.EmptyExpiry, tokens.NoExpiry:
		if !got.ExpiresAt.IsZero() {
			w.Errorf("got %v", got.ExpiresAt)
		}
	case tokens.FloatExpiry, tokens.TextExpiry, tokens.Absolute, tokens.Nested, tokens.Form:
		if left < time.Hour-2*time.Second || left > time.Hour+2*time.Second {
			w.Errorf("it lasts %v", left)
		}
	}
}

// TestUnsent: what certainly has not reached a provider says so, and nothing else does.
func TestUnsent(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		host   string
		unsent bool
	}{
		"closed port":  {closed.URL, true},
		"blocked":      {"http://10.0.0.1", true},
		"no such name": {"https://nowhere.invalid", true},
	} {
		credential := credentialOf(t, "oauth2", `{"client":{"id":"app","secret":"the-client-secret"},"auth":{"tokenHost":"`+c.host+`"}}`)
		r, err := NewRequest(credential, Grant{Kind: KindRefresh, RefreshToken: "the-refresh-token"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = newClient(t).Send(t.Context(), r); err == nil || Unsent(err) != c.unsent || strings.Contains(err.Error(), "the-") {
			t.Errorf("%s: got %v, unsent %v", name, err, Unsent(err))
		}
	}
	transport := egress.NewTransport(egress.TransportConfig{})
	c, err := New(ClientConfig{Transport: transport})
	if err != nil || transport.DisableKeepAlives || c.transport == transport {
		t.Errorf("the transport of others was changed, or is used: %v", err)
	}
	if Unsent(nil) || Unsent(fmt.Errorf("x")) {
		t.Error("any error counts as not sent")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	_, refresh := w.server.Grant()
	if _, err := NewRequest(w.credential, Grant{Kind: KindRevoke, RefreshToken: refresh}); err == nil || CanRevoke(w.credential) {
		t.Errorf("got %v from a config without an endpoint", err)
	}
	w.credential = credentialOf(t, "oauth2", strings.Replace(strings.ReplaceAll(oauth2Options, "HOST", w.server.URL), `"tokenPath"`, `"revoke_path":"/revoke","tokenPath"`, 1)+"}")
	r, err := NewRequest(w.credential, Grant{Kind: KindRevoke, RefreshToken: refresh})
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.client.Send(t.Context(), r)
	if err != nil || response.Status != http.StatusOK || w.server.Alive(refresh) || !CanRevoke(w.credential) {
		t.Errorf("got %v, %v; the token lives: %v", response, err, w.server.Alive(refresh))
	}
}

// TestDeniedRedirect: a redirect with an error.
func TestDeniedRedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `,"params":{"deny":"1"}`)
	address, err := AuthorizeURL(w.credential, Authorization{RedirectURI: "https://millrace.test/callback", State: "s"})
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, _ := url.Parse(resp.Header.Get("Location"))
	if _, _, err = ReadRedirect(w.credential, back.Query()); err == nil || !strings.Contains(err.Error(), "access was denied") {
		t.Errorf("got %v", err)
	}
}
