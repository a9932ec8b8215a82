package fetch

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// redacted stands where a secret was.
const redacted = "***"

// minSecret is the length from which a value is looked for in texts. Shorter ones would turn messages into
// asterisks and protect nothing.
const minSecret = 4

// secretName matches names of context members that hold secrets in practice, besides the protected ones.
var secretName = regexp.MustCompile(`(?i)token|secret|passw|api_?key|private_?key|credential|authorization|signature|session`)

// Scrubber replaces secrets in texts. The zero value knows none.
type Scrubber struct {
	known map[string]bool
	forms []string // the secrets in all their encodings, longest first
	dirty bool
}

// NewScrubber returns a scrubber of an account's context: of the protected paths, of members whose name says that
// they hold a secret, and of the members with the given names.
func NewScrubber(context expr.Value, names ...string) *Scrubber {
	s := &Scrubber{}
	s.addNamed(context, names)
	for _, path := range millrace.ProtectedPaths() {
		v := context
		for key := range strings.SplitSeq(path, ".") {
			v = memberOf(v, key)
		}
		s.addAll(v)
	}
	return s
}

// addNamed adds the members whose names say that they are secret.
func (s *Scrubber) addNamed(v expr.Value, names []string) {
	switch v := v.(type) {
	case *expr.Array:
		for _, item := range v.Items() {
			s.addNamed(item, names)
		}
	case *expr.Object:
		for key, member := range v.All() {
			text, _ := member.(string)
			if slices.Contains(names, key) || soundsSecret(key, text) {
				s.add(text)
			}
			s.addNamed(member, names)
		}
	}
}

// soundsSecret goes by the name of a member. The type and the URL of a token are not secret, and scrubbing them would
// hide where requests go.
func soundsSecret(key, value string) bool {
	return secretName.MatchString(key) && key != "token_type" && !hasScheme(value)
}

// addAll adds every scalar below a value.
func (s *Scrubber) addAll(v expr.Value) {
	switch v := v.(type) {
	case *expr.Array:
		for _, item := range v.Items() {
			s.addAll(item)
		}
	case *expr.Object:
		for _, member := range v.All() {
			s.addAll(member)
		}
	case string:
		s.add(v)
	case float64:
		s.add(jsonata.FormatNumber(v))
	}
}

// add makes a text a secret, in every encoding in which it might turn up.
func (s *Scrubber) add(secret string) {
	if len(secret) < minSecret || s.known[secret] {
		return
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[secret], s.dirty = true, true
}

// Scrub replaces the secrets in a text.
func (s *Scrubber) Scrub(text string) string {
	if s.dirty {
		s.encode()
	}
	for _, form := range s.forms {
		text = strings.ReplaceAll(text, form, redacted)
	}
	return text
}

// hides reports whether a text contains a secret.
func (s *Scrubber) hides(text string) bool { return s.Scrub(text) != text }

func (s *Scrubber) encode() {
	forms := map[string]bool{}
	for secret := range s.known {
		quoted, _ := json.Marshal(secret) // a string always encodes
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), string(quoted[1 : len(quoted)-1]),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			forms[form] = true
		}
	}
	s.forms = slices.SortedFunc(maps.Keys(forms), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	s.dirty = false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
