package fetch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// Hook says how what a third party sends to us is understood. It is immutable.
type Hook struct {
	Transform *expr.Program // of the payload; nil: it stays as it is
	Handle    *expr.Program // tells handshakes from payloads; nil: everything is a payload
	Lookup    *HookLookup   // how hooks of an installation find their account; nil: not at all

	signature *hookSignature // nil: hooks prove nothing
}

// HookLookup finds the account that a hook of an installation is about: the member of its context at Field is Value.
type HookLookup struct {
	Field string
	Value string // text with placeholders, over body, headers and query
}

type hookSignature struct {
	format    string
	tolerance int
	parts     []*template
	texts     map[string]*template
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

func parseHook(f field) *Hook {
	if len(f.object()) == 0 {
		return nil
	}
	f.known("payload_transform", "handle_verification", "signature_verification")
	return &Hook{
		Transform: f.get("payload_transform").program(),
		Handle:    f.get("handle_verification").program(),
		Lookup:    parseHookLookup(f.get("signature_verification").get("config")),
		signature: parseHookSignature(f.get("signature_verification")),
	}
}

// parseHookLookup accepts $body.team_id beside {{body.team_id}}.
func parseHookLookup(config field) *HookLookup {
	name, value := config.get("context_lookup_field_name"), config.get("context_lookup_field_value")
	if !name.present() && !value.present() {
		return nil
	}
	l := &HookLookup{Field: name.need(), Value: value.need()}
	if l.Field != "" && !hookField.MatchString(l.Field) {
		name.report("must be the name of a member of the context: letters, digits, dashes and underscores, with dots for nested ones")
	}
	for prefix, path := range map[string]string{"$body.": "body.", "$header.": "headers.", "$headers.": "headers.", "$query.": "query."} {
		if rest, ok := strings.CutPrefix(l.Value, prefix); ok {
			l.Value = "{{" + path + rest + "}}"
		}
	}
	if _, err := expr.ParseTemplate(l.Value); err != nil {
		value.reportError(err)
	}
	if l.Value != "" && !strings.Contains(l.Value, "{{") {
		value.report("must name a part of the request, such as $body.team_id or $header.x-team")
	}
	return l
}

func parseHookSignature(f field) *hookSignature {
	if len(f.object()) == 0 {
		return nil
	}
	f.known("format", "config")
	s := &hookSignature{texts: map[string]*template{}, tolerance: DefaultTolerance}
	if f.get("format").need() == "" {
		return s
	}
	s.format = f.get("format").oneOf("", hookFormats()...)
	config := f.get("config")
	config.object()
	config.known("algorithm", "secret", "token", "parts", "compare_with", "string_type", "username", "password",
		"verification_content", "context_lookup_field_name", "context_lookup_field_value",
		"timestamp", "tolerance", "delivery_id", "jwks_url", "issuer", "audience")
	s.tolerance = config.get("tolerance").natural(DefaultTolerance)
	for _, name := range []string{"username", "password", "jwks_url", "issuer", "audience"} {
		s.texts[name] = config.get(name).template()
	}
	s.texts["secret"] = config.get("secret", "token").template()
	for _, name := range []string{"compare_with", "timestamp", "delivery_id"} {
		s.texts[name] = hookText(config.get(name), true)
	}
	if !config.get("compare_with").present() {
		s.texts["compare_with"] = hookText(config.get("verification_content"), true)
	}
	s.parseDigest(config)
	s.need(config)
	return s
}

func (s *hookSignature) parseDigest(config field) {
	algorithm := config.get("algorithm")
	if s.format == "jwt" {
		algorithm.oneOf("", "hs256", "hs384", "hs512", "rs256", "rs384", "rs512", "ps256", "ps384", "ps512", "es256", "es384", "es512", "eddsa")
	} else {
		algorithm.oneOf("sha256", "sha1", "sha256", "sha384", "sha512")
	}
	config.get("string_type").oneOf("hex", "hex", "base64", "base64url")
	s.texts["algorithm"] = algorithm.template()
	s.texts["string_type"] = config.get("string_type").template()
	for _, part := range config.get("parts").list() {
		if t := hookText(part, false); t != nil {
			s.parts = append(s.parts, t)
		}
	}
}

// need reports what a format cannot do without.
func (s *hookSignature) need(config field) {
	switch s.format {
	case "hmac":
		config.get("secret", "token").need()
		config.get("compare_with", "verification_content").need()
		if config.get("parts").present() && len(s.parts) == 0 {
			config.get("parts").report("must have at least one part, such as $body")
		}
	case "basic":
		config.get("username").need()
		config.get("password").need()
	case "jwt":
		if config.get("secret").present() == config.get("jwks_url").present() {
			config.report("must have either a secret or a jwks_url")
		}
		secret := config.get("secret", "token")
		if text := secret.text(); secret.present() && len(text) < millrace.MinTokenSecret && !strings.Contains(text, "{{") {
			secret.report(fmt.Sprintf("must have at least %d bytes: a shorter one can be guessed from a single token", millrace.MinTokenSecret))
		}
	case "bearer", "clerk", "standard", "stripe", "github", "slack":
		config.get("secret", "token").need()
	}
}

// hookText compiles a text that names parts of a request. One that must name some is of no use without.
func hookText(f field, must bool) *template {
	if !f.present() {
		return nil
	}
	names := []string{"$body", "$header.", "$query."}
	references := hookReference.FindAllString(f.text(), -1)
	for _, r := range references {
		root, name, _ := strings.Cut(r, ".")
		switch {
		case root == "$body":
		case slices.Contains([]string{"$header", "$headers", "$query"}, root) && name != "":
		default:
			f.suggest(r, names, "%q is no part of a request; known are $body, $header.<name> and $query.<name>", r)
		}
	}
	if must && len(references) == 0 {
		f.report("must name a part of the request, such as $header.x-signature")
	}
	return f.template()
}

// Signature returns how hooks prove where they come from, with placeholders replaced from the context of an account;
// nil when they prove nothing. An error of KindInvalid says which placeholder has no value.
func (h *Hook) Signature(cfg *Config, accountContext map[string]any) (*millrace.HookSignature, error) {
	s := h.signature
	if s == nil {
		return nil, nil //nolint:nilnil // no signature is an answer here
	}
	scope, err := cfg.hookScope(accountContext)
	if err != nil {
		return nil, err
	}
	out := &millrace.HookSignature{Format: s.format, Tolerance: int64(s.tolerance)}
	for name, to := range map[string]*string{
		"algorithm": &out.Algorithm, "secret": &out.Secret, "compare_with": &out.CompareWith, "string_type": &out.StringType,
		"timestamp": &out.Timestamp, "delivery_id": &out.DeliveryID, "username": &out.Username, "password": &out.Password,
		"jwks_url": &out.JWKSURL, "issuer": &out.Issuer, "audience": &out.Audience,
	} {
		if *to, err = s.texts[name].text(scope); err != nil {
			return nil, err
		}
	}
	for _, part := range s.parts {
		text, err := part.text(scope)
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
		for _, reference := range hookReference.FindAllString(t.source, -1) {
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

// hookScope is what the placeholders of a signature refer to: the same as those of a request.
func (c *Config) hookScope(accountContext map[string]any) (*expr.Object, error) {
	v, err := jsonata.FromGo(accountContext)
	if err != nil {
		return nil, fmt.Errorf("convert context: %w", err)
	}
	context, ok := v.(*expr.Object)
	if !ok {
		context = jsonata.NewObject(0)
	}
	scope := jsonata.NewObject(context.Len() + 3)
	for key, member := range context.All() {
		scope.Set(key, member)
	}
	scope.Set("context", context)
	scope.Set("credentials", context)
	scope.Set("environment_variables", c.environment(context, nil))
	return scope, nil
}
