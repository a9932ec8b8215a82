package fetch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
)

// TestNoPartOfASecretIsLeftAtTheCut puts a secret everywhere around the end of what is kept of a response.
func TestNoPartOfASecretIsLeftAtTheCut(t *testing.T) {
	t.Parallel()
	const key = "a-long/secret-that-is-cut"
	at, echo := 0, key
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, strings.Repeat(".", at)+echo+strings.Repeat(".", maxRaw))
	})
	cfg := oneMethod(t, u.URL, "", `{"path":"/x"}`)
	escaped := strings.ReplaceAll(key, "/", `\u002F`)
	for _, echo = range []string{key, escaped, base64.StdEncoding.EncodeToString([]byte(key))} {
		for _, at = range []int{
			maxRaw - len(echo) - 1, maxRaw - len(echo), maxRaw - len(echo) + 1, maxRaw - len(echo)/2, maxRaw - 1, maxRaw,
			maxMessage - len(echo) - 1, maxMessage - len(echo)/2, 4*maxMessage - len(echo)/2,
		} {
			o := fetchAny(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"api_key": key}})
			if left := strings.Trim(string(o.Raw), ".*"); left != "" || len(o.Raw) > maxRaw+3 {
				t.Errorf("%d bytes before %s: %d bytes with %q", at, echo, len(o.Raw), left)
			}
			if left := strings.Trim(o.Message, ".*…"); left != "" {
				t.Errorf("%d bytes before %s: the message has %q", at, echo, left)
			}
		}
	}
}

func TestEchoesInData(t *testing.T) {
	t.Parallel()
	const key = "echoed/secret+value"
	body := fmt.Sprintf(`{"items":[{"a":%q,"b":"echoed\/secret+value","c":"%s","d":12,%q:1},"xx"]}`, key, base64.URLEncoding.EncodeToString([]byte("u:"+key)), key)
	u := newUpstream(t, respondJSON(200, body))
	cfg := oneMethod(t, u.URL, "", `{"path":"/x","response_path":"items"}`)
	for _, echoes := range []bool{false, true} {
		o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"api_key": key}, Echoes: echoes})
		wantJSON(t, "data", o.Data, `[{"a":"***","b":"***","c":"dT***","d":12,"***":1},"xx"]`)
		if strings.Contains(string(o.Body), "secret") || !json.Valid(o.Body) {
			t.Errorf("got the body %s", o.Body)
		}
	}
	u = newUpstream(t, respondJSON(200, `{"c":"`+base64.StdEncoding.EncodeToString([]byte(key))+`","short":"pin1"}`))
	cfg = oneMethod(t, u.URL, "", `{"path":"/x"}`)
	o := fetchOK(t, newFetcher(t), Request{Integration: cfg, Context: map[string]any{"api_key": key, "password": "pin1"}, Echoes: true})
	wantJSON(t, "data", o.Data, `{"c":"***","short":"pin1"}`)
}

