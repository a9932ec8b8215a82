package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/fetch/config"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func readAs(t *testing.T, more string, status int, header map[string]string, body string) Result {
	t.Helper()
	credential := credentialOf(t, "oauth2", `{"client":{"id":"app"},"auth":{"tokenHost":"https://t.test"}`+more+`}`)
	return Read(credential, Response{Status: status, Header: header, Body: []byte(body), Sent: []string{"sent-secret-1"}}, noon)
}

// jwt is a token that expires in a quarter of an hour.
const jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTYwNDA5MDAsInN1YiI6InUtMSJ9.c2ln"

func TestExpiry(t *testing.T) {
	t.Parallel()
	late := map[string]string{"Date": noon.Add(-48 * time.Hour).Format(http.TimeFormat)}
	for _, c := range []struct {
		more, members string
		header        map[string]string
		want          time.Duration // 0: not known
	}{
		{``, `"expires_in":3600`, nil, time.Hour},
		{``, `"expires_in":3600.5`, nil, time.Hour + time.Second/2},
		{``, `"expires_in":"3600"`, nil, time.Hour},
		{``, `"expires_in":" 3600.0 "`, nil, time.Hour},
		{``, `"expires_in":3.6e3`, nil, time.Hour},
		{``, `"expiresIn":60`, nil, time.Minute},
		{``, `"expires_in":""`, nil, 0},
		{``, `"expires_in":null`, nil, 0},
		{``, `"expires_in":0`, nil, 0},
		{``, `"expires_in":-5`, nil, 0},
		{``, `"expires_in":"soon"`, nil, 0},
		{``, `"expires_in":1e300`, nil, 0},
		{``, `"expires_in":"NaN"`, nil, 0},
		{``, `"expires_in":{}`, nil, 0},
		{``, `"a":1`, nil, 0},
		{``, `"expires_in":1796043600`, nil, time.Hour},
		{``, `"expires_on":"1796043600"`, nil, time.Hour},
		{``, `"expires_at":1796043600000`, nil, time.Hour},
		{``, `"expires_at":"2026-11-30T13:00:00Z"`, nil, time.Hour},
		{``, `"expires_at":"2026-11-30 13:00:00"`, nil, time.Hour},
		{``, `"expires_at":"2026-11-28T13:00:00+00:00"`, late, time.Hour},
		{``, `"expires_at":"2026-11-28T13:00:00Z"`, nil, 0},
		{`,"tokenExpiryDuration":"120"`, `"a":1`, nil, 2 * time.Minute},
		{`,"token_expiry_duration":120`, `"expires_in":""`, nil, 2 * time.Minute},
		{`,"tokenExpiryDuration":120`, `"expires_in":60`, nil, time.Minute},
		{`,"expires_path":"data.ends"`, `"data":{"ends":"2026-11-30T12:05:00Z"},"expires_in":60`, nil, 5 * time.Minute},
	} {
		got := readAs(t, c.more, 200, c.header, `{"access_token":"at-1",`+c.members+`}`)
		left := time.Duration(0)
		if !got.ExpiresAt.IsZero() {
			left = got.ExpiresAt.Sub(noon)
		}
		if got.Outcome != Granted || left != c.want {
			t.Errorf("%s%s: got %s, %v, want %v", c.members, c.more, got.Outcome, left, c.want)
		}
		if at, has := got.Token["expires_at"].(string); c.want > 0 && (!has || at != got.ExpiresAt.Format(time.RFC3339)) {
			t.Errorf("%s: the token has expires_at %v", c.members, got.Token["expires_at"])
		}
	}
	if got := readAs(t, "", 200, nil, `{"access_token":"`+jwt+`"}`); got.ExpiresAt.Sub(noon) != 15*time.Minute {
		t.Errorf("a JSON Web Token: got %v", got.ExpiresAt)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		body    string
		outcome Outcome
		code    string
		message string // the beginning
	}{
		{400, `{"error":"invalid_grant","error_description":"gone: sent-secret-1"}`, Refused, "invalid_grant", "the authorization has expired, was revoked, or was used already: the account has to be connected again (invalid_grant); the provider says: gone: ***"},
		{401, `{"error":"invalid_client"}`, Refused, "invalid_client", "the provider does not accept the id or the secret of the client (invalid_client)"},
		{403, `{"error":"unauthorized_client"}`, Refused, "unauthorized_client", ""},
		{400, `{"error":"something_new","error_description":"read this"}`, Refused, "something_new", "the provider rejected the request: read this (something_new)"},
		{200, `{"error":"bad_refresh_token"}`, Refused, "bad_refresh_token", ""},
		{200, `{"ok":false,"error":"token_revoked","access_token":"x-1"}`, Refused, "token_revoked", ""},
		{200, `{"ok":false,"error":"ratelimited"}`, Unknown, "ratelimited", ""},
		{200, `{"error":{"code":190,"message":"Session has expired","type":"OAuthException"}}`, Refused, "190", "the provider rejected the request: Session has expired (190)"},
		{400, `{"error":{"code":503,"message":"x"}}`, Unknown, "503", ""},
		{400, `{"errors":[{"code":"invalid_grant","message":"m"}]}`, Refused, "invalid_grant", ""},
		{400, `[{"error":"invalid_grant"}]`, Refused, "invalid_grant", ""},
		{400, `{"error":"Access Denied","error_description":"You have made too many requests continuously."}`, Unknown, "access_denied", ""},
		{400, `{"error":"temporarily_unavailable"}`, Unknown, "temporarily_unavailable", ""},
		{500, `{"error":"invalid_grant"}`, Unknown, "invalid_grant", ""},
		{429, `{"error":"invalid_grant"}`, Unknown, "invalid_grant", ""},
		{408, `{}`, Unknown, "", "the token endpoint responded with status 408, without a token and without an error"},
		{401, ``, Unknown, "", "the token endpoint responded with status 401 and nothing else"},
		{401, `Unauthorized`, Unknown, "", "the token endpoint responded with status 401 and something that cannot be read"},
		{403, `{"message":"Forbidden"}`, Unknown, "", "the provider rejected the request: Forbidden"},
		{302, ``, Unknown, "", "the token endpoint redirects (status 302)"},
		{200, `{}`, Unknown, "", "the token endpoint responded with status 200, without"},
		{200, `[]`, Unknown, "", "the token endpoint responded with status 200 and something"},
		{200, `{"access_token":""}`, Unknown, "", ""},
		{200, `{"access_token":7}`, Granted, "", ""},
		{500, `{"access_token":"at-1"}`, Unknown, "", ""},
		{201, "\xef\xbb\xbf" + ` {"accessToken":"at-1"} trailing`, Granted, "", ""},
		{200, `access_token=at-1&scope=a%2Cb&token_type=bearer`, Granted, "", ""},
		{200, `error=bad_verification_code&error_description=x`, Refused, "bad_verification_code", ""},
		{200, `{"access_token":"at-1","error":""}`, Granted, "", ""},
		{200, `{"access_token":"at-1","error":null}`, Granted, "", ""},
		{400, `{"error":"sent-secret-1"}`, Refused, "sent-secret-1", ""},
	} {
		got := readAs(t, "", c.status, nil, c.body)
		if c.code == "sent-secret-1" {
			c.code, c.outcome = "", Unknown
		}
		if got.Outcome != c.outcome || got.Code != c.code || !strings.HasPrefix(got.Message, c.message) {
			t.Errorf("%d %s: got %s, %q, %q", c.status, c.body, got.Outcome, got.Code, got.Message)
		}
		if strings.Contains(got.Message, "secret-1") {
			t.Errorf("%d %s: a secret in %q", c.status, c.body, got.Message)
		}
	}
}

