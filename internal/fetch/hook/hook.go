package hook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/field"
)

// Hook says how what a provider sends to us is understood. It is immutable.
type Hook struct {
	Transform *expr.Program // of the payload; nil: it stays unchanged
	Handle    *expr.Program // tells handshakes from payloads; nil: everything is a payload
	Lookup    *Lookup       // how hooks of an installation find their account; nil: not at all

	signature *hookSignature // nil: hooks prove nothing
}

// Lookup finds the account that a hook of an installation is about: the member of its context at Field is Value.
type Lookup struct {
	Field string
	Value string // text with placeholders, over body, headers and query
}

type hookSignature struct {
	format    string
	tolerance int
	parts     []*field.Template
	texts     map[string]*field.Template
}

// DefaultTolerance is how far the time of signing may be from now, in seconds.
const DefaultTolerance = 300

// hookReference is a part of a request in the texts of a signature.
var hookReference = regexp.MustCompile(`\$[A-Za-z_]+(?:\.[A-Za-z0-9_-]*)?`)

// hookField is a member of a context that accounts can be found by.
var hookField = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}(?:\.[A-Za-z0-9_-]{1,100}){0,9}$`)

func hookFormats() []string {
	return []string{"hmac", "basic", "bearer", "jwt", "clerk", "standard", "stripe", "github", "slack"}
}

// Parse reads the webhook section of a config; nil when there is none.
func Parse(f field.Field) *Hook {
	if len(f.Members()) == 0 {
		return nil
	}
	f.Known("payload_transform", "handle_verification", "signature_verification")
	return &Hook{
		Transform: f.Get("payload_transform").Program(),
		Handle:    f.Get("handle_verification").Program(),
		Lookup:    parseHookLookup(f.Get("signature_verification").Get("config")),
		signature: parseHookSignature(f.Get("signature_verification")),
	}
}

// parseHookLookup accepts $body.team_id beside {{body.team_id}}.
func parseHookLookup(config field.Field) *Lookup {
	name, value := config.Get("context_lookup_field_name"), config.Get("context_lookup_field_value")
	if !name.Present() && !value.Present() {
		return nil
	}
	l := &Lookup{Field: name.Need(), Value: value.Need()}
	if l.Field != "" && !hookField.MatchString(l.Field) {
		name.Report("must be the name of a member of the context: letters, digits, dashes and underscores, with dots for nested ones")
	}
	for prefix, path := range map[string]string{"$body.": "body.", "$header.": "headers.", "$headers.": "headers.", "$query.": "query."} {
		if rest, ok := strings.CutPrefix(l.Value, prefix); ok {
			l.Value = "{{" + path + rest + "}}"
		}
	}
	if _, err := expr.ParseTemplate(l.Value); err != nil {
		value.ReportError(err)
	}
	if l.Value != "" && !strings.Contains(l.Value, "{{") {
		value.Report("must name a part of the request, such as $body.team_id or $header.x-team")
	}
	return l
}

func parseHookSignature(f field.Field) *hookSignature {
	if len(f.Members()) == 0 {
		return nil
	}
	f.Known("format", "config")
	s := &hookSignature{texts: map[string]*field.Template{}, tolerance: DefaultTolerance}
	if f.Get("format").Need() == "" {
		return s
	}
	s.format = f.Get("format").OneOf("", hookFormats()...)
	config := f.Get("config")
	config.Members()
	config.Known("algorithm", "secret", "token", "parts", "compare_with", "string_type", "username", "password",
		"verification_content", "context_lookup_field_name", "context_lookup_field_value",
		"timestamp", "tolerance", "delivery_id", "jwks_url", "issuer", "audience")
	s.tolerance = config.Get("tolerance").Natural(DefaultTolerance)
	for _, name := range []string{"username", "password", "jwks_url", "issuer", "audience"} {
		s.texts[name] = config.Get(name).Template()
	}
	s.texts["secret"] = config.Get("secret", "token").Template()
	for _, name := range []string{"compare_with", "timestamp", "delivery_id"} {
		s.texts[name] = hookText(config.Get(name), true)
	}
	if !config.Get("compare_with").Present() {
		s.texts["compare_with"] = hookText(config.Get("verification_content"), true)
	}
	s.parseDigest(config)
	s.need(config)
	return s
}

func (s *hookSignature) parseDigest(config field.Field) {
	algorithm := config.Get("algorithm")
	if s.format == "jwt" {
		algorithm.OneOf("", "hs256", "hs384", "hs512", "rs256", "rs384", "rs512", "ps256", "ps384", "ps512", "es256", "es384", "es512", "eddsa")
	} else {
		algorithm.OneOf("sha256", "sha1", "sha256", "sha384", "sha512")
	}
	config.Get("string_type").OneOf("hex", "hex", "base64", "base64url")
	s.texts["algorithm"] = algorithm.Template()
	s.texts["string_type"] = config.Get("string_type").Template()
	for _, part := range config.Get("parts").List() {
		if t := hookText(part, false); t != nil {
			s.parts = append(s.parts, t)
		}
	}
}

// need reports what a format cannot do without.
func (s *hookSignature) need(config field.Field) {
	switch s.format {
	case "hmac":
		config.Get("secret", "token").Need()
		config.Get("compare_with", "verification_content").Need()
		if config.Get("parts").Present() && len(s.parts) == 0 {
			config.Get("parts").Report("must have at least one part, such as $body")
		}
	case "basic":
		config.Get("username").Need()
		config.Get("password").Need()
	case "jwt":
		if config.Get("secret").Present() == config.Get("jwks_url").Present() {
			config.Report("must have either a secret or a jwks_url")
		}
		secret := config.Get("secret", "token")
		if text := secret.Text(); secret.Present() && len(text) < millrace.MinTokenSecret && !strings.Contains(text, "{{") {
			secret.Report(fmt.Sprintf("must have at least %d bytes: a shorter one can be guessed from a single token", millrace.MinTokenSecret))
		}
	case "bearer", "clerk", "standard", "stripe", "github", "slack":
		config.Get("secret", "token").Need()
	}
}

// hookText compiles a text that names parts of a request. One that must name some is of no use without.
func hookText(f field.Field, must bool) *field.Template {
	if !f.Present() {
		return nil
	}
	names := []string{"$body", "$header.", "$query."}
	references := hookReference.FindAllString(f.Text(), -1)
	for _, r := range references {
		root, name, _ := strings.Cut(r, ".")
		switch {
		case root == "$body":
		case slices.Contains([]string{"$header", "$headers", "$query"}, root) && name != "":
		default:
			f.Suggest(r, names, "%q is no part of a request; known are $body, $header.<name> and $query.<name>", r)
		}
	}
	if must && len(references) == 0 {
		f.Report("must name a part of the request, such as $header.x-signature")
	}
	return f.Template()
}

// Signature returns how hooks prove where they come from, with placeholders replaced from a scope; nil when they prove nothing.
// An error of KindInvalid says which placeholder has no value.
func (h *Hook) Signature(scope *expr.Object) (*millrace.HookSignature, error) {
	s := h.signature
	if s == nil {
		return nil, nil //nolint:nilnil // a config may have no signature
	}
	out := &millrace.HookSignature{Format: s.format, Tolerance: int64(s.tolerance)}
	for name, to := range map[string]*string{
		"algorithm": &out.Algorithm, "secret": &out.Secret, "compare_with": &out.CompareWith, "string_type": &out.StringType,
		"timestamp": &out.Timestamp, "delivery_id": &out.DeliveryID, "username": &out.Username, "password": &out.Password,
		"jwks_url": &out.JWKSURL, "issuer": &out.Issuer, "audience": &out.Audience,
	} {
		var err error
		if *to, err = s.texts[name].Text(scope); err != nil {
			return nil, err
		}
	}
	for _, part := range s.parts {
		text, err := part.Text(scope)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, text)
	}
	return out, nil
}

// Credentials lists the parts of a request that prove where it comes from, as $header.<name> in lower case and
// $query.<name>: the check reads them, and nothing else needs to.
func (h *Hook) Credentials() []string {
	if h.signature == nil {
		return nil
	}
	var out []string
	switch h.signature.format {
	case "github":
		out = []string{"$header.x-hub-signature", "$header.x-hub-signature-256"}
	case "slack":
		out = []string{"$header.x-slack-signature"}
	case "stripe":
		out = []string{"$header.stripe-signature"}
	case "standard", "clerk":
		out = []string{"$header.webhook-signature", "$header.svix-signature"}
	}
	if t := h.signature.texts["compare_with"]; t != nil {
		for _, reference := range hookReference.FindAllString(t.Source, -1) {
			root, name, _ := strings.Cut(reference, ".")
			switch root {
			case "$header", "$headers":
				out = append(out, "$header."+strings.ToLower(name))
			case "$query":
				out = append(out, reference)
			}
		}
	}
	return out
}
