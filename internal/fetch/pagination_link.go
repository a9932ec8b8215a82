package fetch

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace"
)

// linkPager follows the links of RFC 8288 in the header Link.
type linkPager struct{ sizing }

func parseLinkPager(f field) pager {
	f.known(sizingKeys()...)
	p := &linkPager{sizing: parseSizing(f, "")}
	p.keepOnEmpty = true // what ends the list is that there is no link
	return p
}

func (p *linkPager) format() string { return pageLink }

func (p *linkPager) prepare(_ context.Context, c *call, out *outgoing) error {
	if c.at == nil {
		return p.sizing.prepare(c, out)
	}
	headers, err := p.headers.object(c.scope)
	if err != nil {
		return err
	}
	if err := out.setHeaders(c, headers); err != nil {
		return err
	}
	return out.follow(c, c.at.Link, true)
}

func (p *linkPager) turn(_ context.Context, c *call, out *outgoing, in *incoming) (*cursor, *cursor, error) {
	var next, prev *cursor
	var err error
	links := parseLinks(in.header)
	if link := links["next"]; link != "" && !p.ended(c, in, -1) {
		if next, err = linkCursor(c, pageLink, out, link); err != nil {
			return nil, nil, err
		}
	}
	link := links["prev"]
	if link == "" {
		link = links["previous"]
	}
	if link != "" {
		prev, err = linkCursor(c, pageLink, out, link)
	}
	return p.mark(c, in, next), p.mark(c, in, prev), err
}

// linkCursor makes a cursor of a link. The link must stay on the host that was asked: requests carry the account's
// credentials, and neither an API nor a caller with a made-up cursor may send them elsewhere.
func linkCursor(c *call, format string, out *outgoing, link string) (*cursor, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, &remoteError{message: "the link to the next page is not a URL", class: "unusable"}
	}
	u = out.url.ResolveReference(u)
	if !sameHost(u, out.url) {
		return nil, &remoteError{message: "the link to the next page leads to another host, " + u.Host, class: "unusable"}
	}
	u.RawQuery = c.bareQuery(u.RawQuery)
	if !c.secrets.hides(u.EscapedPath()) {
		return &cursor{Format: format, Link: u.RequestURI()}, nil
	}
	if u.EscapedPath() != out.url.EscapedPath() {
		return nil, &remoteError{message: "the link to the next page has a credential in its path", class: "unusable"}
	}
	return &cursor{Format: format, Link: "?" + u.RawQuery}, nil
}

// bareQuery leaves parameters with a secret out of the query of a link: cursors are shown and stored. Those that the request
// itself has come back when the link is followed.
func (c *call) bareQuery(raw string) string {
	if raw == "" {
		return ""
	}
	kept := slices.DeleteFunc(strings.Split(raw, "&"), c.secrets.hides)
	return strings.Join(kept, "&")
}

// follow replaces the query, and the path if wanted, by those of a link. The link says everything about the page but
// leaves out credentials, so parameters that carry one are kept.
func (out *outgoing) follow(c *call, link string, withPath bool) error {
	u, err := url.Parse(link)
	if err == nil && strings.HasPrefix(link, "?") { // the path is that of the request
		u.Path, u.RawPath = out.url.Path, out.url.RawPath
	}
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") {
		return millrace.Invalid("next_cursor", "is not a cursor of this list")
	}
	for key, v := range out.query.All() {
		if u.Query().Has(key) || !c.secrets.hides(textOf(v)) {
			continue
		}
		out.kept = append(out.kept, url.QueryEscape(key)+"="+url.QueryEscape(textOf(v)))
	}
	out.query = newQuery()
	out.rawQuery, out.url.RawQuery = u.RawQuery, ""
	if withPath {
		out.url.Path, out.url.RawPath = u.Path, u.RawPath
	}
	return nil
}

// sameHost compares hosts and ports. The default ports of http and https count as one: behind a proxy that ends TLS,
// APIs write http into their links, which are then followed with https.
func sameHost(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) || a.User.String() != b.User.String() {
		return false
	}
	return a.Port() == b.Port() || isDefaultPort(a) && isDefaultPort(b)
}

func isDefaultPort(u *url.URL) bool {
	port := u.Port()
	return port == "" || port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http"
}

// parseLinks reads the targets of the Link headers by relation.
func parseLinks(h http.Header) map[string]string {
	links := map[string]string{}
	for _, line := range h.Values("Link") {
		for line != "" {
			var target, params string
			target, params, line = cutLink(line)
			for rel := range strings.FieldsSeq(linkParam(params, "rel")) {
				rel = strings.ToLower(rel)
				if _, taken := links[rel]; !taken && target != "" {
					links[rel] = target
				}
			}
		}
	}
	return links
}

// cutLink takes the first link off a header: <target>; params, rest. Commas inside the target and inside quotes do
// not separate links.
func cutLink(s string) (target, params, rest string) { //nolint:nonamedreturns // three texts are told apart by name
	_, s, ok := strings.Cut(s, "<")
	if !ok {
		return "", "", ""
	}
	target, s, ok = strings.Cut(s, ">")
	if !ok {
		return "", "", ""
	}
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return strings.TrimSpace(target), s[:i], s[i+1:]
		}
	}
	return strings.TrimSpace(target), s, ""
}

func linkParam(params, name string) string {
	for part := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}