func TestTokenElsewhere(t *testing.T) {
	t.Parallel()
	more := `,"token_path":"authed_user","options":{"scopeSeparator":","},"keep":{"token":["team.id",{"name":"instance_url","pattern":"https://[a-z.]+"},"big",{"name":"authed_user.id","as":"user"},"absent"]}`
	got := readAs(t, more, 200, nil, `{"ok":true,"access_token":"bot-1","team":{"id":"T1"},"instance_url":"https://x.test","big":12345678901234567890,
		"authed_user":{"id":"U1","access_token":"user-1","refresh_token":"user-r-1","scope":"a,b","id_token":"idt-1"}}`)
	if got.AccessToken != "user-1" || got.RefreshToken != "user-r-1" {
		t.Errorf("got %q and %q", got.AccessToken, got.RefreshToken)
	}
	want := map[string]any{"id": "T1", "instance_url": "https://x.test", "big": json.Number("12345678901234567890"), "user": "U1"}
	if diff := cmp.Diff(want, got.Extra); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{
		{"access_token"}, {"authed_user", "access_token"}, {"authed_user", "id_token"}, {"authed_user", "refresh_token"}, {"id_token"}, {"refresh_token"},
	}, got.SecretPaths); diff != "" {
		t.Error(diff)
	}
	if got := readAs(t, `,"token_path":"data.key","refresh_token_path":"data.again"`, 200, nil, `{"data":{"key":"k-1","again":"a-1"},"access_token":"other"}`); got.AccessToken != "k-1" || got.RefreshToken != "a-1" {
		t.Errorf("got %q and %q", got.AccessToken, got.RefreshToken)
	}
	if got := readAs(t, `,"token_path":"data.key"`, 200, nil, `{"access_token":"other"}`); got.AccessToken != "other" {
		t.Errorf("a response of another shape: got %s, %q", got.Outcome, got.AccessToken)
	}
	if got := readAs(t, `,"token_path":"authed_user"`, 200, nil, `{"access_token":"bot","refresh_token":"bot-r","authed_user":{"id":"U1"}}`); got.Outcome != Unknown {
		t.Errorf("the token of another user was taken: %q", got.AccessToken)
	}
	if got := readAs(t, `,"token_path":"authed_user"`, 200, nil, `{"access_token":"bot","refresh_token":"bot-r","authed_user":{"access_token":"user"}}`); got.AccessToken != "user" || got.RefreshToken != "" {
		t.Errorf("got %q with the refresh token %q of another user", got.AccessToken, got.RefreshToken)
	}
	if got := readAs(t, `,"keep":{"token":[{"name":"instance_url","pattern":"https://[a-z.]+"}]}`, 200, nil, `{"access_token":"at-1","instance_url":"https://evil.test/x"}`); got.Extra != nil {
		t.Errorf("kept %v", got.Extra)
	}
}

