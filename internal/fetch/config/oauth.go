package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/secret"
)

// The formats of credentials.
const (
	FormatAPIKey  = "api_key"
	FormatBasic   = "basic"
	FormatOAuth2  = "oauth2"                    // authorization code, with a redirect
	FormatClient  = "oauth2_client_credentials" // client credentials, without
	FormatOAuth1  = "oauth"                     // OAuth 1.0a: requests are signed
	FormatKeka    = "keka_oauth"                // client credentials and an API key
	FormatJWT     = "jwt"                       // a JSON Web Token of a private key, exchanged for a token or sent as one
	FormatSession = "session_token"             // a login
	FormatAWS     = "aws_sigv4"                 // requests are signed
)

func formats() []string {
	return []string{FormatAPIKey, FormatBasic, FormatOAuth2, FormatClient, FormatOAuth1, FormatKeka, FormatJWT, FormatSession, FormatAWS}
}

// OAuth says how the tokens of accounts are asked for. Templates read the context of the account.
type OAuth struct {
	ClientID     *field.Template // nil: member client_id of the context
	ClientSecret *field.Template // nil: member client_secret of the context, or a client without one
	IDParam      string          // what the client's id is called in requests
	SecretParam  string
	Assertion    *JWT // with ClientJWT: what the client signs

	Temporary Endpoint // of OAuth 1.0a; without a host, tokens do not come from a redirect
	Authorize Endpoint
	Token     Endpoint
	Refresh   Endpoint
	Revoke    Endpoint // without a path there is none

	Scope         []string
	OptionalScope []string
	Separator     string // between scopes
	ClientAuth    string // how the client proves who it is: ClientHeader, ClientBody, ClientJWT or ClientNone
	LooseEncoding bool   // id and secret stand in the header unchanged, without percent encoding
	JSONBody      bool   // requests for tokens are JSON, not forms
	Get           bool   // a login is a GET, with its parameters in the query
	PKCE          bool

	Params        *field.Template // of the authorization URL
	TokenParams   *field.Template // of requests for the first token
	RefreshParams *field.Template // of requests for further ones
	Headers       *field.Template // of both

	CodeParam        string        // what the code is called on the redirect
	Issuer           string        // what iss has to be on the redirect; empty: anything
	TokenPath        string        // where the token is in the response: an object, or the text of the access token; empty: at the top
	ResponseHeader   string        // a header of the response that is the access token; empty: it is in the body
	RefreshTokenPath string        // where the refresh token is; empty: beside the access token
	ExpiresPath      string        // where it says when the token expires; empty: beside the access token
	Lifetime         time.Duration // of tokens whose response does not say; 0: not known
	Margin           time.Duration // how long before the end a token is refreshed; 0: the server's default
	Grace            time.Duration // how long the provider takes a refresh token that was used already; 0: not at all, as far as is known
	IdleLimit        time.Duration // after which an unused refresh token dies; 0: never, as far as is known

	KeepRedirect []Kept // parameters of the redirect that become members of the context
	KeepToken    []Kept // members of the token response that do
	Identity     *expr.Program
}

// How a client proves who it is.
const (
	ClientHeader = "header" // basic authentication
	ClientBody   = "body"   // id and secret are parameters
	ClientJWT    = "private_key_jwt"
	ClientNone   = "none"
)

// Endpoint is an address of a provider: a host and, relative to it, a path.
type Endpoint struct{ Host, Path *field.Template }

// Kept is a value that becomes a member of the context.
type Kept struct {
	Name    string         // the parameter, or the dotted path in the response
	As      string         // the member of the context
	Pattern *regexp.Regexp // what the value has to match as a whole; nil: anything
}

// parseOAuth reads the options of the formats that ask for tokens.
func parseOAuth(o *options, format string) *OAuth {
	out := &OAuth{}
	out.parseClient(o.below("client"))
	out.parseEndpoints(o, format)
	out.parseOptions(o.below("options"), format)
	out.Scope, out.OptionalScope = texts(o.get("scope")), texts(o.get("optionalScope"))
	out.Params, out.Headers = object(o.get("params")), object(o.get("headers"))
	out.TokenParams, out.RefreshParams = object(o.get("tokenParams")), object(o.get("refreshParams"))
	out.PKCE = parsePKCE(o.get("pkce"))
	out.CodeParam = textOr(o.get("codeParam"), map[bool]string{false: "code", true: "oauth_verifier"}[format == FormatOAuth1])
	out.Issuer = o.get("issuer").Text()
	out.parseResponse(o, format)
	out.parseKeep(o.below("keep"))
	out.Identity = o.get("identity").Program()
	out.Margin = seconds(o.get("refreshMargin"), time.Second)
	out.Grace = seconds(o.get("grace"), time.Second)
	out.IdleLimit = seconds(o.get("idleLimit"), 24*time.Hour)
	return out
}

