package fetch

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/fetch/hook"
	"github.com/millrace/millrace/internal/fetch/wire"
)

func parseHookConfig(t *testing.T, webhook string) (*config.Config, error) {
	t.Helper()
	return config.Parse(json.RawMessage(`{"base_url":"https://a.example","environment_variables":{"KEY":"of the installation"},"webhook":` + webhook + `}`))
}

func TestHookConfigsAreChecked(t *testing.T) {
	t.Parallel()
	signature := func(format, config string) string {
		return `{"signature_verification":{"format":"` + format + `","config":` + config + `}}`
	}
	for _, c := range []struct{ webhook, path, says string }{
		{`{"payload_transfor":"body"}`, "config.webhook.payload_transfor", "payload_transform"},
		{`{"payload_transform":"body.("}`, "config.webhook.payload_transform", ""},
		{`{"handle_verification":"{"}`, "config.webhook.handle_verification", ""},
		{`{"signature_verification":{"config":{}}}`, "config.webhook.signature_verification.format", "missing"},
		{signature("githb", `{"secret":"x"}`), "config.webhook.signature_verification.format", "did you mean \"github\"?"},
		{signature("github", `{}`), "config.webhook.signature_verification.config.secret", "missing"},
		{signature("github", `{"secrt":"x"}`), "config.webhook.signature_verification.config.secrt", "secret"},
		{signature("hmac", `{"secret":"x"}`), "config.webhook.signature_verification.config.compare_with", "missing"},
		{signature("hmac", `{"secret":"x","compare_with":"x-sig"}`), "config.webhook.signature_verification.config.compare_with", "must name a part"},
		{signature("hmac", `{"secret":"x","compare_with":"$heder.x-sig"}`), "config.webhook.signature_verification.config.compare_with", "$heder.x-sig"},
		{signature("hmac", `{"secret":"x","compare_with":"$header."}`), "config.webhook.signature_verification.config.compare_with", "$header."},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","parts":["v1:","$bdy"]}`), "config.webhook.signature_verification.config.parts[1]", "did you mean \"$body\"?"},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","parts":[]}`), "config.webhook.signature_verification.config.parts", "at least one"},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","parts":"$body"}`), "config.webhook.signature_verification.config.parts", "array"},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","algorithm":"sha265"}`), "config.webhook.signature_verification.config.algorithm", "sha256"},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","string_type":"base46"}`), "config.webhook.signature_verification.config.string_type", "base64"},
		{signature("hmac", `{"secret":"x","compare_with":"$header.x","tolerance":-1}`), "config.webhook.signature_verification.config.tolerance", "whole number"},
		{signature("basic", `{"username":"u"}`), "config.webhook.signature_verification.config.password", "missing"},
		{signature("jwt", `{}`), "config.webhook.signature_verification.config", "either a secret or a jwks_url"},
		{signature("jwt", `{"secret":"x","jwks_url":"https://a.example"}`), "config.webhook.signature_verification.config", "either"},
		{signature("jwt", `{"secret":"0123456789abcde"}`), "config.webhook.signature_verification.config.secret", "at least 16 bytes"},
		{signature("jwt", `{"secret":"x","algorithm":"none"}`), "config.webhook.signature_verification.config.algorithm", "none"},
		{signature("github", `{"secret":"x","context_lookup_field_name":"team"}`), "config.webhook.signature_verification.config.context_lookup_field_value", "missing"},
		{signature("github", `{"secret":"x","context_lookup_field_name":"team","context_lookup_field_value":"T1"}`), "config.webhook.signature_verification.config.context_lookup_field_value", "part of the request"},
		{signature("github", `{"secret":"x","context_lookup_field_name":"te am","context_lookup_field_value":"$body.t"}`), "config.webhook.signature_verification.config.context_lookup_field_name", "letters"},
	} {
		_, err := parseHookConfig(t, c.webhook)
		var known *millrace.Error
		if !errors.As(err, &known) || len(known.Failures) == 0 {
			t.Errorf("%s: got %v, want a finding", c.webhook, err)
			continue
		}
		found := false
		for _, f := range known.Failures {
			found = found || f.Path == c.path && strings.Contains(f.Message+f.Suggestion, c.says)
		}
		if !found {
			t.Errorf("%s: got %+v, want %q at %s", c.webhook, known.Failures, c.says, c.path)
		}
	}
}

func TestSignaturesGetTheirSecretsFromTheContext(t *testing.T) {
	t.Parallel()
	c, err := parseHookConfig(t, `{"signature_verification":{"format":"hmac","config":{"secret":"{{hook.secret}}","compare_with":"v0=$header.x-sig",
		"parts":["{{environment_variables.KEY}}:","$body"],"delivery_id":"$header.x-id","context_lookup_field_name":"team.id","context_lookup_field_value":"$body.team.id"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.HookSignature(map[string]any{"hook": map[string]any{"secret": "a$b"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Secret != "a$b" || s.CompareWith != "v0=$header.x-sig" || len(s.Parts) != 2 || s.Parts[0] != "of the installation:" || s.Tolerance != hook.DefaultTolerance {
		t.Errorf("got %+v", s)
	}
	if l := c.Hook.Lookup; l == nil || l.Field != "team.id" || l.Value != "{{body.team.id}}" {
		t.Errorf("got lookup %+v", l)
	}
	if _, err = c.HookSignature(map[string]any{}); millrace.KindOf(err) != millrace.KindInvalid || !strings.Contains(err.Error(), "{{hook.secret}} has no value") {
		t.Errorf("without a secret got %v", err)
	}
}

func TestBodiesOfHooks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contentType, body, want string }{
		{"application/json; charset=utf-8", ` {"a":[1]}`, `{"a":[1]}`},
		{"application/cloudevents+json", `{"a":1}`, `{"a":1}`},
		{"text/plain", `{"a":1}`, `{"a":1}`},
		{"", "\xef\xbb\xbf[1]", `[1]`},
		{"application/json", `{"a":`, `"{\"a\":"`},
		{"application/x-www-form-urlencoded", "a=1&b=x+y&a=%C3%A9", `{"a":["1","é"],"b":"x y"}`},
		{"application/x-www-form-urlencoded", "a=%zz", `"a=%zz"`},
		{"text/xml", `<n><a k="1">x</a><a/></n>`, `{"n":{"a":[{"@k":"1","#text":"x"},""]}}`},
		{"application/xml", `<n>`, `"<n>"`},
		{"text/plain", "hello", `"hello"`},
		{"application/octet-stream", "\xff\x00", `"�\u0000"`},
		{"application/json", "  ", ``},
	} {
		got, err := expr.EncodeJSON(wire.DecodeBody(c.contentType, []byte(c.body)))
		if err != nil || string(got) != c.want {
			t.Errorf("%s %q: got %s, %v; want %s", c.contentType, c.body, got, err, c.want)
		}
	}
}
