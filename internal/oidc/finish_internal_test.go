package oidc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/secret"
)

// FuzzCookie reads cookies and redirects of any origin: only what was sealed here opens, and only with its state.
func FuzzCookie(f *testing.F) {
	keys, err := secret.NewKeyring("", "", f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	if _, err := keys.Create(); err != nil {
		f.Fatal(err)
	}
	c := New(Config{Settings: Settings{Issuer: "https://idp.example.com", ClientID: "millrace"}, Keys: keys, Clock: time.Now})
	other := New(Config{Settings: Settings{Issuer: "https://idp.example.com", ClientID: "another"}, Keys: keys, Clock: time.Now})
	was := attempt{State: random(), Nonce: random(), Verifier: random(), To: "/dashboard", ExpiresAt: time.Now().Add(time.Hour).Unix()}
	cookie, err := c.seal(&was)
	if err != nil {
		f.Fatal(err)
	}
	late := was
	late.ExpiresAt = time.Now().Add(-time.Second).Unix()
	old, err := c.seal(&late)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cookie, "state="+was.State)
	f.Add(cookie, "state="+was.State+"&state=x")
	f.Add(old, "state="+was.State)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, text, redirect string) {
		query, _ := url.ParseQuery(redirect)
		if got := c.open(text); got != nil && *got != was || other.open(text) != nil {
			t.Fatalf("%q opens as %+v", text, got)
		}
		if c.Mine(query, text) && query.Get("state") != was.State {
			t.Fatalf("%q goes with the state %q", text, query.Get("state"))
		}
	})
}

// TestWhoseAddressesCount is about what providers say of addresses, and what is believed.
func TestWhoseAddressesCount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		issuer string
		trust  bool
		said   claims
		want   bool
	}{
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: true}, true},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: "true"}, true},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: "TRUE"}, false},
		{"https://idp.example.com", false, claims{Email: "ann@example.com", Verified: 1.0}, false},
		{"https://idp.example.com", false, claims{Email: "ann@example.com"}, false},
		{"https://idp.example.com", true, claims{Email: "ann@example.com"}, true},
		{"https://idp.example.com", true, claims{}, false},
		{google, false, claims{Email: "ann@gmail.com", Verified: true}, true},
		{google, false, claims{Email: "ann@gmail.com"}, false},
		{google, false, claims{Email: "ann@example.com", Verified: true}, false},
		{google, false, claims{Email: "ann@example.com", Verified: true, Hosted: "Example.com"}, true},
		{google, false, claims{Email: "ann@example.com", Verified: true, Hosted: "evil.example"}, false},
		{google, false, claims{Email: "ann@gmail.com@evil.example", Verified: true}, false},
		{google, false, claims{Email: "ann", Verified: true, Hosted: ""}, false},
	} {
		c := &Client{Config: Config{Settings: Settings{Issuer: test.issuer, TrustEmail: test.trust}}}
		if got := c.vouches(&test.said); got != test.want {
			t.Errorf("%s, trusted: %v, says %+v: got %v, want %v", test.issuer, test.trust, test.said, got, test.want)
		}
	}
}

// TestAProviderThatHangs does not keep a server from stopping.
func TestAProviderThatHangs(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	c := New(Config{Settings: Settings{Issuer: server.URL}, Transport: http.DefaultTransport, Clock: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Ask(ctx) }()
	<-asked
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a provider that did not respond is known")
		}
	case <-time.After(requestTime / 2):
		t.Error("the provider is still waited for")
	}
}