// checkRead is what holds whatever comes.
func checkRead(t interface{ Errorf(string, ...any) }, r Response, got Result) {
	_, coded := map[Outcome]bool{Granted: true, Refused: true, Unknown: true}[got.Outcome]
	switch {
	case !coded:
		t.Errorf("the outcome is %q", got.Outcome)
	case (got.Outcome == Granted) != (got.AccessToken != ""), (got.Outcome == Granted) != (got.Token != nil):
		t.Errorf("%s with the token %q", got.Outcome, got.AccessToken)
	case (got.Outcome == Granted) != (got.Message == ""):
		t.Errorf("%s with the message %q", got.Outcome, got.Message)
	case utf8.RuneCountInString(got.Message) > maxMessage, !utf8.ValidString(got.Message), len(got.Code) > 64:
		t.Errorf("a message of %d characters: %q", utf8.RuneCountInString(got.Message), got.Message)
	case got.RetryAfter < 0, !got.ExpiresAt.IsZero() && !got.ExpiresAt.After(noon):
		t.Errorf("again after %v, expires at %v", got.RetryAfter, got.ExpiresAt)
	case got.Outcome == Refused && (r.Status >= 500 || r.Status == 429):
		t.Errorf("status %d is a definite no", r.Status)
	}
	for _, secret := range r.Sent {
		if strings.Contains(got.Message+got.Code, secret) {
			t.Errorf("there is a secret in %q, %q", got.Message, got.Code)
		}
	}
	if _, err := json.Marshal(got.Token); err != nil {
		t.Errorf("the token is not JSON: %v", err)
	}
}

// TestAnyResponse reads responses that are put together of what providers send.
func TestAnyResponse(t *testing.T) {
	t.Parallel()
	credential := credentialOf(t, "oauth2", `{"client":{"id":"app"},"auth":{"tokenHost":"https://t.test"},"keep":{"token":["instance_url"]}}`)
	scalar := rapid.OneOf(
		rapid.SampledFrom([]any{nil, "", "3600", 3600, 3600.5, -1, true, false, "sent-secret-1", "invalid_grant", []any{}, map[string]any{}, 1e308, "9999999999999999999"}),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	names := rapid.SampledFrom([]string{"access_token", "refresh_token", "expires_in", "expires_at", "error", "error_description", "ok", "scope", "message", "errors", "instance_url", "data"})
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.MapOf(names, rapid.OneOf(scalar, rapid.Map(rapid.MapOf(names, scalar), func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(scalar, 0, 2), func(l []any) any { return l }))).Draw(t, "body")
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := Response{
			Status: rapid.SampledFrom([]int{200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503}).Draw(t, "status"), Body: raw, Sent: []string{"sent-secret-1"},
			Header: map[string]string{"Retry-After": rapid.SampledFrom([]string{"", "7", "-7", "x", "1e300"}).Draw(t, "after")},
		}
		got := Read(credential, r, noon)
		checkRead(t, r, got)
		// A token is never lost: not by what stands beside it.
		if token, ok := body["access_token"].(string); ok && strings.TrimSpace(token) != "" && r.Status < 300 && body["ok"] != false && got.Outcome != Granted {
			t.Errorf("the token in %s is lost", raw)
		}
	})
}

func FuzzRead(f *testing.F) {
	c, err := config.Parse([]byte(`{"credentials":{"oauth2":{"config":{"client":{"id":"app"},"auth":{"tokenHost":"https://t.test"},"keep":{"token":["a.b"]}}}}}`))
	if err != nil {
		f.Fatal(err)
	}
	credential := c.Credentials["oauth2"]
	for _, seed := range []string{
		`{"access_token":"at-1","expires_in":3600.5}`, `{"error":"invalid_grant"}`, `{"error":{"code":1}}`, `{"errors":["x"]}`, `[{}]`, ``, `access_token=a&expires_in=1`,
		`{"access_token":"` + jwt + `"}`, `<html>`, `{"ok":false}`, `{"expires_in":"2026-11-30T13:00:00Z","access_token":"x"}`, "\xef\xbb\xbf{}",
	} {
		f.Add(200, "application/json", noon.Format(http.TimeFormat), []byte(seed))
		f.Add(400, "application/x-www-form-urlencoded", "", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, kind, date string, body []byte) {
		r := Response{Status: status, Header: map[string]string{"Content-Type": kind, "Date": date, "Retry-After": date}, Body: body, Sent: []string{"sent-secret-1"}}
		got := Read(&credential, r, noon)
		checkRead(t, r, got)
		if a, b := fmt.Sprint(got.Outcome, got.ExpiresAt), fmt.Sprint(Read(&credential, r, noon).Outcome, got.ExpiresAt); a != b {
			t.Errorf("read twice: %s and %s", a, b)
		}
	})
}
