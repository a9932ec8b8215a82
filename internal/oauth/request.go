package oauth

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

// Kind says what a token is asked for with.
type Kind string

// The kinds of requests to a token endpoint.
const (
	KindCode    Kind = "authorization_code" // the code of a redirect
	KindRefresh Kind = "refresh_token"      // a refresh token
	KindClient  Kind = "client_credentials" // what the client has
	KindKeka    Kind = "kekaapi"            // what the client has, and an API key
	KindJWT     Kind = "jwt"                // a JSON Web Token that a private key has signed
	KindLogin   Kind = "login"              // a user name and a password, or whatever a login wants

	// KindTemporary asks for the temporary credentials of OAuth 1.0a, with which a user is sent to the provider.
	KindTemporary Kind = "temporary"
	// KindRevoke gives a token back: RefreshToken of the grant, or an access token in its place. The status of the response tells, 200
	// also for a token that is not known; there is nothing to read.
	KindRevoke Kind = "revoke"
)

// CanRevoke reports whether the provider takes requests of KindRevoke.
func CanRevoke(credential *config.Credential) bool {
	return credential != nil && credential.OAuth != nil && credential.OAuth.Revoke.Path != nil
}

// FirstKind returns what the first token of an account is asked for with, and every later one for which there is no refresh token. Of
// KindCode a user has to be sent to the provider, with OAuth 1.0a after a request of KindTemporary. It is false when there are no
// tokens to ask for.
func FirstKind(credential *config.Credential) (Kind, bool) {
	if credential == nil || credential.OAuth == nil {
		return "", false
	}
	switch credential.Format {
	case config.FormatClient:
		return KindClient, true
	case config.FormatKeka:
		return KindKeka, true
	case config.FormatJWT:
		return KindJWT, true
	case config.FormatSession:
		return KindLogin, true
	}
	return KindCode, true
}

// Grant is what a token is asked for with.
type Grant struct {
	Kind         Kind
	Context      map[string]any // the account's, with its secrets: the root of placeholders
	Variables    *expr.Object   // environment variables as [config.Config.Environment] returns them; nil: none
	Code         string         // of the redirect; of OAuth 1.0a the verifier
	Temporary    Temporary      // of OAuth 1.0a, with Code
	RedirectURI  string         // the same as in the authorization URL
	Verifier     string         // of PKCE; empty: none was made
	RefreshToken string
	Scopes       []string // nil: those of the config
	Now          time.Time
}

// Temporary are the temporary credentials of OAuth 1.0a: AccessToken of the result, and access_token_secret of its Token.
type Temporary struct{ Token, Secret string }

// Request is a request to a token endpoint, ready to be sent. All of it is secret.
type Request struct {
	verb        string
	url         *url.URL
	header      http.Header
	body        []byte
	secrets     []string         // what an echo of it must not show
	keep        string           // a header of the response that is kept
	certificate *tls.Certificate // nil: none is shown
}

// String keeps what is secret out of logs and errors.
func (r *Request) String() string { return "a request to " + r.Host() }

// GoString does the same for %#v.
func (r *Request) GoString() string { return r.String() }

// Host is the host of the token endpoint, without its port.
func (r *Request) Host() string {
	if r == nil || r.url == nil {
		return "a token endpoint"
	}
	return r.url.Hostname()
}

// NewRequest makes the request that asks for a token. An error is of KindInvalid and names the place in the config.
func NewRequest(credential *config.Credential, g Grant) (*Request, error) {
	b, err := newBuilder(credential, g.Context, g.Variables)
	if err != nil {
		return nil, err
	}
	r, err := b.request(g)
	if err != nil {
		return nil, b.clean(err)
	}
	return r, nil
}

func (b *builder) request(g Grant) (*Request, error) {
	endpoint, extra := b.oauth.Token, b.oauth.TokenParams
	switch g.Kind {
	case KindTemporary:
		endpoint, extra = b.oauth.Temporary, nil
	case KindRefresh:
		endpoint, extra = b.oauth.Refresh, b.oauth.RefreshParams
	case KindRevoke:
		if endpoint, extra = b.oauth.Revoke, nil; endpoint.Path == nil {
			return nil, millrace.Invalid(b.path("auth.revokePath"), "the config does not say where tokens are given back")
		}
	case KindCode, KindClient, KindKeka, KindJWT, KindLogin:
	}
	u, err := b.url(endpoint)
	if err != nil {
		return nil, err
	}
	r := &Request{verb: http.MethodPost, url: u, header: http.Header{"Accept": {"application/json"}}, keep: b.oauth.ResponseHeader}
	if b.credential.Format == config.FormatOAuth1 {
		if err := b.sign1(r, g); err != nil {
			return nil, err
		}
	} else {
		if err := b.prove(r, g); err != nil {
			return nil, err
		}
		if err := b.authenticate(r, g.Now); err != nil {
			return nil, err
		}
		if err := b.add(extra); err != nil {
			return nil, err
		}
		if err := b.encode(r); err != nil {
			return nil, err
		}
	}
	if err := b.addHeaders(r); err != nil {
		return nil, err
	}
	if r.certificate, err = b.certificate(); err != nil {
		return nil, err
	}
	b.hideParams()
	r.secrets = b.secrets
	return r, nil
}

// prove sets what a token is asked for with.
func (b *builder) prove(r *Request, g Grant) error {
	grantType := string(g.Kind)
	switch g.Kind {
	case KindCode:
		if g.Code == "" {
			return millrace.Invalid("code", "is required")
		}
		b.set("code", g.Code)
		b.set("redirect_uri", g.RedirectURI)
		if b.oauth.PKCE {
			b.set("code_verifier", g.Verifier)
		}
	case KindRefresh:
		if g.RefreshToken == "" {
			return millrace.Invalid("context.oauth.token.refresh_token", "is required")
		}
		b.set("refresh_token", g.RefreshToken)
		if len(g.Scopes) > 0 { // without, the token has what was granted
			b.set("scope", strings.Join(g.Scopes, b.oauth.Separator))
		}
	case KindClient:
		b.set("scope", strings.Join(b.scopes(g.Scopes), b.oauth.Separator))
	case KindKeka:
		key := expr.Text(expr.Get(expr.Get(b.scope, "context"), "api_key"))
		if key == "" {
			return millrace.Invalid("context.api_key", "is required")
		}
		b.set("scope", "kekaapi")
		b.set("api_key", key)
	case KindJWT:
		assertion, err := b.assertion(r.url, g.Now)
		if err != nil {
			return err
		}
		grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
		b.set("assertion", assertion)
		b.set("scope", strings.Join(b.scopes(g.Scopes), b.oauth.Separator))
	case KindLogin:
		grantType = ""
	case KindRevoke:
		grantType = ""
		b.set("token", g.RefreshToken)
	case KindTemporary:
		return millrace.Invalid(b.credential.Path, "only OAuth 1.0a has temporary credentials")
	}
	b.set("grant_type", grantType)
	return nil
}