// TestErrorsOfExpressionsQuoteNoSecret: what an expression does to a secret before it fails does not matter.
func TestErrorsOfExpressionsQuoteNoSecret(t *testing.T) {
	t.Parallel()
	const key = "zebra-quartz-lion-9"
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		respondJSON(200, fmt.Sprintf(`{"echo":%q,"pad":"0123456789012345678901234567890123456789012345%s"}`, r.Header.Get("X-Key"), key))(w, r)
	})
	for _, source := range []string{
		`$number(context.password)`, `$error(context.password)`, `$assert(false, 'bad ' & context.password)`, `$eval(context.password & ' (')`,
		`$error($substring(context.password, 0, 12))`, `$error($join($reverse($split(context.password, ''))))`, `context.password + 1`, `$toMillis(context.password)`,
		`$number('0123456789012345678901234567890123456789012345678' & context.password)`, `-context.password`, `{context.password: 1, $uppercase($lowercase(context.password)): 2, $x: 3}`,
		`$eval('$error(context.password)')`, `$formatNumber(1, context.password)`, `context.password()`, `$sort([context.password, {}])`, `$parseInteger('x', context.password)`,
	} {
		quoted, _ := json.Marshal(source)
		top := `"headers":{"X-Key":"{{password}}"},"authorization":{"format":"header","config":{"expression":` + string(quoted) + `}}`
		checkDiscreet(t, oneMethod(t, u.URL, top, `{"path":"/x"}`), source, key)
		checkDiscreet(t, oneMethod(t, u.URL, "", `{"method":"post","path":"/x","body":`+string(quoted)+`}`), source, key)
	}
	for _, source := range []string{`$number(response.echo)`, `$error(response.echo)`, `$number(response.pad)`, `$error(response.pad)`} {
		quoted, _ := json.Marshal(source)
		checkDiscreet(t, oneMethod(t, u.URL, `"headers":{"X-Key":"{{password}}"},"error_expression":`+string(quoted), `{"path":"/x"}`), source, key)
	}
	cfg := oneMethod(t, u.URL, `"authorization":{"format":"header","config":{"expression":"$error('there is no plan')"}}`, `{"path":"/x"}`)
	_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list", Context: map[string]any{"password": key}})
	if err == nil || !strings.Contains(err.Error(), "there is no plan") {
		t.Errorf("got %v, want the message of the author", err)
	}
}

func checkDiscreet(t *testing.T, cfg *config.Config, source, key string) {
	t.Helper()
	o, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list", Context: map[string]any{"password": key}})
	seen := fmt.Sprintf("%v %s", err, o.Message)
	if e, ok := errors.AsType[*millrace.Error](err); ok {
		seen += fmt.Sprintf("%+v", e.Failures)
	}
	for n := range len(key) - 5 {
		if piece := key[n : n+6]; strings.Contains(strings.ToLower(seen), piece) || strings.Contains(seen, reversed(piece)) {
			t.Errorf("%s: %q shows in %s", source, piece, seen)
			return
		}
	}
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func TestCursorsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	const key = "cursor-secret/value"
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%s9&key=%s>; rel="next"`, r.Host, r.URL.EscapedPath(), r.URL.Query().Get("page"), "cursor-secret%2Fvalue"))
		respondJSON(200, `[1]`)(w, r)
	})
	cfg := oneMethod(t, u.URL, `"pagination":{"format":"link_header"},"query":{"key":"{{api_key}}"}`, `{"path":"/bot{{api_key}}/x"}`)
	req := Request{Integration: cfg, Context: map[string]any{"api_key": key}}
	o := fetchOK(t, newFetcher(t), req)
	plain, err := base64.RawURLEncoding.DecodeString(o.NextCursor)
	if err != nil || strings.Contains(string(plain), "secret") || !strings.Contains(string(plain), "page=9") {
		t.Fatalf("got the cursor %s, %v", plain, err)
	}
	req.Cursor = o.NextCursor
	o = fetchOK(t, newFetcher(t), req)
	if r, _ := u.last(t); r.URL.Query().Get("key") != key || r.URL.Query().Get("page") != "9" || r.URL.Path != "/bot"+key+"/x" || o.NextCursor == "" {
		t.Errorf("the next request was %s", r.URL)
	}
}

func TestCredentialsOfHooks(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`"format":"github","config":{"secret":"s"}`:                                   "[$header.x-hub-signature $header.x-hub-signature-256]",
		`"format":"hmac","config":{"secret":"s","compare_with":"v0=$header.X-Proof"}`: "[$header.x-proof]",
		`"format":"bearer","config":{"secret":"s","compare_with":"$query.token"}`:     "[$query.token]",
		`"format":"bearer","config":{"secret":"s"}`:                                   "[]",
		`"format":"standard","config":{"secret":"s"}`:                                 "[$header.webhook-signature $header.svix-signature]",
		`"format":"stripe","config":{"secret":"s"}`:                                   "[$header.stripe-signature]",
	} {
		cfg, err := config.Parse(json.RawMessage(`{"base_url":"https://a.test","webhook":{"signature_verification":{` + source + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cfg.Hook.Credentials()); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}
