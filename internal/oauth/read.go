package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/secret"
)

// Outcome is the result of a request for a token.
type Outcome string

// The outcomes of a response.
const (
	Granted Outcome = "granted" // there is a token
	Refused Outcome = "refused" // the provider has certainly granted nothing, and a repetition would change nothing
	Unknown Outcome = "unknown" // it may have, and what was used up for it may be dead
)

// Result is what a response means. Code and Message may be shown; the rest is secret, or may be.
type Result struct {
	Outcome      Outcome
	Code         string         // of the provider, in lower case; empty: none
	Message      string         // for people, at most 300 characters; empty when a token was granted
	RetryAfter   time.Duration  // what the provider asks for; 0: nothing
	Token        map[string]any // the response, numbers as [json.Number], with access_token, and expires_at (RFC 3339) where known
	AccessToken  string
	RefreshToken string         // empty: none came, and the old one goes on
	ExpiresAt    time.Time      // zero: not known
	Scope        []string       // nil: as asked for
	Extra        map[string]any // what the config keeps in the context, by its names there
	Secrets      []string       // texts that must not be shown
	SecretPaths  [][]string     // where they are in Token
}

// Read says what a response means. It takes what providers send, however it is spelt: whatever has an access token in it is used,
// because it may be the only one that works from now on.
func Read(credential *config.Credential, r Response, now time.Time) Result {
	out := Result{RetryAfter: retryAfter(r.Header["Retry-After"], now), Secrets: slices.Clone(r.Sent)}
	o := &config.OAuth{}
	if credential != nil && credential.OAuth != nil {
		o = credential.OAuth
	}
	body, ok := parseBody(r)
	header := ""
	if o.ResponseHeader != "" {
		header = r.Header[http.CanonicalHeaderKey(o.ResponseHeader)]
	}
	if !ok && header == "" {
		out.Outcome, out.Message = Unknown, unreadable(r)
		if rejects(credential, r.Status) {
			out.Outcome = Refused
		}
		return out
	}
	if body == nil {
		body = map[string]any{}
	}
	token := lift(body, o)
	if header != "" {
		token["access_token"] = header
	}
	if access := text(token["access_token"]); access != "" && r.Status/100 == 2 && body["ok"] != false {
		out.grant(o, body, token, r, now)
		return out
	}
	er := &errorResponse{secrets: append(secret.NewSet().Values(body), r.Sent...)}
	er.read(body)
	out.Outcome, out.Code = er.judge(r.Status), er.code
	if out.Outcome == Unknown && rejects(credential, r.Status) && !er.transient() {
		out.Outcome = Refused
	}
	switch {
	case er.code == "" && er.description == "":
		out.Message = fmt.Sprintf("the token endpoint responded with status %d, without a token and without an error", r.Status)
	default:
		out.Message = er.message()
	}
	return out
}

// rejects reports whether a status alone is a definite no: of a login and of OAuth 1.0a, which have no codes of errors and use nothing up.
func rejects(credential *config.Credential, status int) bool {
	return credential != nil && (credential.Format == config.FormatSession || credential.Format == config.FormatOAuth1) &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity}, status)
}

// grant reads the token.
func (out *Result) grant(o *config.OAuth, body, token map[string]any, r Response, now time.Time) {
	out.Outcome, out.Token = Granted, token
	out.AccessToken, out.RefreshToken = text(token["access_token"]), text(token["refresh_token"])
	out.ExpiresAt = expiry(o, body, token, r, now)
	if !out.ExpiresAt.IsZero() {
		token["expires_at"] = out.ExpiresAt.UTC().Format(time.RFC3339)
	}
	out.Scope = scopes(token["scope"], o.Separator)
	for _, k := range o.KeepToken {
		value := at(body, k.Name)
		if value == nil {
			value = at(token, k.Name)
		}
		if allows(k, value) {
			if out.Extra == nil {
				out.Extra = map[string]any{}
			}
			out.Extra[k.As] = value
		}
	}
	out.Secrets = append(out.Secrets, secret.NewSet().Values(token)...)
	out.Secrets = append(out.Secrets, out.AccessToken)
	out.SecretPaths = secretPaths(nil, nil, token)
}

// maxKept bounds a value that is kept in the context, in bytes of JSON.
const maxKept = 16 << 10

func allows(k config.Kept, v any) bool {
	if v == nil {
		return false
	}
	if k.Pattern != nil {
		return k.Pattern.MatchString(text(v))
	}
	raw, err := json.Marshal(v)
	return err == nil && len(raw) <= maxKept
}

// parseBody reads JSON or, as a few providers send it, a form.
func parseBody(r Response) (map[string]any, bool) {
	raw := bytes.TrimSpace(bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf")))
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) == nil {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		o, ok := v.(map[string]any)
		return o, ok
	}
	kind, _, _ := mime.ParseMediaType(r.Header["Content-Type"])
	form, err := url.ParseQuery(string(raw))
	if err != nil || kind != "application/x-www-form-urlencoded" && !form.Has("access_token") && !form.Has("error") && !form.Has("oauth_token") && !form.Has("oauth_problem") {
		return nil, false
	}
	out := map[string]any{}
	for name := range form {
		out[name] = form.Get(name)
	}
	return out, len(out) > 0
}

