package config

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// The formats of credentials whose tokens are asked for.
const (
	FormatOAuth2 = "oauth2"                    // authorization code, with a redirect
	FormatClient = "oauth2_client_credentials" // client credentials, without
)

// OAuth says how the tokens of accounts are asked for. Templates read the context of the account.
type OAuth struct {
	ClientID     *field.Template // nil: member client_id of the context
	ClientSecret *field.Template // nil: member client_secret of the context, or a client without one
	IDParam      string          // what the client's id is called in requests
	SecretParam  string

	Authorize Endpoint
	Token     Endpoint
	Refresh   Endpoint
	Revoke    Endpoint

	Scope         []string
	OptionalScope []string
	Separator     string // between scopes
	ClientAuth    string // how the client proves who it is: ClientHeader or ClientBody
	LooseEncoding bool   // id and secret stand in the header as they are, without percent encoding
	JSONBody      bool   // requests for tokens are JSON, not forms
	PKCE          bool

	Params        *field.Template // of the authorization URL
	TokenParams   *field.Template // of requests for the first token
	RefreshParams *field.Template // of requests for further ones

	CodeParam        string        // what the code is called on the redirect
	Issuer           string        // what iss has to be on the redirect; empty: anything
	TokenPath        string        // where the token is in the response: an object, or the text of the access token; empty: at the top
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
)

// Endpoint is an address of a provider: a host and, relative to it, a path.
type Endpoint struct{ Host, Path *field.Template }

// Kept is a value that becomes a member of the context.
type Kept struct {
	Name    string         // the parameter, or the dotted path in the response
	As      string         // the member of the context
	Pattern *regexp.Regexp // what the value has to match as a whole; nil: anything
}

// options reads an object whose members may be spelt in either way: tokenHost, or token_host.
type options struct {
	field.Field
	known []string
}

func (o *options) get(name string) field.Field {
	snake := snakeCase(name)
	o.known = append(o.known, name)
	if snake != name {
		o.known = append(o.known, snake)
	}
	return o.Get(name, snake)
}

// below returns the options of a member.
func (o *options) below(name string) *options {
	f := o.get(name)
	f.Members()
	return &options{Field: f}
}

// done reports the members that nothing has read.
func (o *options) done() { o.Known(o.known...) }

func snakeCase(name string) string {
	var out strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

func parseOAuth(config field.Field, format string) *OAuth {
	o := &options{Field: config}
	for _, name := range []string{"fields", "documentation_link", "permissions_text", "help_text", "label"} {
		o.known = append(o.known, name)
	}
	out := &OAuth{}
	out.parseClient(o.below("client"))
	out.parseAuth(o.below("auth"), format)
	out.parseOptions(o.below("options"))
	out.Scope, out.OptionalScope = texts(o.get("scope")), texts(o.get("optionalScope"))
	out.Params = object(o.get("params"))
	out.TokenParams, out.RefreshParams = object(o.get("tokenParams")), object(o.get("refreshParams"))
	out.PKCE = parsePKCE(o.get("pkce"))
	out.CodeParam = textOr(o.get("codeParam"), "code")
	out.Issuer = o.get("issuer").Text()
	out.parseResponse(o)
	out.parseKeep(o.below("keep"))
	out.Identity = o.get("identity").Program()
	out.Margin = seconds(o.get("refreshMargin"), time.Second)
	out.Grace = seconds(o.get("grace"), time.Second)
	out.IdleLimit = seconds(o.get("idleLimit"), 24*time.Hour)
	o.done()
	return out
}

func (out *OAuth) parseClient(client *options) {
	out.ClientID, out.ClientSecret = client.get("id").Template(), client.get("secret").Template()
	out.IDParam = textOr(client.get("idParamName"), "client_id")
	out.SecretParam = textOr(client.get("secretParamName"), "client_secret")
	client.done()
}

func (out *OAuth) parseAuth(auth *options, format string) {
	host := auth.get("tokenHost")
	host.Need()
	out.Token = endpoint(host, auth.get("tokenPath"), "/oauth/token")
	out.Refresh = Endpoint{or(hostOf(auth.get("refreshHost")), out.Token.Host), or(auth.get("refreshPath").Template(), out.Token.Path)}
	out.Revoke = Endpoint{out.Token.Host, auth.get("revokePath").Template()}
	authorizeHost, authorizePath := auth.get("authorizeHost"), auth.get("authorizePath")
	if format == FormatOAuth2 {
		if !authorizeHost.Present() {
			authorizeHost.Value = host.Value
		}
		out.Authorize = endpoint(authorizeHost, authorizePath, "/oauth/authorize")
	}
	auth.done()
}

// endpoint reads the host and the path of an address. Where only a host is given that has a path of its own, that is the address.
func endpoint(host, path field.Field, fallback string) Endpoint {
	e := Endpoint{Host: hostOf(host), Path: path.Template()}
	if source, ok := host.Value.(string); e.Path == nil && ok && !hasPath(source) {
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

func (out *OAuth) parseOptions(o *options) {
	out.Separator = " "
	if f := o.get("scopeSeparator"); f.Present() {
		out.Separator = f.Text()
	}
	out.ClientAuth = o.get("authorizationMethod").OneOf(ClientHeader, ClientHeader, ClientBody)
	out.JSONBody = o.get("bodyFormat").OneOf("form", "form", "json") == "json"
	out.LooseEncoding = o.get("credentialsEncodingMode").OneOf("strict", "strict", "loose") == "loose"
	o.done()
}

func (out *OAuth) parseResponse(o *options) {
	path := o.get("tokenPath")
	if out.TokenPath = path.Text(); strings.HasPrefix(out.TokenPath, "/") {
		path.Report("says where in the response the token is; the path of the endpoint is auth.tokenPath")
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
	f.Known("name", "as", "pattern")
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

// check rejects names under which the context has something else: no provider and no redirect may write there.
func (k *Kept) check(f field.Field) {
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

// texts reads a list of texts, or one text.
func texts(f field.Field) []string {
	if text, ok := f.Value.(string); ok {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	var out []string
	for _, item := range f.List() {
		if text := item.Need(); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// object reads parameters with placeholders.
func object(f field.Field) *field.Template {
	if f.Members() == nil {
		return nil
	}
	return f.Template()
}

func textOr(f field.Field, fallback string) string {
	if !f.Present() {
		return fallback
	}
	return f.Need()
}

func or(t, fallback *field.Template) *field.Template {
	if t == nil {
		return fallback
	}
	return t
}

// seconds reads how often a unit passes.
func seconds(f field.Field, unit time.Duration) time.Duration {
	n := f.Natural(0)
	if most := int(100 * 365 * 24 * time.Hour / unit); n > most {
		f.Report("is too long")
		return 0
	}
	return time.Duration(n) * unit
}
