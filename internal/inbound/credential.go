package inbound

import (
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/jsonata"
)

// proves reports whether a part of a request is a credential: what the check of the signature reads, and what HTTP has for that.
// Such parts are neither stored nor seen by expressions.
func (e *Endpoint) proves(part string) bool {
	switch part {
	case "$header.authorization", "$header.proxy-authorization", "$header.cookie":
		return true
	}
	return slices.Contains(e.Credentials, part)
}

// bareQuery returns a query without the parameters that are credentials.
func (e *Endpoint) bareQuery(raw string) string {
	if raw == "" || len(e.Credentials) == 0 {
		return raw
	}
	kept := slices.DeleteFunc(strings.Split(raw, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		return e.proves("$query." + name)
	})
	return strings.Join(kept, "&")
}

// forTransform is the scope of payload_transform, whose result everyone may see: it is without what by its name is a credential,
// too. handle_verification sees that, because handshakes bring secrets.
func forTransform(scope *expr.Object) *expr.Object {
	out := jsonata.NewObject(scope.Len())
	for key, v := range scope.All() {
		if o, ok := v.(*expr.Object); ok && key != "body" {
			v = withoutNamed(o)
		}
		out.Set(key, v)
	}
	return out
}

func withoutNamed(o *expr.Object) *expr.Object {
	out := jsonata.NewObject(o.Len())
	for key, v := range o.All() {
		if !secret.IsRequestName(key) {
			out.Set(key, v)
		}
	}
	return out
}
