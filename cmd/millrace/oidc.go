package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/server"
)

// oidcFlags say with which identity provider people sign in to the dashboard.
type oidcFlags struct {
	OIDCIssuer   string   `name:"oidc-issuer" help:"Identity provider (OpenID Connect) with which people sign in to the dashboard, as it writes its own address. It needs --public-url." placeholder:"URL"`
	OIDCClientID string   `name:"oidc-client-id" help:"Id of this server there." placeholder:"ID"`
	OIDCSecret   string   `name:"oidc-client-secret" help:"Secret of this server there; without one, a public client with PKCE." placeholder:"SECRET"`
	OIDCName     string   `name:"oidc-name" help:"Name of the identity provider on the button; without one, its host." placeholder:"NAME"`
	OIDCScope    []string `name:"oidc-scope" help:"Scope to ask for besides openid, email and profile. Repeatable." placeholder:"SCOPE"`
	OIDCDomain   []string `name:"oidc-domain" help:"Domain of e-mail addresses that get an account when they first sign in; without one, only users who were invited come in. Repeatable." placeholder:"DOMAIN"`
	OIDCRole     string   `name:"oidc-role" help:"Role with which such an account begins: owner, admin, member or viewer." enum:"owner,admin,member,viewer" default:"viewer"`
	OIDCTrust    bool     `name:"oidc-trust-email" help:"Every e-mail address that the identity provider gives belongs to who signs in, also without email_verified."`
	OIDCRoleOf   string   `name:"oidc-role-claim" help:"Claim that has the role, or a list with it: owner, admin, member or viewer. It is set at each sign-in, and who has none does not come in." placeholder:"CLAIM"`
	OIDCOnly     bool     `name:"oidc-only" help:"Nobody signs in with a password."`

	OIDCSecretFile string `name:"oidc-client-secret-file" help:"File with that secret." secretof:"oidc-client-secret" placeholder:"FILE"`
}

// domainName is what stands behind the @ of an address.
var domainName = regexp.MustCompile(`^[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+$`)

// maxName bounds the text of the button.
const maxName = 60

func (f *oidcFlags) check(public string, dev bool) error {
	if f.OIDCIssuer == "" {
		for name, set := range map[string]bool{
			"oidc-client-id": f.OIDCClientID != "", "oidc-client-secret": f.OIDCSecret != "", "oidc-client-secret-file": f.OIDCSecretFile != "", "oidc-name": f.OIDCName != "",
			"oidc-scope": len(f.OIDCScope) > 0, "oidc-domain": len(f.OIDCDomain) > 0, "oidc-trust-email": f.OIDCTrust, "oidc-role-claim": f.OIDCRoleOf != "", "oidc-only": f.OIDCOnly,
		} {
			if set {
				return fmt.Errorf("--%s: needs --oidc-issuer", name)
			}
		}
		return nil
	}
	var err error
	u, wrong := url.Parse(f.OIDCIssuer)
	switch {
	case wrong != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		err = errors.New("--oidc-issuer: must be an address such as https://accounts.example.com")
	case u.Scheme == "http" && !dev:
		err = fmt.Errorf("--oidc-issuer %s: must begin with https; http is for --dev only", f.OIDCIssuer)
	}
	if public == "" {
		err = errors.Join(err, fmt.Errorf("--oidc-issuer %s: needs --public-url, the address that the provider sends browsers back to", f.OIDCIssuer))
	}
	if f.OIDCClientID == "" {
		err = errors.Join(err, errors.New("--oidc-client-id: is required with --oidc-issuer"))
	}
	if len(f.OIDCName) > maxName {
		err = errors.Join(err, fmt.Errorf("--oidc-name: must have at most %d bytes", maxName))
	}
	for _, scope := range f.OIDCScope {
		if scope == "" || strings.ContainsAny(scope, " \t\n\"\\") {
			err = errors.Join(err, fmt.Errorf("--oidc-scope %s: must be one scope", scope))
		}
	}
	for _, domain := range f.OIDCDomain {
		if !domainName.MatchString(domain) {
			err = errors.Join(err, fmt.Errorf("--oidc-domain %s: must be a domain such as example.com", domain))
		}
	}
	return err
}

// provider returns the identity provider, or nil when there is none.
func (f *oidcFlags) provider() *server.OIDC {
	if f.OIDCIssuer == "" {
		return nil
	}
	o := &server.OIDC{Role: millrace.Role(f.OIDCRole), Only: f.OIDCOnly}
	o.Issuer, o.ClientID, o.Secret, o.Scopes, o.TrustEmail, o.RoleClaim = f.OIDCIssuer, f.OIDCClientID, f.OIDCSecret, f.OIDCScope, f.OIDCTrust, f.OIDCRoleOf
	u, _ := url.Parse(f.OIDCIssuer) // it was checked
	o.Name = cmp.Or(f.OIDCName, u.Hostname())
	for _, domain := range f.OIDCDomain {
		o.Domains = append(o.Domains, strings.ToLower(domain))
	}
	return o
}
