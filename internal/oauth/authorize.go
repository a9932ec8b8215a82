package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
)

// Authorization is what a user is sent to the provider with.
type Authorization struct {
	RedirectURI string
	State       string
	Verifier    string         // of PKCE, as [Verifier] makes it; not used when the config does without
	Temporary   string         // the token of the temporary credentials of OAuth 1.0a
	Scopes      []string       // nil: those of the config
	Context     map[string]any // what is known of the account so far: the root of placeholders
	Variables   *expr.Object
}

// AuthorizeURL returns the address at which a user allows the connection. An error is of KindInvalid and names the place in the config.
func AuthorizeURL(credential *config.Credential, a Authorization) (string, error) {
	b, err := newBuilder(credential, a.Context, a.Variables)
	if err != nil {
		return "", err
	}
	u, err := b.authorizeURL(a)
	if err != nil {
		return "", b.clean(err)
	}
	return u, nil
}

func (b *builder) authorizeURL(a Authorization) (string, error) {
	if b.oauth.Authorize.Host == nil {
		return "", millrace.Invalid(b.path("auth.authorizeHost"), "accounts of this format are connected without a redirect")
	}
	id, _, err := b.client()
	if err != nil {
		return "", err
	}
	if b.credential.Format == config.FormatOAuth1 {
		b.set("oauth_token", a.Temporary) // the rest is known from the request for it
	} else {
		b.setAuthorization(id, a)
	}
	if err := b.add(b.oauth.Params); err != nil {
		return "", err
	}
	u, err := b.url(b.oauth.Authorize)
	if err != nil {
		return "", err
	}
	query := u.Query()
	maps.Copy(query, b.params)
	// A plus is a space in a form; not every provider knows that of a URL.
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String(), nil
}

func (b *builder) setAuthorization(id string, a Authorization) {
	b.set("response_type", "code")
	b.set(b.oauth.IDParam, id)
	b.set("redirect_uri", a.RedirectURI)
	b.set("scope", strings.Join(b.scopes(a.Scopes), b.oauth.Separator))
	b.set("state", a.State)
	if b.oauth.PKCE && a.Verifier != "" {
		sum := sha256.Sum256([]byte(a.Verifier))
		b.set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		b.set("code_challenge_method", "S256")
	}
}

// Verifier returns a new secret for PKCE, which a caller keeps until it asks for the token.
func Verifier() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// maxCode bounds what is taken from a redirect, in bytes.
const maxCode = 8 << 10

// ReadRedirect reads what a provider has sent a user back with: the code, and what the config keeps of the rest, by the names of the
// context. The caller adds it to the context of the grant. The user can change all of it. What the provider
// rejected, and a redirect that has no code, is a [*RedirectError].
func ReadRedirect(credential *config.Credential, query url.Values) (string, map[string]any, error) {
	if credential == nil || credential.OAuth == nil {
		return "", nil, millrace.Invalid("credentials", "the credentials of the account are not of a kind whose tokens are asked for")
	}
	o := credential.OAuth
	if o.Issuer != "" && query.Get("iss") != o.Issuer {
		return "", nil, &RedirectError{Code: "invalid_issuer", Message: "the redirect does not come from the provider that the user was sent to"}
	}
	if query.Has("denied") && credential.Format == config.FormatOAuth1 {
		return "", nil, &RedirectError{Code: "access_denied", Message: meaning("access_denied") + " (access_denied)"}
	}
	if code := query.Get("error"); code != "" {
		return "", nil, redirectError(query, code)
	}
	codes := query[o.CodeParam]
	if len(codes) != 1 || codes[0] == "" || len(codes[0]) > maxCode {
		return "", nil, &RedirectError{Code: "invalid_redirect", Message: "the provider sent no code"}
	}
	extra := map[string]any{}
	for _, k := range o.KeepRedirect {
		value := query.Get(k.Name)
		switch {
		case value == "":
		case len(value) > maxCode, k.Pattern != nil && !k.Pattern.MatchString(value):
			return "", nil, &RedirectError{Code: "invalid_redirect", Message: "the provider sent a value of " + k.Name + " that the integration does not allow"}
		default:
			extra[k.As] = value
		}
	}
	return codes[0], extra, nil
}

// RedirectError says why a provider has sent a user back without a code.
type RedirectError struct {
	Code    string // of the provider, such as access_denied
	Message string // for people
}

// Error returns the message.
func (e *RedirectError) Error() string { return e.Message }

func redirectError(query url.Values, code string) error {
	said := errorResponse{code: cleanCode(code), description: query.Get("error_description"), secrets: hidden(query.Get("state"), query.Get("code"))}
	return &RedirectError{Code: said.code, Message: said.message()}
}