func (out *OAuth) parseClient(client *options) {
	out.ClientID, out.ClientSecret = client.get("id").Template(), client.get("secret").Template()
	out.IDParam = textOr(client.get("idParamName"), "client_id")
	out.SecretParam = textOr(client.get("secretParamName"), "client_secret")
	if client.get("privateKey").Present() {
		out.Assertion = parseKey(client)
	} else {
		client.known = append(client.known, "algorithm", "keyId", "key_id", "certificate")
	}
	client.done()
}

// parseEndpoints reads where tokens are asked for.
func (out *OAuth) parseEndpoints(o *options, format string) {
	if format == FormatOAuth1 {
		out.Temporary.Host = hostOf(o.get("requestTokenUrl"))
		out.Authorize.Host = hostOf(o.get("authorizeUrl"))
		out.Token.Host = hostOf(o.get("tokenUrl"))
		if out.Temporary.Host != nil || out.Authorize.Host != nil || out.Token.Host != nil {
			for _, name := range []string{"requestTokenUrl", "authorizeUrl", "tokenUrl"} {
				o.get(name).Need()
			}
		}
		return
	}
	auth := o.below("auth")
	host := auth.get("tokenHost")
	path := "/oauth/token"
	if format == FormatKeka {
		path = "/connect/token"
		if !host.Present() {
			host.Value = "https://login.keka.com"
		}
	}
	if !host.Present() || host.Value == "" {
		host.Need()
	}
	out.Token = endpoint(host, auth.get("tokenPath"), path)
	out.Refresh = Endpoint{or(hostOf(auth.get("refreshHost")), out.Token.Host), or(auth.get("refreshPath").Template(), out.Token.Path)}
	out.Revoke = Endpoint{out.Token.Host, auth.get("revokePath").Template()}
	authorizeHost, authorizePath := auth.get("authorizeHost"), auth.get("authorizePath")
	if format == FormatOAuth2 {
		if out.Authorize = endpoint(authorizeHost, authorizePath, "/oauth/authorize"); !authorizeHost.Present() {
			out.Authorize.Host = out.Token.Host
		}
	}
	auth.done()
}

// endpoint reads the host and the path of an address. Where only a host is given that has a path of its own, that is the address.
func endpoint(host, path field.Field, fallback string) Endpoint {
	e := Endpoint{Host: hostOf(host), Path: path.Template()}
	if source, ok := host.Value.(string); e.Path == nil && (!ok || !hasPath(source)) {
		path.Value = fallback
		e.Path = path.Template()
	}
	return e
}

func hasPath(host string) bool {
	_, rest, ok := strings.Cut(host, "://")
	_, path, found := strings.Cut(rest, "/")
	return ok && found && path != ""
}

// hostOf reads the beginning of a URL.
func hostOf(f field.Field) *field.Template {
	source, ok := f.Value.(string)
	switch {
	case !f.Present():
		return nil
	case !ok:
		f.Report("must be a string")
		return nil
	case source == "" || strings.HasPrefix(strings.TrimSpace(source), "{{"):
	case strings.HasPrefix(source, "http://") && !isLoopback(source):
		f.Idle("sends credentials without encryption; use https://")
	case !HasScheme(source):
		f.Report("must begin with https:// or a placeholder")
	}
	return f.Template()
}

var loopback = regexp.MustCompile(`^http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|/|$)`)

func isLoopback(url string) bool { return loopback.MatchString(url) }

func (out *OAuth) parseOptions(o *options, format string) {
	out.Separator = " "
	if f := o.get("scopeSeparator"); f.Present() {
		out.Separator = f.Text()
	}
	method, fallback := o.get("authorizationMethod"), ClientHeader
	switch {
	case format == FormatSession, format == FormatJWT:
		fallback = ClientNone
	case format == FormatKeka:
		fallback = ClientBody
	case out.Assertion != nil:
		fallback = ClientJWT
	}
	out.ClientAuth = method.OneOf(fallback, ClientHeader, ClientBody, ClientJWT, ClientNone)
	if out.ClientAuth == ClientJWT && out.Assertion == nil {
		method.Report("needs client.private_key")
	}
	out.JSONBody = o.get("bodyFormat").OneOf("form", "form", "json") == "json"
	out.LooseEncoding = o.get("credentialsEncodingMode").OneOf("strict", "strict", "loose") == "loose"
	out.Get = o.get("method").OneOf("post", "post", "get") == "get"
	if out.Get && format != FormatSession {
		o.get("method").Report("get is for the format " + FormatSession + ": a token is asked for with post")
	}
	o.done()
}

