package oauth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

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
