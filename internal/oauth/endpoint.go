package oauth

import (
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/field"
)

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