func (out *OAuth) parseResponse(o *options, format string) {
	path := o.get("tokenPath")
	if out.TokenPath = path.Text(); strings.HasPrefix(out.TokenPath, "/") {
		path.Report("says where in the response the token is; the path of the endpoint is auth.tokenPath")
	}
	header := o.get("responseHeader")
	if out.ResponseHeader = header.Text(); format == FormatSession && out.TokenPath == "" && out.ResponseHeader == "" {
		path.Report("Required string is missing: where in the response the token is, unless response_header says it")
	}
	out.RefreshTokenPath = o.get("refreshTokenPath").Text()
	out.ExpiresPath = o.get("expiresPath").Text()
	out.Lifetime = seconds(o.get("tokenExpiryDuration"), time.Second)
}

func (out *OAuth) parseKeep(keep *options) {
	for _, item := range keep.get("redirect").List() {
		out.KeepRedirect = append(out.KeepRedirect, parseKept(item))
	}
	for _, item := range keep.get("token").List() {
		out.KeepToken = append(out.KeepToken, parseKept(item))
	}
	keep.done()
}

// parseKept accepts a name, or an object with a name.
func parseKept(f field.Field) Kept {
	if _, plain := f.Value.(string); plain {
		name := f.Need()
		k := Kept{Name: name, As: lastMember(name)}
		k.check(f)
		return k
	}
	f.Members()
	f.Known("name", "as", "pattern", "secret")
	k := Kept{Name: f.Get("name").Need()}
	k.As = textOr(f.Get("as"), lastMember(k.Name))
	if pattern := f.Get("pattern"); pattern.Present() {
		var err error
		if k.Pattern, err = regexp.Compile(`\A(?:` + pattern.Text() + `)\z`); err != nil {
			pattern.Report(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	k.check(f)
	return k
}

// check rejects names under which the context has something else: no provider and no redirect may write there. What is called like a
// secret has to be declared as one, so that it is sealed.
func (k *Kept) check(f field.Field) {
	if (secret.IsName(lastMember(k.Name)) || secret.IsName(k.As)) && !f.Get("secret").Bool() {
		f.Report("is called like a secret and would be shown: give it as an object with name and secret: true")
	}
	if slices.Contains([]string{
		"oauth", "context", "credentials", "environment_variables", "secret_environment_variables",
		"client_id", "client_secret",
	}, k.As) {
		f.Report("must have another name in the context: " + k.As + " is taken")
	}
}

func lastMember(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// parsePKCE accepts true, false, and an object with a method. Without a word it is used.
func parsePKCE(f field.Field) bool {
	if _, ok := f.Value.(*expr.Object); ok {
		f.Known("method")
		f.Get("method").OneOf("s256", "s256")
		return true
	}
	return !f.Present() || f.Bool()
}

// checkHosts looks at who decides where the secret of the client goes. What a redirect brings, anybody can change who connects an
// account, and what a form asks for as well.
func (c *Credential) checkHosts(config field.Field) {
	if c.OAuth == nil {
		return
	}
	var hosts []*field.Template
	for _, e := range []Endpoint{c.OAuth.Temporary, c.OAuth.Token, c.OAuth.Refresh, c.OAuth.Revoke} {
		if e.Host != nil && e.Host.StartsWithPlaceholder() && !slices.Contains(hosts, e.Host) {
			hosts = append(hosts, e.Host)
		}
	}
	for _, host := range hosts {
		reads := func(name string) bool {
			return host.Reads(name) || host.Reads("context."+name) || host.Reads("credentials."+name)
		}
		at := field.Field{Found: config.Found, Path: host.Path}
		for _, k := range c.OAuth.KeepRedirect {
			if k.Pattern == nil && reads(k.As) {
				at.Report("is read from the redirect, which the user who connects an account can change: " + k.As + " in keep.redirect needs a pattern")
			}
		}
		for i := range c.Fields {
			in := &c.Fields[i]
			if c.Format == FormatOAuth2 && in.pattern == nil && in.options == nil && reads(in.Name) {
				at.Idle("lets the user who connects an account choose where the secret of the client is sent: the field " + in.Name + " needs a pattern or options")
			}
		}
	}
}
