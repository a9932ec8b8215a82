package fetch

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

func credentialsJSON(format, options string) json.RawMessage {
	return json.RawMessage(`{"credentials":{"` + format + `":{"config":` + options + `}}}`)
}

// TestWrongCredentialOptions: every wrong option is found where it stands.
func TestWrongCredentialOptions(t *testing.T) {
	t.Parallel()
	const host = `"auth":{"tokenHost":"https://t.test"}`
	for _, c := range []struct {
		format, options string
		want            []string // below config.credentials.<format>.config
	}{
		{"oauth2", `{}`, []string{"auth.tokenHost: Required string is missing"}},
		{"oauth2", `{"auth":{"tokenHost":"t.test"}}`, []string{"auth.tokenHost: must begin with https:// or a placeholder"}},
		{"oauth2", `{"auth":{"token_host":7}}`, []string{"auth.token_host: must be a string"}},
		{"oauth2", `{"auth":{"tokenHost":"https://t.test","tokenPaht":"/x"}}`, []string{`auth.tokenPaht: unknown key; did you mean "tokenPath"?`}},
		{"oauth2", `{` + host + `,"scopes":["a"]}`, []string{`scopes: unknown key; did you mean "scope"?`}},
		{"oauth2", `{` + host + `,"scope":{"a":1}}`, []string{"scope: must be an array"}},
		{"oauth2", `{` + host + `,"scope":["a",""]}`, []string{"scope[1]: Required string is missing"}},
		{"oauth2", `{` + host + `,"options":{"authorizationMethod":"heder"}}`, []string{`options.authorizationMethod: "heder" is not one of header, body, private_key_jwt, none; did you mean "header"?`}},
		{"oauth2", `{` + host + `,"options":{"authorization_method":"private_key_jwt","body_format":"xml","method":"get"}}`, []string{
			"options.authorization_method: needs client.private_key",
			`options.body_format: "xml" is not one of form, json`,
			"options.method: get is for the format session_token: a token is asked for with post",
		}},
		{"oauth2", `{` + host + `,"pkce":{"method":"plain"}}`, []string{`pkce.method: "plain" is not one of s256`}},
		{"oauth2", `{` + host + `,"pkce":"perhaps"}`, []string{"pkce: must be true or false"}},
		{"oauth2", `{` + host + `,"params":[],"token_params":"x"}`, []string{"params: must be an object", "token_params: must be an object"}},
		{"oauth2", `{` + host + `,"tokenExpiryDuration":"1h","grace":-1,"idle_limit":99999999}`, []string{
			"tokenExpiryDuration: must be a whole number, not negative", "grace: must be a whole number, not negative", "idle_limit: is too long",
		}},
		{"oauth2", `{` + host + `,"token_path":"/oauth/token"}`, []string{"token_path: says where in the response the token is; the path of the endpoint is auth.tokenPath"}},
		{"oauth2", `{` + host + `,"keep":{"redirect":["realmId",{"as":"x"},{"name":"y","pattern":"("}],"token":["a.oauth"],"tokens":[]}}`, []string{
			"keep.redirect[1].name: Required string is missing",
			"keep.redirect[2].pattern: missing closing ): `\\A(?:()\\z`",
			"keep.token[0]: must have another name in the context: oauth is taken",
		}},
		{"oauth2", `{"auth":{"tokenHost":"{{server}}"},"keep":{"redirect":[{"name":"accounts-server","as":"server"}]}}`, []string{
			"auth.tokenHost: is read from the redirect, which the user who connects an account can change: server in keep.redirect needs a pattern",
		}},
		{"oauth2", `{` + host + `,"keep":{"token":["bot.access_token",{"name":"bot.token","as":"bot","secret":true},{"name":"id","as":"session_id"},"token_type"]}}`, []string{
			"keep.token[0]: is called like a secret and would be shown: give it as an object with name and secret: true",
			"keep.token[2]: is called like a secret and would be shown: give it as an object with name and secret: true",
		}},
		{"oauth2", `{` + host + `,"identity":"1 +"}`, []string{"identity: *"}},
		{"oauth2", `{` + host + `,"client":{"id":7}}`, nil},
		{"oauth", `{"requestTokenUrl":"https://t.test/r"}`, []string{"authorizeUrl: Required string is missing", "tokenUrl: Required string is missing"}},
		{"oauth", `{"signature_method":"HMAC-SHA-1"}`, []string{`signature_method: "HMAC-SHA-1" is not one of HMAC-SHA1, HMAC-SHA256, PLAINTEXT; did you mean "HMAC-SHA1"?`}},
		{"jwt", `{}`, []string{"privateKey: Required string is missing"}},
		{"jwt", `{"private_key":"{{k}}","algorithm":"rs256","lifetime":0}`, []string{`algorithm: "rs256" is not one of *`, "lifetime: must be between 1 and 86400 seconds"}},
		{"session_token", `{` + host + `}`, []string{"tokenPath: Required string is missing: where in the response the token is, unless response_header says it"}},
		{"aws_sigv4", `{"service":"s3"}`, []string{"accessKeyId: Required string is missing", "secretAccessKey: Required string is missing", "region: Required string is missing"}},
		{"api_key", `{"client_certificate":{"certificate":"{{c}}","key":"x"}}`, []string{"client_certificate.privateKey: Required string is missing"}},
	} {
		_, err := config.Parse(credentialsJSON(c.format, c.options))
		var got []string
		if e, ok := errors.AsType[*millrace.Error](err); ok {
			for i, f := range e.Failures {
				line := strings.TrimPrefix(f.Path, "config.credentials."+c.format+".config.") + ": " + f.Message
				if i < len(c.want) {
					if prefix, ok := strings.CutSuffix(c.want[i], "*"); ok && strings.HasPrefix(line, prefix) {
						line = c.want[i]
					}
				}
				got = append(got, line)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s:\n%s", c.format, c.options, diff)
		}
	}
}

// TestCredentialWarnings: what is not wrong, and probably not meant.
func TestCredentialWarnings(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		`{"auth":{"tokenHost":"http://t.test"}}`:      "config.credentials.oauth2.config.auth.tokenHost: sends credentials without encryption; use https://",
		`{"auth":{"tokenHost":"http://127.0.0.1:1"}}`: "",
		`{"auth":{"tokenHost":"{{login_url}}"},"fields":[{"name":"login_url"}]}`: "config.credentials.oauth2.config.auth.tokenHost: lets the user who connects an account choose where the secret of the client is sent: " +
			"the field login_url needs a pattern or options",
		`{"auth":{"tokenHost":"{{login_url}}"},"fields":[{"name":"login_url","pattern":"^https://[a-z]+\\.t\\.test$"}]}`: "",
		`{"auth":{"tokenHost":"https://t.test"},"something":1}`:                                                          "config.credentials.oauth2.config.something: has no effect: it means nothing here",
	} {
		var got []string
		for _, f := range config.Warn(credentialsJSON("oauth2", options)) {
			got = append(got, f.Path+": "+f.Message)
		}
		if want != "" && !slices.Contains(got, want) || want == "" && slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "tokenHost") }) {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
	}
}

