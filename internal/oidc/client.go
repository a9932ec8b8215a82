package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/millrace/millrace/internal/secret"
)

// Life is how long a sign-in may take.
const Life = 10 * time.Minute

const (
	requestTime = 10 * time.Second
	maxResponse = 1 << 20
	freshFor    = time.Hour       // how long what a provider publishes about itself is not asked for again
	retryAfter  = 5 * time.Second // a provider that did not respond is left alone
	skew        = 5 * time.Minute // of clocks
)

// Settings say which identity provider there is. The zero value: none.
type Settings struct {
	Issuer     string // as the provider writes it
	ClientID   string
	Secret     string // empty: a public client
	Name       string // of the provider, for the button
	Scopes     []string
	TrustEmail bool   // every address that the provider says is verified
	RoleClaim  string // that has the role, or a list with it; empty: none has
}

// Sealer keeps what is in a cookie from those who have it.
type Sealer interface {
	Encrypt(plain, ad []byte) ([]byte, error)
	Decrypt(sealed, ad []byte) ([]byte, error)
}

// Config is what a [Client] needs. All of it is required.
type Config struct {
	Settings
	Redirect  func() string // where the provider sends browsers back to
	Transport http.RoundTripper
	Keys      Sealer
	Clock     func() time.Time
}

// Client speaks to one identity provider. It may be used by any number of goroutines.
type Client struct {
	Config
	http *http.Client
	turn chan struct{} // guards the rest

	known  *provider
	failed error     // of the last attempt
	at     time.Time // of it
}

// provider is what a provider publishes about itself.
type provider struct {
	*oidc.Provider
	Metadata struct {
		Methods  []string `json:"token_endpoint_auth_methods_supported"`
		SendsIss bool     `json:"authorization_response_iss_parameter_supported"`
		UserInfo string   `json:"userinfo_endpoint"`
		Keys     string   `json:"jwks_uri"`
	}
}

// New returns a client. It asks the provider for nothing.
func New(cfg Config) *Client {
	c := &Client{Config: cfg, turn: make(chan struct{}, 1)}
	c.http = &http.Client{
		Transport: bounded{cfg.Transport}, Timeout: requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// bounded is a transport whose responses end after maxResponse bytes.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxResponse), resp.Body}
	}
	return resp, err
}

// Ask asks the provider about itself unless that is known. It returns why the provider cannot be used.
func (c *Client) Ask(ctx context.Context) error {
	_, err := c.provider(ctx)
	return err
}

// provider returns what is known of the provider. What is old is asked for again, and used on where that fails.
func (c *Client) provider(ctx context.Context) (*provider, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	since := c.Clock().Sub(c.at)
	switch {
	case c.failed == nil && c.known != nil && since < freshFor:
		return c.known, nil
	case c.failed != nil && since >= 0 && since < retryAfter:
		if c.known != nil {
			return c.known, nil
		}
		return nil, c.failed
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	found, err := c.discover(ctx)
	c.failed, c.at = err, c.Clock()
	if err == nil {
		c.known = found
	}
	if c.known == nil {
		return nil, err
	}
	return c.known, nil
}

func (c *Client) discover(ctx context.Context) (*provider, error) {
	p := &provider{}
	var err error
	if p.Provider, err = oidc.NewProvider(oidc.ClientContext(ctx, c.http), c.Issuer); err != nil {
		return nil, fmt.Errorf("ask %s about itself: %s", c.Issuer, c.clean(err, ""))
	}
	if err := p.Claims(&p.Metadata); err != nil {
		return nil, fmt.Errorf("read what %s says about itself: %w", c.Issuer, err)
	}
	for name, address := range map[string]string{
		"authorization_endpoint": p.Endpoint().AuthURL, "token_endpoint": p.Endpoint().TokenURL, "jwks_uri": p.Metadata.Keys, "userinfo_endpoint": p.Metadata.UserInfo,
	} {
		if address == "" && name == "userinfo_endpoint" {
			continue
		}
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !strings.HasPrefix(c.Issuer, "http:")) {
			return nil, fmt.Errorf("%s says that its %s is %q, which is no address with https", c.Issuer, name, address)
		}
	}
	return p, nil
}

// flow describes us to the provider.
func (c *Client) flow(p *provider) *oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	// Without a secret there is nothing to authenticate with, and trying both ways would use a code up.
	if m := p.Metadata.Methods; c.Secret == "" || len(m) > 0 && !slices.Contains(m, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.Secret, Endpoint: endpoint, RedirectURL: c.Redirect(),
		Scopes: append([]string{oidc.ScopeOpenID, "email", "profile"}, c.Scopes...),
	}
}

// Begin returns the address at which a person signs in, and the cookie that the browser is to keep until it comes back. The error is an
// [*Error], or ours.
func (c *Client) Begin(ctx context.Context, to string) (string, string, error) {
	// A browser that leaves does not end what others wait for.
	p, err := c.provider(context.WithoutCancel(ctx))
	if err != nil {
		return "", "", &Error{Reason: ProviderSilent, Detail: err.Error()}
	}
	a := &attempt{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), To: to, ExpiresAt: c.Clock().Add(Life).Unix()}
	cookie, err := c.seal(a)
	if err != nil {
		return "", "", err
	}
	return c.flow(p).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), cookie, nil
}

// clean returns the text of an error without what is secret.
func (c *Client) clean(err error, code string, more ...string) string {
	const most = 500
	text := err.Error()
	if response, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		text = fmt.Sprintf("the token endpoint responded with %s: %s %s", response.Response.Status, response.ErrorCode, response.ErrorDescription)
	}
	text = secret.NewScrubber(slices.DeleteFunc(append(more, c.Secret, code), func(s string) bool { return s == "" }), 1).Scrub(text)
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(cmp.Or(text, "no reason"), "")
}
