package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/jsonata"
)

// linkPager follows the links of RFC 8288 in the header Link.
type linkPager struct{ sizing }

func parseLinkPager(f field.Field) Pager {
	f.Known(sizingKeys()...)
	p := &linkPager{sizing: parseSizing(f, "")}
	p.keepOnEmpty = true // what ends the list is that there is no link
	return p
}

func (p *linkPager) Format() string { return FormatLink }

func (p *linkPager) Position(*List) expr.Value { return jsonata.NewObject(0) }

func (p *linkPager) Prepare(_ context.Context, l *List, out *wire.Request) error {
	if l.At == nil {
		return p.prepare(l, out)
	}
	headers, err := p.headers.Object(l.Scope)
	if err != nil {
		return err
	}
	if err := out.SetHeaders(headers); err != nil {
		return err
	}
	return out.Follow(l.At.Link, true)
}

func (p *linkPager) Turn(_ context.Context, l *List, out *wire.Request, in *wire.Response) (*Cursor, *Cursor, error) {
	var next, prev *Cursor
	var err error
	links := parseLinks(in.Header)
	if link := links["next"]; link != "" && !p.ended(l, in, -1) {
		if next, err = linkCursor(l, FormatLink, out, link); err != nil {
			return nil, nil, err
		}
	}
	link := links["prev"]
	if link == "" {
		link = links["previous"]
	}
	if link != "" {
		prev, err = linkCursor(l, FormatLink, out, link)
	}
	return p.mark(l, in, next), p.mark(l, in, prev), err
}

// linkCursor makes a cursor of a link. The link must stay on the host that was asked: requests carry the account's
// credentials, and neither an API nor a caller with a made-up cursor may send them elsewhere.
func linkCursor(l *List, format string, out *wire.Request, link string) (*Cursor, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, wire.Unusablef("the link to the next page is not a URL")
	}
	u = out.URL.ResolveReference(u)
	if !wire.SameHost(u, out.URL) {
		return nil, wire.Unusablef("the link to the next page leads to another host, %s", u.Host)
	}
	u.RawQuery = l.bareQuery(u.RawQuery)
	if !l.Hides(u.EscapedPath()) {
		return &Cursor{Format: format, Link: u.RequestURI()}, nil
	}
	if u.EscapedPath() != out.URL.EscapedPath() {
		return nil, wire.Unusablef("the link to the next page has a credential in its path")
	}
	return &Cursor{Format: format, Link: "?" + u.RawQuery}, nil
}

// bareQuery leaves parameters with a secret out of the query of a link: cursors are shown and stored. Those that the request
// itself has come back when the link is followed.
func (l *List) bareQuery(raw string) string {
	if raw == "" {
		return ""
	}
	kept := slices.DeleteFunc(strings.Split(raw, "&"), l.Hides)
	return strings.Join(kept, "&")
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
func cutLink(s string) (target, params, rest string) { //nolint:nonamedreturns // three texts need names
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