func unreadable(r Response) string {
	kind, _, _ := mime.ParseMediaType(r.Header["Content-Type"])
	switch {
	case r.Status/100 == 3:
		return fmt.Sprintf("the token endpoint redirects (status %d), which is not followed: its address in the config is probably wrong", r.Status)
	case len(bytes.TrimSpace(r.Body)) == 0:
		return fmt.Sprintf("the token endpoint responded with status %d and nothing else", r.Status)
	case kind == "text/html":
		return fmt.Sprintf("the token endpoint responded with status %d and a page for people instead of a token", r.Status)
	}
	return fmt.Sprintf("the token endpoint responded with status %d and something that cannot be read", r.Status)
}

// lift returns the token response with what the config finds elsewhere in it at the top, under the usual names.
func lift(body map[string]any, o *config.OAuth) map[string]any {
	token := maps.Clone(body)
	found := at(body, o.TokenPath)
	switch v := found.(type) {
	case map[string]any:
		for _, name := range []string{"access_token", "refresh_token", "expires_in", "expires_at", "scope"} {
			delete(token, name) // of another token
		}
		maps.Copy(token, v)
	case nil: // the response to a refresh may have another shape
	default:
		token["access_token"] = text(v)
	}
	for _, alias := range [][2]string{
		{"access_token", "accessToken"},
		{"access_token", "oauth_token"},
		{"access_token_secret", "oauth_token_secret"},
		{"refresh_token", "refreshToken"},
		{"expires_in", "expiresIn"},
	} {
		if text(token[alias[0]]) == "" && text(token[alias[1]]) != "" && (found == nil || alias[0] != "access_token") {
			token[alias[0]] = token[alias[1]]
		}
	}
	if o.RefreshTokenPath != "" {
		if s := text(at(body, o.RefreshTokenPath)); s != "" {
			token["refresh_token"] = s
		}
	}
	return token
}

// at follows a dotted path.
func at(v any, path string) any {
	if path == "" {
		return nil
	}
	for key := range strings.SplitSeq(path, ".") {
		switch parent := v.(type) {
		case map[string]any:
			v = parent[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(parent) {
				return nil
			}
			v = parent[i]
		default:
			return nil
		}
	}
	return v
}

// text returns a text or a number as text, empty for everything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// scopes reads a text of scopes, whatever separates them, or a list.
func scopes(v any, separator string) []string {
	if list, ok := v.([]any); ok {
		var out []string
		for _, item := range list {
			if s := text(item); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	return strings.FieldsFunc(text(v), func(r rune) bool {
		return r == ' ' || r == ',' || separator != "" && strings.ContainsRune(separator, r)
	})
}

// secretPaths lists where in a token secrets are, by the names of the members.
func secretPaths(out [][]string, path []string, v any) [][]string {
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		below := append(slices.Clip(path), name)
		if isSecret(name, m[name]) {
			out = append(out, below)
			continue
		}
		out = secretPaths(out, below, m[name])
	}
	return out
}

// isSecret reports whether a member of a token response is a secret. Numbers with such names say how long one lasts.
func isSecret(name string, v any) bool {
	_, isText := v.(string)
	return name == "access_token" || isText && secret.IsName(name)
}

// read finds the error in a body: that of the standard, or what others send instead.
func (er *errorResponse) read(body map[string]any) {
	found := body
	switch e := body["error"].(type) {
	case map[string]any:
		found = e
	case []any:
		if len(e) > 0 {
			found, _ = e[0].(map[string]any)
		}
	case string:
		er.code = e
	}
	if list, ok := body["errors"].([]any); ok && len(list) > 0 && body["error"] == nil {
		if found, ok = list[0].(map[string]any); !ok {
			er.description = text(list[0])
		}
	}
	for _, name := range []string{"code", "type", "error", "error_code", "errorCode", "oauth_problem"} {
		if er.code == "" {
			er.code = text(found[name])
		}
	}
	for _, name := range []string{"error_description", "message", "description", "error_message", "errorMessage", "detail", "title", "msg", "reason"} {
		for _, in := range []map[string]any{body, found} {
			if er.description == "" {
				er.description = text(in[name])
			}
		}
	}
	if er.code != "" && er.description == "" && strings.ContainsAny(strings.TrimSpace(er.code), " ") && cleanCode(er.code) == "" {
		er.description = er.code // a sentence
	}
	if er.code = cleanCode(er.code); er.code != "" && secret.NewScrubber(er.secrets, secret.MinText).Hides(er.code) {
		er.code = ""
	}
}

// judge says whether a response without a token is a definite no.
func (er *errorResponse) judge(status int) Outcome {
	switch {
	case status >= 500, status/100 == 3, status/100 == 1,
		status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return Unknown
	case er.code == "" || er.transient():
		return Unknown
	}
	return Refused
}

// transient reports whether an error is one that passes.
func (er *errorResponse) transient() bool {
	for _, code := range []string{
		"temporarily_unavailable", "server_error", "slow_down", "authorization_pending", "internal", "unavailable", "timeout",
		"rate_limit", "ratelimit", "too_many", "toomany", "throttl", "fatal_error", "try_again", "busy",
	} {
		if strings.Contains(er.code, code) {
			return true
		}
	}
	if n, err := strconv.Atoi(er.code); err == nil && (n >= 500 && n < 600 || n == http.StatusTooManyRequests || n == http.StatusRequestTimeout) {
		return true
	}
	description := strings.ToLower(er.description)
	for _, words := range []string{"too many requests", "rate limit", "try again later", "after some time"} {
		if strings.Contains(description, words) {
			return true
		}
	}
	return false
}
