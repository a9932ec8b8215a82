package fetch

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/sign"
)

// signs reports whether the credentials of the account sign the whole request, instead of adding a header to it. They do where
// neither the method nor the config has another authorization.
func (c *call) signs() bool {
	return c.m.Auth == nil && c.req.Credential != nil && (c.req.Credential.OAuth1 != nil || c.req.Credential.AWS != nil)
}

// authorizeAccount authorises a request of a config that does not say how, as the account's credentials want it.
func (c *call) authorizeAccount(out *wire.Request) error {
	credential := c.req.Credential
	switch {
	case credential != nil && credential.Wrong != nil && credential.JWT != nil:
		return credential.Wrong
	case c.signs():
		return nil // once the request is complete
	case credential != nil && credential.JWT != nil && credential.OAuth == nil:
		token, err := oauth.Bearer(credential, c.scope, c.fetcher.clock())
		if err != nil {
			return err
		}
		return c.setBearer(out, token)
	}
	token, _ := accountToken(c.context)
	return c.setBearer(out, token)
}

// sign signs a complete request, when the account's credentials do that.
func (c *call) sign(ctx context.Context, out *wire.Request, req *http.Request, body []byte) error {
	if !c.signs() {
		return nil
	}
	if err := c.req.Credential.Wrong; err != nil {
		return err
	}
	var err error
	if c.req.Credential.AWS != nil {
		err = c.signAWS(ctx, c.req.Credential.AWS, req, body)
	} else {
		err = c.signOAuth1(c.req.Credential.OAuth1, req, body)
	}
	if err != nil {
		return err
	}
	signature := req.Header.Get("Authorization")
	if _, value, ok := strings.Cut(signature, " "); ok {
		c.secrets.add(value)
	}
	out.Headers.Set("Authorization", signature)
	out.Credentials = append(out.Credentials, "Authorization")
	c.signed = true
	return nil
}

func (c *call) signOAuth1(o *config.OAuth1, req *http.Request, body []byte) error {
	signer := sign.OAuth1{Method: o.Method}
	token := expr.Get(expr.Get(c.context, "oauth"), "token")
	for _, part := range []struct {
		into     *string
		template *field.Template
		parent   expr.Value
		member   string
	}{
		{&signer.ConsumerKey, o.ClientID, c.context, "client_id"},
		{&signer.ConsumerSecret, o.ClientSecret, c.context, "client_secret"},
		{&signer.Token, o.Token, token, "access_token"},
		{&signer.TokenSecret, o.TokenSecret, token, "access_token_secret"},
		{&signer.Realm, o.Realm, nil, ""},
	} {
		*part.into = expr.Text(expr.Get(part.parent, part.member))
		if part.template == nil {
			continue
		}
		var err error
		if *part.into, err = part.template.Text(c.scope); err != nil {
			return err
		}
	}
	c.secrets.add(signer.ConsumerSecret)
	c.secrets.add(signer.TokenSecret)
	var form url.Values
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ = url.ParseQuery(string(body))
	}
	req.Header.Set("Authorization", signer.Header(req.Method, req.URL, form, c.fetcher.clock()))
	return nil
}

func (c *call) signAWS(ctx context.Context, a *config.AWS, req *http.Request, body []byte) error {
	var signer sign.AWS
	for _, part := range []struct {
		into     *string
		template *field.Template
	}{
		{&signer.AccessKeyID, a.AccessKeyID},
		{&signer.SecretAccessKey, a.SecretAccessKey},
		{&signer.SessionToken, a.SessionToken},
		{&signer.Region, a.Region},
		{&signer.Service, a.Service},
	} {
		var err error
		if *part.into, err = part.template.Text(c.scope); err != nil {
			return err
		}
	}
	c.secrets.add(signer.SecretAccessKey)
	c.secrets.add(signer.SessionToken)
	return signer.Sign(ctx, req, body, c.fetcher.clock())
}

// chooseTransport takes that of all requests or, for an account that has a client certificate, one that shows it.
func (c *call) chooseTransport() error {
	c.transport = c.fetcher.http.Transport
	certificate, err := oauth.ClientCertificate(c.req.Credential, c.scope)
	if certificate == nil || err != nil {
		return err
	}
	base, ok := c.transport.(*http.Transport)
	if !ok {
		return fmt.Errorf("fetch: a client certificate needs a transport of net/http, not %T", c.transport)
	}
	c.transport, c.certified = sign.WithCertificate(base, *certificate), true
	return nil
}
