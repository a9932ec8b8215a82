package oauth

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
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

// builder makes requests and URLs of a config and an account.
type builder struct {
	credential *config.Credential
	oauth      *config.OAuth
	scope      *expr.Object // of placeholders
	params     url.Values
	goContext  map[string]any
	secrets    []string
}

func newBuilder(credential *config.Credential, accountContext map[string]any, variables *expr.Object) (*builder, error) {
	if credential == nil || credential.OAuth == nil {
		return nil, millrace.Invalid("credentials", "the credentials of the account are not of a kind whose tokens are asked for")
	}
	if credential.Wrong != nil {
		return nil, credential.Wrong
	}
	v, err := jsonata.FromGo(accountContext)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	context, ok := v.(*expr.Object)
	if !ok {
		context = jsonata.NewObject(0)
	}
	scope := expr.CopyObject(context, 3)
	scope.Set("context", context)
	scope.Set("credentials", context)
	scope.Set("environment_variables", expr.OrEmpty(variables))
	return &builder{credential: credential, oauth: credential.OAuth, scope: scope, params: url.Values{}, goContext: accountContext}, nil
}

func (b *builder) path(option string) string { return b.credential.Path + ".config." + option }

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

// hideParams makes secrets of what was sent, but for what every request has.
func (b *builder) hideParams() {
	for name, values := range b.params {
		if !slices.Contains([]string{"grant_type", "scope", "redirect_uri", "client_assertion_type", b.oauth.IDParam}, name) {
			b.hide(values...)
		}
	}
}

func (b *builder) scopes(given []string) []string {
	if given != nil {
		return given
	}
	return b.oauth.Scope
}

func (b *builder) set(name, value string) {
	if value != "" {
		b.params.Set(name, value)
	}
}

func (b *builder) hide(texts ...string) {
	for _, text := range texts {
		if text != "" {
			b.secrets = append(b.secrets, text)
		}
	}
}

// client returns the id and the secret of the client; a client without a secret is a public one.
func (b *builder) client() (string, string, error) {
	id, err := b.text(b.oauth.ClientID, "client_id")
	if err != nil {
		return "", "", err
	}
	if id == "" {
		return "", "", millrace.Invalid(b.path("client.id"), "the config has no client, nor has the override of the installation or the context")
	}
	secret, err := b.text(b.oauth.ClientSecret, "client_secret")
	if err != nil {
		return "", "", err
	}
	b.hide(secret)
	return id, secret, nil
}

// text renders a template, or reads a member of the context where there is none.
func (b *builder) text(t *field.Template, member string) (string, error) {
	if t == nil {
		return expr.Text(expr.Get(expr.Get(b.scope, "context"), member)), nil
	}
	return t.Text(b.scope)
}

// authenticate adds what proves the client.
func (b *builder) authenticate(r *Request, now time.Time) error {
	format := b.credential.Format
	if b.oauth.ClientAuth == config.ClientNone && (format == config.FormatSession || format == config.FormatJWT) {
		return nil // the credentials identify the client
	}
	id, secret, err := b.client()
	if err != nil {
		return err
	}
	switch {
	case b.oauth.ClientAuth == config.ClientJWT:
		return b.assertClient(r.url, id, now)
	case b.oauth.ClientAuth == config.ClientHeader && secret != "":
		if !b.oauth.LooseEncoding {
			id, secret = url.QueryEscape(id), url.QueryEscape(secret)
		}
		pair := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
		r.header.Set("Authorization", "Basic "+pair)
		b.hide(pair)
		return nil
	case b.oauth.ClientAuth == config.ClientNone:
		secret = ""
	}
	b.set(b.oauth.IDParam, id)
	b.set(b.oauth.SecretParam, secret)
	return nil
}

// add adds parameters of the config. One that is null takes away what is there, one whose placeholder has no value is left out.
func (b *builder) add(t *field.Template) error {
	v, err := t.Render(b.scope)
	if err != nil {
		return err
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return nil
	}
	for name, value := range o.All() {
		if _, null := value.(expr.Null); null {
			b.params.Del(name)
		}
	}
	for name, value := range field.DropMissing(o).All() {
		b.params.Set(name, expr.Text(value))
	}
	return nil
}

// addHeaders adds headers of the config.
func (b *builder) addHeaders(r *Request) error {
	if b.oauth.Headers == nil {
		return nil
	}
	headers, err := b.oauth.Headers.Object(b.scope)
	if err != nil {
		return err
	}
	for name, v := range headers.All() {
		value := expr.Text(v)
		if !wire.ValidHeader(name, value) {
			return millrace.Invalid(b.path("headers"), "the header %q or its value contains characters that headers cannot carry", name)
		}
		r.header.Set(name, value)
		if secret.IsRequestName(name) {
			b.hide(value)
		}
	}
	return nil
}

// encode puts the parameters into the body, or into the query.
func (b *builder) encode(r *Request) error {
	if b.oauth.Get {
		query := r.url.Query()
		maps.Copy(query, b.params)
		r.verb, r.url.RawQuery = http.MethodGet, query.Encode()
		return nil
	}
	if !b.oauth.JSONBody {
		r.header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.body = []byte(b.params.Encode())
		return nil
	}
	r.header.Set("Content-Type", "application/json")
	members := map[string]string{}
	for name := range b.params {
		members[name] = b.params.Get(name)
	}
	var err error
	if r.body, err = json.Marshal(members); err != nil {
		return fmt.Errorf("encode the request for a token: %w", err)
	}
	return nil
}

// url makes the address of an endpoint. Values are escaped, except where a placeholder is the beginning and so is a URL itself; then
// the provider has to be reached with encryption, because the value may come from the user who connects the account.
func (b *builder) url(e config.Endpoint) (*url.URL, error) {
	if e.Host == nil {
		return nil, millrace.Invalid(b.credential.Path, "accounts of this format have no such request")
	}
	host, err := b.urlText(e.Host)
	if err != nil {
		return nil, err
	}
	path := ""
	if e.Path != nil {
		if path, err = b.urlText(e.Path); err != nil {
			return nil, err
		}
	}
	at := e.Host.Path
	if e.Host.StartsWithPlaceholder() && !config.HasScheme(host) {
		host = "https://" + host
	}
	base, err := url.Parse(host)
	if err != nil {
		return nil, millrace.Invalid(at, "is not a URL")
	}
	relative, err := url.Parse(path)
	if err != nil {
		return nil, millrace.Invalid(e.Path.Path, "is not a path")
	}
	u := base
	if path != "" {
		u = base.ResolveReference(relative)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || !isHost(u.Hostname()):
		return nil, millrace.Invalid(at, "is not a URL of https")
	case u.User != nil:
		return nil, millrace.Invalid(at, "must not contain credentials")
	case u.Scheme == "http" && e.Host.StartsWithPlaceholder() && !isLocal(u.Hostname()):
		return nil, millrace.Invalid(at, "must begin with https://")
	}
	return u, nil
}

func (b *builder) urlText(t *field.Template) (string, error) {
	if t.StartsWithPlaceholder() {
		return t.Text(b.scope)
	}
	return t.PathText(b.scope)
}

// isHost reports whether a host is written as hosts are: nothing of a value that stands in its place may look like one and be another.
func isHost(host string) bool {
	return host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == ""
}

// isLocal reports whether a host is this machine, which only a server in development calls.
func isLocal(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}
