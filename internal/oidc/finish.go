package oidc

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/millrace/millrace"
)

// Reason says why a sign-in came to nothing.
type Reason string

// The reasons.
const (
	Lost           Reason = "lost"            // no cookie of this sign-in: another browser, a second time, or too late
	Denied         Reason = "denied"          // by the person, or by the provider
	ProviderFailed Reason = "provider_failed" // it says that something is wrong
	ProviderSilent Reason = "provider_silent" // it does not respond, or not with what it must
	Unproven       Reason = "unproven"        // its token proves nothing
	OtherClient    Reason = "other_client"    // its token is for another application
	Clock          Reason = "clock"           // its token is over, or not valid yet
	NoRole         Reason = "no_role"         // the claim of the role has none
)

// Error is a sign-in that came to nothing.
type Error struct {
	Reason Reason
	Detail string // for the log: nothing in it is secret
}

// Error returns the detail.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }

func failed(reason Reason, format string, args ...any) error {
	return &Error{reason, fmt.Sprintf(format, args...)}
}

// Person is who has signed in at the provider.
type Person struct {
	Subject   string
	Email     string
	Verified  bool // the address is theirs
	Name      string
	Role      millrace.Role // the highest of the claim; empty: no claim is asked for
	State     string        // of the sign-in
	ExpiresAt time.Time     // of the sign-in
}

// Mine reports whether a redirect belongs to the sign-in of a cookie.
func (c *Client) Mine(query url.Values, cookie string) bool { return c.attempt(query, cookie) != nil }

func (c *Client) attempt(query url.Values, cookie string) *attempt {
	a := c.open(cookie)
	if a == nil || len(query["state"]) != 1 || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(a.State)) != 1 {
		return nil
	}
	return a
}

// Finish takes the redirect of the provider with the cookie of the browser, and returns who it is and, also beside an error, what Begin was
// given. The error is an [*Error].
func (c *Client) Finish(ctx context.Context, query url.Values, cookie string) (*Person, string, error) {
	a := c.attempt(query, cookie)
	if a == nil {
		return nil, "", failed(Lost, "the browser has no cookie of this sign-in")
	}
	p, err := c.provider(context.WithoutCancel(ctx))
	if err != nil {
		return nil, a.To, failed(ProviderSilent, "%s", err)
	}
	if iss, sent := query["iss"]; sent && (len(iss) != 1 || iss[0] != c.Issuer) || !sent && p.Metadata.SendsIss {
		return nil, a.To, failed(Unproven, "the redirect is of the issuer %q", cut(strings.Join(iss, " ")))
	}
	if code := query.Get("error"); code != "" {
		reason := ProviderFailed
		if code == "access_denied" {
			reason = Denied
		}
		return nil, a.To, failed(reason, "%s", c.clean(fmt.Errorf("%q %q", cut(code), cut(query.Get("error_description"))), query.Get("code")))
	}
	code := query.Get("code")
	if code == "" {
		return nil, a.To, failed(ProviderFailed, "the redirect has no code")
	}
	person, err := c.exchange(ctx, p, a, code)
	return person, a.To, err
}

// exchange gives the code back for an ID token, and reads it.
func (c *Client) exchange(ctx context.Context, p *provider, a *attempt, code string) (*Person, error) {
	// The code is used up by this, so it does not end with the browser.
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), c.http), 3*requestTime)
	defer cancel()
	tokens, err := c.flow(p).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		reason := ProviderSilent
		if _, responded := errors.AsType[*oauth2.RetrieveError](err); responded {
			reason = ProviderFailed
		}
		return nil, failed(reason, "%s", c.clean(err, code, a.Verifier))
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return nil, failed(Unproven, "the token endpoint gave no ID token")
	}
	token, err := c.verify(ctx, p, raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return nil, failed(Unproven, "the ID token has the nonce of another sign-in")
	}
	claims, err := c.claims(ctx, p, token, tokens)
	if err != nil {
		return nil, failed(ProviderSilent, "%s", c.clean(err, code, raw, tokens.AccessToken))
	}
	role, err := c.role(claims)
	if err != nil {
		return nil, err
	}
	return &Person{
		Subject: token.Subject, Email: strings.TrimSpace(claims.Email), Verified: c.vouches(claims), Name: claims.Name, Role: role,
		State: a.State, ExpiresAt: time.Unix(a.ExpiresAt, 0),
	}, nil
}