// TestCredentialSpellings: every option may be spelt in either way, and an override may bring a client.
func TestCredentialSpellings(t *testing.T) {
	t.Parallel()
	camel := `{"client":{"id":"a","idParamName":"i","secretParamName":"s"},"auth":{"tokenHost":"https://t.test","refreshHost":"https://r.test","refreshPath":"/r","revokePath":"/v"},
		"optionalScope":["o"],"options":{"scopeSeparator":",","authorizationMethod":"BODY","bodyFormat":"json","credentialsEncodingMode":"loose"},
		"tokenExpiryDuration":"60","refreshMargin":5,"idleLimit":2,"codeParam":"c","tokenPath":"p","refreshTokenPath":"q","expiresPath":"e","responseHeader":"h"}`
	snake := `{"client":{"id":"a","id_param_name":"i","secret_param_name":"s"},"auth":{"token_host":"https://t.test","refresh_host":"https://r.test","refresh_path":"/r","revoke_path":"/v"},
		"optional_scope":["o"],"options":{"scope_separator":",","authorization_method":"body","body_format":"json","credentials_encoding_mode":"loose"},
		"token_expiry_duration":60,"refresh_margin":5,"idle_limit":"2","code_param":"c","token_path":"p","refresh_token_path":"q","expires_path":"e","response_header":"h"}`
	for _, options := range []string{camel, snake} {
		merged := config.Merge(credentialsJSON("oauth2", options), credentialsJSON("oauth2", `{"client":{"id":"own","secret":"own-secret"}}`))
		c := parse(t, string(merged))
		if warnings := config.Warn(merged); slices.ContainsFunc(warnings, func(f millrace.Failure) bool { return strings.Contains(f.Message, "no effect") }) {
			t.Errorf("got %v", warnings)
		}
		o := c.Credentials["oauth2"].OAuth
		got := []any{
			o.ClientID.Source, o.ClientSecret.Source, o.IDParam, o.SecretParam, o.Token.Host.Source, o.Token.Path.Source, o.Refresh.Host.Source, o.Refresh.Path.Source, o.Revoke.Path.Source,
			o.Authorize.Host.Source, o.Authorize.Path.Source, o.OptionalScope[0], o.Separator, o.ClientAuth, o.JSONBody, o.LooseEncoding, o.PKCE,
			o.Lifetime, o.Margin, o.IdleLimit, o.CodeParam, o.TokenPath, o.RefreshTokenPath, o.ExpiresPath, o.ResponseHeader,
		}
		want := []any{
			"own", "own-secret", "i", "s", "https://t.test", "/oauth/token", "https://r.test", "/r", "/v", "https://t.test", "/oauth/authorize", "o", ",", "body", true, true, true,
			time.Minute, 5 * time.Second, 48 * time.Hour, "c", "p", "q", "e", "h",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestStoredCredentials: invalid parts that an older version stored do no harm until they are used.
func TestStoredCredentials(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	raw := json.RawMessage(`{"base_url":"` + u.URL + `","resources":{"things":{"list":{"path":"/x"}}},"credentials":{
		"oauth2":{"config":{"auth":{"tokenHost":"t"},"options":{"bodyFormat":"xml"}}},"aws_sigv4":{"config":{}},"jwt":{"config":{"algorithm":"x"}},"api_key":{"config":{}}}}`)
	if _, err := config.Parse(raw); err == nil {
		t.Error("a wrong config may be stored")
	}
	c, err := config.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	for format, works := range map[string]bool{"oauth2": true, "api_key": true, "aws_sigv4": false, "jwt": false} {
		credential := c.Credentials[format]
		if (credential.Wrong == nil) != (format == "api_key") {
			t.Errorf("%s: got %v", format, credential.Wrong)
		}
		_, err := newFetcher(t).Fetch(t.Context(), Request{
			Integration: c, Credential: &credential, Resource: "things", Method: "list", Context: map[string]any{"access_token": "token-1"},
		})
		if (err == nil) != works || err != nil && !strings.HasPrefix(err.Error(), "config.credentials."+format) {
			t.Errorf("%s: got %v", format, err)
		}
	}
	if credentials, err := config.Credentials(raw); err != nil || len(credentials) != 4 {
		t.Errorf("got %v, %v", credentials, err)
	}
}
