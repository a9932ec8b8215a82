package oauth

import (
	"crypto/rand"
	"crypto/tls"
	"net/url"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/sign"
	"github.com/millrace/millrace/jsonata"
)

// Bearer returns a JSON Web Token of credentials that is itself sent to the API, without a token request.
func Bearer(credential *config.Credential, scope *expr.Object, now time.Time) (string, error) {
	b := &builder{credential: credential, oauth: &config.OAuth{}, scope: scope, params: url.Values{}}
	return b.assertion(nil, now)
}

// assertion makes the JSON Web Token that says who asks for a token.
func (b *builder) assertion(endpoint *url.URL, now time.Time) (string, error) {
	j := b.credential.JWT
	if j == nil {
		return "", millrace.Invalid(b.credential.Path, "only the format jwt has an assertion")
	}
	claims := map[string]any{}
	if endpoint != nil {
		claims["aud"] = plainURL(endpoint)
	}
	issuer, err := b.text(or(j.Issuer, b.oauth.ClientID), "client_id")
	if err != nil {
		return "", err
	}
	for name, t := range map[string]*field.Template{"sub": j.Subject, "aud": j.Audience} {
		if t == nil {
			continue
		}
		if claims[name], err = t.Text(b.scope); err != nil {
			return "", err
		}
	}
	if issuer != "" {
		claims["iss"] = issuer
	}
	return b.signJWT(j, claims, now)
}

// assertClient proves the client with a JSON Web Token of its own.
func (b *builder) assertClient(endpoint *url.URL, id string, now time.Time) error {
	assertion, err := b.signJWT(b.oauth.Assertion, map[string]any{"iss": id, "sub": id, "aud": plainURL(endpoint)}, now)
	if err != nil {
		return err
	}
	b.set("client_id", id)
	b.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	b.set("client_assertion", assertion)
	return nil
}

// signJWT adds what every token has, and what the config says, and signs it.
func (b *builder) signJWT(j *config.JWT, claims map[string]any, now time.Time) (string, error) {
	claims["iat"], claims["exp"], claims["jti"] = now.Unix(), now.Add(j.Lifetime).Unix(), rand.Text()
	token := sign.JWT{Algorithm: j.Algorithm, Claims: claims}
	var err error
	for into, t := range map[*string]*field.Template{&token.Key: j.Key, &token.KeyID: j.KeyID, &token.Certificate: j.Certificate} {
		if *into, err = t.Text(b.scope); err != nil {
			return "", err
		}
	}
	b.hide(token.Key)
	if err := b.members(j.Claims, claims); err != nil {
		return "", err
	}
	token.Headers = map[string]any{}
	if err := b.members(j.Headers, token.Headers); err != nil {
		return "", err
	}
	signed, err := token.Sign()
	if err != nil {
		return "", millrace.Invalid(j.Key.Path, "%v", err)
	}
	return signed, nil
}

// members adds members of the config. One that is null takes away what is there.
func (b *builder) members(t *field.Template, to map[string]any) error {
	v, err := t.Render(b.scope)
	if err != nil {
		return err
	}
	o, _ := v.(*expr.Object)
	for name, value := range expr.OrEmpty(o).All() {
		if _, null := value.(expr.Null); null {
			delete(to, name)
		}
	}
	for name, value := range field.DropMissing(expr.OrEmpty(o)).All() {
		to[name] = jsonata.ToGo(value)
	}
	return nil
}

// plainURL is the address of an endpoint as audiences name it.
func plainURL(u *url.URL) string {
	plain := *u
	plain.RawQuery, plain.Fragment = "", ""
	return plain.String()
}

func or(t, fallback *field.Template) *field.Template {
	if t == nil {
		return fallback
	}
	return t
}

// sign1 signs a request as OAuth 1.0a does.
func (b *builder) sign1(r *Request, g Grant) error {
	id, secret, err := b.client()
	if err != nil {
		return err
	}
	signer := sign.OAuth1{ConsumerKey: id, ConsumerSecret: secret, Method: b.credential.OAuth1.Method}
	if signer.Realm, err = b.credential.OAuth1.Realm.Text(b.scope); err != nil {
		return err
	}
	switch g.Kind {
	case KindTemporary:
		signer.Callback = g.RedirectURI
	case KindCode:
		signer.Token, signer.TokenSecret, signer.Verifier = g.Temporary.Token, g.Temporary.Secret, g.Code
		b.hide(g.Temporary.Token, g.Temporary.Secret, g.Code)
	case KindRefresh, KindClient, KindKeka, KindJWT, KindLogin, KindRevoke:
		return millrace.Invalid(b.credential.Path, "a token of OAuth 1.0a comes from a redirect, and lasts")
	}
	header := signer.Header(r.verb, r.url, nil, g.Now)
	r.header.Set("Authorization", header)
	r.header.Set("Accept", "*/*") // the response is a form
	b.hide(strings.TrimPrefix(header, "OAuth "))
	return nil
}

// certificate returns the client certificate of the config, nil when there is none.
func (b *builder) certificate() (*tls.Certificate, error) {
	c, err := ClientCertificate(b.credential, b.scope)
	return c, err
}

// ClientCertificate returns the certificate that credentials say is shown to the token endpoint and to the API, nil when they say
// nothing of one.
func ClientCertificate(credential *config.Credential, scope *expr.Object) (*tls.Certificate, error) {
	if credential == nil || credential.Certificate == nil {
		return nil, nil
	}
	if credential.Wrong != nil {
		return nil, credential.Wrong
	}
	c := credential.Certificate
	certificate, err := c.Certificate.Text(scope)
	if err != nil {
		return nil, err
	}
	key, err := c.Key.Text(scope)
	if err != nil {
		return nil, err
	}
	pair, err := sign.Certificate(certificate, key)
	if err != nil {
		return nil, millrace.Invalid(c.Path, "%v", err)
	}
	return &pair, nil
}
