package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Gate is a proxy of its own protocol: it gets a request as it is, with the address that it is for in a header, and forwards it from an
// address that does not change.
type Gate struct {
	Address string `json:"address"` // a URL of scheme and host
	Token   string `json:"token"`   // that it knows us by
}

// The headers of the protocol. The gate forwards none that begins like them.
const (
	gatePrefix = "Truto-"
	gateToken  = "Truto-StaticGate-Token" //nolint:gosec // the name of a header
	gateTarget = "Truto-Target-URL"
)

// GateURL returns the address of a gate: https, unless its host has http:// before it. The error is for those who have written it.
func GateURL(domain string) (*url.URL, error) {
	address := domain
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be a host name, with a port if need be, and with http:// before it for a gate without TLS")
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must be a host name alone, with a port if need be")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}, nil
}

type gateKey struct{}

// Through returns a context whose requests, by a transport of [Gated], go through a gate; nil: they do not.
func Through(ctx context.Context, g *Gate) context.Context {
	if g == nil {
		return ctx
	}
	return context.WithValue(ctx, gateKey{}, g)
}

// GateError says that a gate has not done its part. It says nothing about the provider.
type GateError struct{ Message string }

// Error returns the message.
func (e *GateError) Error() string { return e.Message }

// Gated returns a transport that sends the requests of a context of [Through] to its gate, and all others as t does. What a request is for
// is checked like every other address, although the gate dials it.
func Gated(t http.RoundTripper) http.RoundTripper {
	if t == nil { // as of a client without one
		t = http.DefaultTransport
	}
	return gated{t}
}

type gated struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t gated) RoundTrip(req *http.Request) (*http.Response, error) {
	g, _ := req.Context().Value(gateKey{}).(*Gate)
	if g == nil {
		return t.next.RoundTrip(req)
	}
	out, err := t.redirect(req, g)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// Of the provider, or of the gate about our token: without a target it responds with 400 to a token that is right.
	if err := t.admits(req.Context(), g); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// redirect returns a request as it goes to a gate.
func (t gated) redirect(req *http.Request, g *Gate) (*http.Request, error) {
	base, ok := t.next.(*http.Transport)
	if !ok || base.DialContext == nil {
		return nil, &GateError{"a static gate needs the guarded transport"}
	}
	if base.TLSClientConfig != nil && len(base.TLSClientConfig.Certificates) > 0 {
		return nil, &GateError{"a client certificate cannot be shown through a static gate"}
	}
	if err := mayCall(req.Context(), base, req.URL); err != nil {
		return nil, err
	}
	to, err := GateURL(g.Address)
	if err != nil {
		return nil, &GateError{"the domain of the static gate " + err.Error()}
	}
	target := *req.URL
	target.User, target.Fragment = nil, ""
	if req.Host != "" && req.Host != req.URL.Host {
		return nil, &GateError{"a header Host cannot be sent through a static gate"}
	}
	out := req.Clone(req.Context())
	out.URL, out.Host = to, ""
	for name := range out.Header {
		if strings.HasPrefix(textproto.CanonicalMIMEHeaderKey(name), gatePrefix) {
			out.Header.Del(name)
		}
	}
	out.Header.Set(gateToken, g.Token)
	out.Header.Set(gateTarget, target.String())
	return out, nil
}

// admits reports with an error that a gate does not know our token, or does not say.
func (t gated) admits(ctx context.Context, g *Gate) error {
	to, err := GateURL(g.Address)
	if err != nil {
		return &GateError{"the domain of the static gate " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set(gateToken, g.Token)
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask the static gate for its part: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	if resp.StatusCode == http.StatusUnauthorized {
		return &GateError{"the static gate rejects its token"}
	}
	return nil
}

// onlyCheck marks a dial that ends before it connects.
type onlyCheck struct{}

// errMayCall is the end of a dial that may have been made.
var errMayCall = errors.New("egress: the address may be called")

// mayCall returns why the guarded transport would not dial a host.
func mayCall(ctx context.Context, t *http.Transport, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	conn, err := t.DialContext(context.WithValue(ctx, onlyCheck{}, true), "tcp", net.JoinHostPort(u.Hostname(), port))
	switch {
	case errors.Is(err, errMayCall):
		return nil
	case err == nil: // it is not the guard's
		_ = conn.Close()
		return &GateError{"a static gate needs the guarded transport"}
	}
	return err
}