// verify checks an ID token, and finds out what is wrong with one that is only not for us, or not for now.
func (c *Client) verify(ctx context.Context, p *provider, raw string) (*oidc.IDToken, error) {
	token, err := p.Verifier(&oidc.Config{ClientID: c.ClientID, Now: c.Clock}).Verify(ctx, raw)
	if err != nil {
		detail, reason := c.clean(err, raw), Unproven
		if signed, err := p.Verifier(&oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true}).Verify(ctx, raw); err == nil {
			reason = Clock
			if !slices.Contains(signed.Audience, c.ClientID) {
				reason = OtherClient
			}
		}
		return nil, failed(reason, "%s", detail)
	}
	var of struct {
		Party string `json:"azp"`
	}
	if err := token.Claims(&of); err != nil {
		return nil, failed(Unproven, "%s", c.clean(err, raw))
	}
	switch {
	case of.Party != "" && of.Party != c.ClientID || of.Party == "" && len(token.Audience) > 1:
		return nil, failed(OtherClient, "the ID token was given to %q, of %q", cut(of.Party), token.Audience)
	case token.IssuedAt.After(c.Clock().Add(skew)):
		return nil, failed(Clock, "the ID token is of %s", token.IssuedAt.UTC())
	case token.Subject == "" || len(token.Subject) > 255:
		return nil, failed(Unproven, "the ID token has a subject of %d bytes", len(token.Subject))
	}
	return token, nil
}

// claims are what a provider says of a person.
type claims struct {
	Email    string `json:"email"`
	Verified any    `json:"email_verified"` // true, or "true" of some
	Name     string `json:"name"`
	Hosted   string `json:"hd"` // Google's: the organization that the account belongs to

	role any // of the claim that the settings name; nil: there is none
}

// read adds what a document of the provider says.
func (s *claims) read(raw json.RawMessage, roleClaim string) error {
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	if role, ok := all[roleClaim]; ok {
		s.role = role
	}
	return json.Unmarshal(raw, s)
}

// claims reads what an ID token says of a person, and asks for it where the token does not.
func (c *Client) claims(ctx context.Context, p *provider, token *oidc.IDToken, tokens *oauth2.Token) (*claims, error) {
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return nil, err
	}
	var said claims
	if err := said.read(raw, c.RoleClaim); err != nil {
		return nil, err
	}
	if said.Email != "" && (said.role != nil || c.RoleClaim == "") || p.UserInfoEndpoint() == "" {
		return &said, nil
	}
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, err
	}
	if info.Subject != token.Subject {
		return nil, errors.New("the userinfo endpoint tells of another subject than the ID token")
	}
	if err := info.Claims(&raw); err != nil {
		return nil, err
	}
	var more claims
	if err := more.read(raw, c.RoleClaim); err != nil {
		return nil, err
	}
	if said.Email == "" { // an address and whether it is verified come from one document
		said.Email, said.Verified, said.Hosted, said.Name = more.Email, more.Verified, more.Hosted, cmp.Or(said.Name, more.Name)
	}
	if said.role == nil {
		said.role = more.role
	}
	return &said, nil
}

// role returns the highest role of the claim that the settings name.
func (c *Client) role(said *claims) (millrace.Role, error) {
	if c.RoleClaim == "" {
		return "", nil
	}
	list, ok := said.role.([]any)
	if !ok {
		list = []any{said.role}
	}
	for _, role := range millrace.Roles() {
		if slices.Contains(list, any(string(role))) {
			return role, nil
		}
	}
	return "", failed(NoRole, "the claim %s has no role", c.RoleClaim)
}

// google is the issuer that verifies addresses of domains which it does not manage once, and not again when they change hands.
const google = "https://accounts.google.com"

// vouches reports whether the provider says that the address belongs to the person.
func (c *Client) vouches(said *claims) bool {
	if c.TrustEmail {
		return said.Email != ""
	}
	if said.Verified != true && said.Verified != "true" {
		return false
	}
	domain := strings.ToLower(said.Email[strings.LastIndexByte(said.Email, '@')+1:])
	return c.Issuer != google || domain == "gmail.com" || domain != "" && domain == strings.ToLower(said.Hosted)
}

func cut(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
