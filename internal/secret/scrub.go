package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Redacted stands where a secret was.
const Redacted = "***"

// Withheld stands for a text when there is more to look for than one can.
const Withheld = "(withheld: the account has more secrets than can be looked for)"

// The lengths from which a value is looked for: in messages, where shorter ones would only make asterisks, and in what a
// provider sends as data, where a short password is also a word.
const (
	MinText = 4
	MinData = 8
)

const (
	maxSecrets = 256
	maxBytes   = 32 << 10 // of all secrets
	maxLayers  = 5        // of escapes inside escapes
	window     = 1 << 20  // how much of a long text is looked at at once
	expansion  = 16       // how much longer than a secret its encoded form may be
)

// Scrubber replaces secrets in texts. It is immutable, and nil knows no secret.
type Scrubber struct {
	folded   *automaton // what does not depend on case: the secrets, and their hexadecimal digits
	base64   *automaton
	plain    []string
	longest  int
	withheld bool
}

// NewScrubber returns a scrubber of the secrets that have at least shortest bytes.
func NewScrubber(secrets []string, shortest int) *Scrubber {
	s := &Scrubber{folded: newAutomaton(), base64: newAutomaton()}
	total := 0
	for _, text := range slices.Compact(slices.Sorted(slices.Values(secrets))) {
		if len(text) < shortest {
			continue
		}
		s.plain, s.longest = append(s.plain, text), max(s.longest, len(text))
		total += len(text)
	}
	if len(s.plain) > maxSecrets || total > maxBytes {
		s.withheld = true
		return s
	}
	for _, text := range s.plain {
		s.add(text, shortest)
	}
	s.folded.link()
	s.base64.link()
	return s
}

// add adds the forms of a secret that decoding does not undo, and the fully decoded secret: one that itself
// looks escaped is found on either side.
func (s *Scrubber) add(text string, shortest int) {
	forms := map[string]bool{text: true, strings.TrimSpace(text): true, string(plainest([]byte(text))): true}
	forms[string(latin(stream{bytes: []byte(text), size: len(text)}).bytes)] = true
	for form := range forms {
		if len(form) >= shortest {
			s.folded.add(fold([]byte(form)), 0, 0)
		}
	}
	s.folded.add([]byte(hex.EncodeToString([]byte(text))), 0, 0)
	quoted, _ := json.Marshal(text) // a text always encodes
	for form := range map[string]bool{text: true, string(quoted[1 : len(quoted)-1]): true, url.QueryEscape(text): true} {
		s.addBase64([]byte(form))
	}
}

// addBase64 adds what base64 makes of a secret behind none, one or two other bytes. The characters at the ends that depend
// on what stands beside the secret are no part of the pattern.
func (s *Scrubber) addBase64(secret []byte) {
	for before := range 3 {
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
		first, last := (before*8+5)/6, (before+len(secret))*8/6
		head, tail := uint8(0), uint8(0)
		if before*8%6 != 0 {
			head = 1
		}
		if (before+len(secret))*8%6 != 0 {
			tail = 1
		}
		if last-first >= MinText {
			s.base64.add([]byte(encoded[first:last]), head, tail)
		}
	}
}

func plainest(text []byte) []byte {
	at := stream{bytes: text, size: len(text)}
	for range maxLayers {
		next, changed := decode(at)
		if !changed {
			break
		}
		at = next
	}
	return at.bytes
}

// Empty reports whether there is nothing to look for.
func (s *Scrubber) Empty() bool { return s == nil || len(s.plain) == 0 }

// Scrub replaces the secrets in a text.
func (s *Scrubber) Scrub(text string) string {
	out, _ := s.scrub(text, len(text))
	return out
}

// ScrubPrefix returns the first n bytes of a text without secrets; one that reaches beyond them is replaced as a whole.
func (s *Scrubber) ScrubPrefix(text string, n int) string {
	n = min(n, len(text))
	for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	out, _ := s.scrub(text, n)
	return out
}

// Hides reports whether a text contains a secret.
func (s *Scrubber) Hides(text string) bool {
	_, found := s.scrub(text, len(text))
	return found
}

// HidesPlain reports whether a text contains a secret in clear.
func (s *Scrubber) HidesPlain(text string) bool {
	return s != nil && slices.ContainsFunc(s.plain, func(secret string) bool { return strings.Contains(text, secret) })
}

type span struct{ start, end int }

func (s *Scrubber) scrub(text string, n int) (string, bool) {
	switch {
	case s.Empty() || text == "":
		return text[:n], false
	case s.withheld:
		return Withheld, true
	}
	spans := s.spans(text[:min(len(text), n+s.reach())])
	if len(spans) == 0 {
		return text[:n], false
	}
	var b strings.Builder
	at := 0
	for _, span := range spans {
		if span.start >= n {
			break
		}
		b.WriteString(text[at:span.start])
		b.WriteString(Redacted)
		at = span.end
	}
	if at < n {
		b.WriteString(text[at:n])
	}
	return b.String(), b.String() != text[:n]
}

// reach is how far behind its beginning an encoded secret may end.
func (s *Scrubber) reach() int { return expansion*s.longest + 64 }

// spans finds the secrets in a text, window by window, and returns where they are, in order and apart from each other.
func (s *Scrubber) spans(text string) []span {
	var all []span
	for from := 0; from == 0 || from < len(text); from += window {
		part := []byte(text[from:min(len(text), from+window+s.reach())])
		for _, found := range s.search(part) {
			all = append(all, span{from + found.start, from + found.end})
		}
	}
	slices.SortFunc(all, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	merged := all[:0]
	for _, next := range all {
		if last := len(merged) - 1; last >= 0 && next.start < merged[last].end {
			merged[last].end = max(merged[last].end, next.end)
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// search looks at a text, then at what is left of it after each layer of escapes.
func (s *Scrubber) search(text []byte) []span {
	var all []span
	at := latin(stream{bytes: text, size: len(text)})
	for range maxLayers {
		all = append(all, searchIn(s.folded, stream{fold(at.bytes), at.origin, at.size})...)
		if !s.base64.empty() {
			all = append(all, searchIn(s.base64, base64Text(at))...)
		}
		next, changed := decode(at)
		if !changed {
			break
		}
		at = next
	}
	return all
}

// searchIn finds patterns in one stream. Those that overlap become one span at once: a text may be nothing but matches.
func searchIn(a *automaton, at stream) []span {
	var found []span
	a.find(at.bytes, func(start, end int, head, tail uint8) {
		if head > 0 && start > 0 && isBase64(at.bytes[start-1]) {
			start--
		}
		if tail > 0 && end < len(at.bytes) && isBase64(at.bytes[end]) {
			end++
		}
		for n := 0; tail > 0 && n < 2 && end < len(at.bytes) && at.bytes[end] == '='; n++ {
			end++
		}
		for last := len(found) - 1; last >= 0 && start < found[last].end; last-- {
			start, end = min(start, found[last].start), max(end, found[last].end)
			found = found[:last]
		}
		found = append(found, span{start, end})
	})
	for i, f := range found {
		found[i].start, found[i].end = at.span(f.start, f.end)
	}
	return found
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
