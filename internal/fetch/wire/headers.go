package wire

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// ValidHeader rejects what would end a header line.
func ValidHeader(name, value string) bool {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	}) {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// HeadersObject is how expressions see headers: lower-case names, several values joined by a comma.
func HeadersObject(h http.Header) *expr.Object {
	o := jsonata.NewObject(len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		o.Set(strings.ToLower(name), strings.Join(h[name], ", "))
	}
	return o
}

// isOurs reports headers that belong to the connection. Accept-Encoding is among them because the transport only
// unpacks, and limits, what it asked for itself.
func isOurs(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding", "Te", "Trailer", "Upgrade":
		return true
	}
	return false
}

// SameHost compares hosts and ports. The default ports of http and https count as one: behind a proxy that ends TLS,
// APIs write http into their links, which are then followed with https.
func SameHost(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) || a.User.String() != b.User.String() {
		return false
	}
	return a.Port() == b.Port() || isDefaultPort(a) && isDefaultPort(b)
}

func isDefaultPort(u *url.URL) bool {
	port := u.Port()
	return port == "" || port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http"
}
