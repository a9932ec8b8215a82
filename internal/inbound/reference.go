package inbound

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace"
)

// reference is a part of a request in the texts of a signature.
var reference = regexp.MustCompile(`\$(?:body|(?:headers?|query)\.[A-Za-z0-9_-]+)`)

// parts gives the texts of a signature what they refer to.
type parts struct {
	req     *millrace.InboundRequest
	query   func(name string) string
	missing string // the first reference without a value
}

// text replaces the references of a text.
func (p *parts) text(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		root, name, _ := strings.Cut(ref, ".")
		value := ""
		switch root {
		case "$body":
			return string(p.req.Body) // an empty body can be signed
		case "$header", "$headers":
			value = p.req.Header[strings.ToLower(name)]
		case "$query":
			value = p.query(name)
		}
		if value == "" && p.missing == "" {
			p.missing = ref
		}
		return value
	})
}

// after replaces the references of a text that begins with a literal, such as v0=$header.x-slack-signature, and takes
// the literal off what the reference has: senders write it in front of the signature.
func (p *parts) after(text string) string {
	at := reference.FindStringIndex(text)
	if at == nil {
		return text
	}
	literal, value := text[:at[0]], p.text(text[at[0]:])
	if n := len(literal); len(value) >= n && strings.EqualFold(value[:n], literal) {
		return value[n:]
	}
	return value
}
