package millracetest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestNoSecretIsSeen plants a random value wherever a secret may be, drives everything that could show one, and looks for the
// values in every response of the API, every delivery, the log of the server and the database at rest.
func TestNoSecretIsSeen(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		w := newSweep(t, url, rand.New(rand.NewPCG(seed, 1)))
		w.plant()
		w.drive()
		w.look()
	})
}

// sweep is a server with secrets in all places.
type sweep struct {
	*millracetest.Server
	t        *testing.T
	canaries map[string]string
	random   *rand.Rand
	log      *buffer
	received *buffer
	dir      string
	url      string // of the database
	account  string
	install  string
	job      string
	webhook  string

	destinations []string
	mails        *mailbox
}

// buffer keeps what is written at the same time.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

func newSweep(t *testing.T, dbURL string, random *rand.Rand) *sweep {
	w := &sweep{t: t, canaries: map[string]string{}, random: random, log: &buffer{}, received: &buffer{}, url: dbURL, mails: &mailbox{}}
	mail := serveMail(t, w.mails)
	w.Server = millracetest.Start(t, dbURL, func(o *server.Options) {
		o.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.SMTP = &server.SMTP{Host: "127.0.0.1", Port: mail, From: "millrace@acme.example", TLS: "none"}
		o.Limits.AuthWait = -1 // credentials that are rejected are an error at once
		w.dir = o.DataDir
	})
	return w
}

// secret makes a secret for a place. Its letters need no escapes, so that the search is simple; the encodings of others are
// those of the tests of the scrubber.
func (w *sweep) secret(place string) string {
	if w.canaries[place] == "" {
		const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
		b := []byte("cNry")
		for range 20 {
			b = append(b, letters[w.random.IntN(len(letters))])
		}
		w.canaries[place] = string(b)
	}
	return w.canaries[place]
}

func (w *sweep) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// provider echoes the request, in many encodings.
func (w *sweep) provider() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var seen []string
		for _, name := range []string{"Authorization", "X-Pat", "X-Pin"} {
			if v := r.Header.Get(name); v != "" {
				seen = append(seen, v, strings.TrimPrefix(v, "Bearer "))
			}
		}
		seen = append(seen, r.URL.Query().Get("key"))
		var echo []string
		for _, v := range seen {
			escaped := ""
			for _, c := range v {
				escaped += fmt.Sprintf(`\u%04x`, c)
			}
			echo = append(echo, v, strings.ToUpper(v), base64.StdEncoding.EncodeToString([]byte(v)), base64.URLEncoding.EncodeToString([]byte("x"+v)),
				base64.RawStdEncoding.EncodeToString([]byte("xy"+v)), hex.EncodeToString([]byte(v)), url.QueryEscape(v), strings.ReplaceAll(url.QueryEscape(escaped), "%5C", `\`))
		}
		body, _ := json.Marshal(map[string]any{"message": strings.Join(echo, " "), "items": []any{map[string]any{"id": 1, "echo": echo}}, "raw": escapedText(echo)})
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Echo", strings.Join(seen, " "))
		rw.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2&key=%s>; rel="next"`, r.Host, r.URL.Path, url.QueryEscape(r.URL.Query().Get("key"))))
		if strings.HasSuffix(r.URL.Path, "/denied") {
			rw.WriteHeader(http.StatusUnauthorized)
		}
		if strings.HasSuffix(r.URL.Path, "/cut") {
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write([]byte(strings.Repeat(".", 16<<10-12) + seen[0]))
			return
		}
		_, _ = rw.Write(body)
	})
}

func escapedText(list []string) string {
	raw, _ := json.Marshal(list)
	return string(raw)
}

// plant creates everything, with secrets in all declared places.
func (w *sweep) plant() {
	ctx := w.t.Context()
	base := millracetest.Listen(w.t, w.provider())
	webhooks := millracetest.Listen(w.t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 64<<20))
		if err != nil {
			w.t.Errorf("read a delivery: %v", err)
		}
		_ = r.Header.Write(w.received)
		_, _ = w.received.Write(body)
		if strings.HasPrefix(r.URL.Path, "/echo/") { // an error that repeats the address, which is the credential
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(rw, "no such channel: %s and %s", r.URL.Path, base64.StdEncoding.EncodeToString([]byte(r.URL.Path)))
		}
	}))
	w.notify(webhooks)
	var hook, integration, install, job struct{ ID string }
	w.must(w.Post(ctx, "/webhook", map[string]any{"target_url": webhooks + "/all", "event_types": []string{
		"integrated_account:created", "integrated_account:updated", "integrated_account:active", "integrated_account:authentication_error",
		"integrated_account:reactivated", "environment_integration:created", "environment_integration:updated", "sync_job_run:failed",
		"sync_job_run:completed", "sync_job_run:record_error", "record:updated", "custom:ping",
	}}, &hook))
	w.webhook = hook.ID
	w.must(w.Post(ctx, "/integration", map[string]any{"name": "sweep", "config": w.config(base)}, &integration))
	w.must(w.Post(ctx, "/environment-integration", map[string]any{"integration_id": integration.ID, "override": map[string]any{
		"secret_environment_variables": map[string]any{"DEEP": w.secret("secret environment variable")},
		"environment_variables":        map[string]any{"SIGNING": w.secret("environment variable of the signature"), "REGION": "eu"},
		"credentials":                  map[string]any{"oauth2": map[string]any{"format": "oauth2", "config": map[string]any{"auth": map[string]any{"tokenHost": "https://t.test"}, "client": map[string]any{"id": "app", "secret": w.secret("client secret of an override")}}}},
	}}, &install))
	w.install = install.ID
	var account struct{ ID string }
	w.must(w.Post(ctx, "/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key", "context": map[string]any{
			"api_key": w.secret("fixed path"), "pat": w.secret("password field"), "pin": w.secret("secret field"), "hook_secret": w.secret("signature"),
			"auth": map[string]any{"signing": w.secret("nested signature"), "plan": "pro"}, "oauth": map[string]any{"token": map[string]any{"access_token": w.secret("access token"), "token_type": "Bearer"}},
			"subdomain": "acme",
		},
		"integration_override": map[string]any{
			"secret_environment_variables": map[string]any{"OWN": w.secret("variable of an account's override")},
			"headers":                      map[string]any{"X-Own-Token": w.secret("header of an account's override")},
		},
	}, &account))
	w.account = account.ID
	w.must(w.Post(ctx, "/sync-job", map[string]any{
		"label": "Sweep", "integration_name": "sweep", "default_runtime_version": 4, "error_handling": "ignore",
		"args_schema": map[string]any{
			"integrated_account_id": map[string]any{"type": "string", "format": "integrated_account_id", "required": true},
			"webhook_id":            map[string]any{"type": "string", "format": "webhook_id", "required": true}, "all": map[string]any{"type": "string"},
		},
		"resources": []any{
			map[string]any{"name": "echo", "type": "request", "resource": "things", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}"},
			map[string]any{"name": "denied", "type": "request", "resource": "things", "method": "denied", "integrated_account_id": "{{args.integrated_account_id}}"},
			map[string]any{"name": "cut", "type": "request", "resource": "things", "method": "cut", "integrated_account_id": "{{args.integrated_account_id}}"},
			map[string]any{"name": "turns", "type": "request", "resource": "turns", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}"},
			map[string]any{"name": "seen", "type": "transform", "depends_on": "echo", "config": map[string]any{"expression": "{'all': $string($), 'echo': resources.echo}"}},
			map[string]any{"name": "out", "type": "destination", "destination_type": "webhook", "config": map[string]any{"id": "{{args.webhook_id}}"}, "resources_to_persist": []string{"echo", "seen", "turns"}},
		},
	}, &job))
	w.job = job.ID
	w.must(w.Post(ctx, "/workflow", map[string]any{"label": "Everything", "trigger_name": "custom:ping", "config": map[string]any{
		"run_if": "$contains($string($), 'ping')",
		"steps": []any{map[string]any{"type": "run", "action": "run_sync_job", "config": fmt.Sprintf(
			"{'sync_job_id': %q, 'integrated_account_id': integrated_account_id, 'webhook_id': %q, 'args': {'all': $string($)}}", job.ID, hook.ID)}},
	}}, nil))
}

// notify makes destinations of notifications: of one the server is not there, and one repeats its address in an error.
func (w *sweep) notify(at string) {
	events := []string{"sync_job_run:completed", "sync_job_run:failed", "integrated_account:authentication_error", "custom:ping"}
	for place, config := range map[string]map[string]any{
		"slack":   {"webhook_url": at + "/slack/" + w.secret("address of a Slack channel")},
		"echo":    {"webhook_url": at + "/echo/" + w.secret("address of a Slack channel that echoes")},
		"closed":  {"webhook_url": "http://127.0.0.1:1/" + w.secret("address of a Slack channel that is not there")},
		"webhook": {"target_url": at + "/hook", "secret": w.secret("secret of a destination")},
		"email":   {"to": []string{"ada@acme.example"}},
	} {
		kind := "slack"
		if place == "webhook" || place == "email" {
			kind = place
		}
		var made struct{ ID string }
		w.must(w.Post(w.t.Context(), "/notification-destination", map[string]any{"type": kind, "label": place, "config": config, "event_types": events}, &made))
		w.destinations = append(w.destinations, made.ID)
	}
}

func (w *sweep) config(base string) map[string]any {
	method := func(path string) map[string]any {
		return map[string]any{"method": "get", "path": path, "response_path": "items"}
	}
	// Its cursors hold what was sent and what came back.
	dynamic := method("/turns")
	dynamic["pagination"] = map[string]any{"format": "dynamic", "config": map[string]any{"get_pagination_values_expression": `(
		$n := (paginationValues.query.n ? $number(paginationValues.query.n) : 0) + 1;
		$n > 2 ? null : { "query": { "n": $n, "after": query.key }, "sent": $string(context), "echo": $lookup(headers, "x-echo") }
	)`}}
	return map[string]any{
		"label": "Sweep", "base_url": base, "headers": map[string]any{"X-Pat": "{{pat}}", "X-Pin": "{{pin}}", "X-Api-Key": w.secret("header that is written out")},
		"query": map[string]any{"key": "{{api_key}}"},
		"credentials": map[string]any{"api_key": map[string]any{"format": "api_key", "config": map[string]any{"fields": []any{
			map[string]any{"name": "subdomain", "label": "Subdomain", "type": "text"},
			map[string]any{"name": "pat", "label": "Token", "type": "password", "default": w.secret("default of a field")},
			map[string]any{"name": "pin", "label": "PIN", "type": "text", "secret": true},
		}}}},
		"authorization": map[string]any{"format": "bearer", "config": map[string]any{"token": "{{oauth.token.access_token}}"}},
		"pagination":    map[string]any{"format": "link_header", "config": map[string]any{}},
		"resources": map[string]any{
			"things": map[string]any{"list": method("/things"), "denied": method("/denied"), "cut": method("/cut")},
			"turns":  map[string]any{"list": dynamic},
		},
		"actions": map[string]any{"whoami": map[string]any{"steps": []any{
			map[string]any{"type": "request", "config": map[string]any{"path": "/things"}},
			map[string]any{"type": "transform", "config": map[string]any{"expression": "{'all': $string($), 'previous': previous}"}},
		}}},
		"webhook": map[string]any{
			"payload_transform": `{ "event_type": "updated", "resource_type": "things", "resource_id": "1", "raw": { "all": $string($), "headers": headers, "query": query } }`,
			"signature_verification": map[string]any{"format": "hmac", "config": map[string]any{
				"secret": "{{hook_secret}}", "parts": []any{"{{auth.signing}}", "{{environment_variables.SIGNING}}", "$body"}, "compare_with": "$header.x-proof", "string_type": "hex",
			}},
		},
	}
}

// drive makes everything happen that could show a secret.
func (w *sweep) drive() {
	ctx := w.t.Context()
	w.must(w.Send(ctx, http.MethodPatch, "/integrated-account/"+w.account, "application/json", []byte(`{"context":{"pat":"`+w.secret("patched field")+`","plan":"free"}}`), nil))
	w.must(w.Send(ctx, http.MethodPatch, "/integrated-account/"+w.account+"/credentials", "application/json", []byte(`{"context":{"pin":"`+w.secret("reconnected field")+`"}}`), nil))
	w.must(w.Send(ctx, http.MethodPatch, "/environment-integration/"+w.install, "application/json", []byte(`{"show_in_catalog":false}`), nil))
	w.must(w.Send(ctx, http.MethodPatch, "/environment-integration/"+w.install, "application/json", []byte(`{"override":{"secret_environment_variables":{"DEEP":"`+
		w.secret("changed secret environment variable")+`"},"environment_variables":{"SIGNING":"`+w.secret("environment variable of the signature")+`","REGION":"us"}}}`), nil))
	w.must(w.Send(ctx, http.MethodPatch, "/webhook/"+w.webhook, "application/json", []byte(`{"secret":"`+w.secret("changed secret of a webhook")+`"}`), nil))
	for _, path := range []string{"/proxy/things?x=1", "/proxy/things?truto_response_format=raw", "/custom/anything?limit=5", "/custom/cut", "/custom/denied"} {
		w.call(http.MethodGet, path, nil)
	}
	w.call(http.MethodPost, "/proxy/things/denied", []byte(`{}`))
	w.turns()
	for _, id := range w.destinations {
		_, response, err := w.Call(ctx, http.MethodPost, "/notification-destination/test", "application/json", []byte(`{"id":"`+id+`"}`))
		w.must(err)
		w.check("the response to the test of a destination", response)
	}
	w.call(http.MethodPost, "/proxy/_/whoami", []byte(`{}`))
	w.call(http.MethodPost, "/custom/x", []byte(`{"methodConfig":{"base_url":"http://10.1.2.3:8","path":"/{{pat}}"}}`))
	w.call(http.MethodPost, "/custom/x", []byte(`{"methodConfig":{"authorization":{"format":"header","config":{"expression":"$number(context.pat)"}}}}`))
	w.call(http.MethodPost, "/custom/x", []byte(`{"methodConfig":{"body":"$error(context.pat)"}}`))
	digest := hmac.New(sha256.New, []byte(w.secret("signature")))
	_, _ = digest.Write([]byte(w.secret("nested signature") + w.secret("environment variable of the signature") + `{"a":1}`))
	for _, proof := range []string{hex.EncodeToString(digest.Sum(nil)), w.secret("wrong proof of a hook")} {
		header := http.Header{
			"Content-Type": {"application/json"}, "X-Proof": {proof}, "Authorization": {"Bearer " + w.secret("authorization of a hook")},
			"Cookie": {"sid=" + w.secret("cookie of a hook")}, "X-Hook-Token": {w.secret("token of a hook")},
		}
		_, response, err := w.CallAs(ctx, http.MethodPost, "/integrated-account-webhook/"+w.account+"?token="+w.secret("query of a hook"), header, []byte(`{"a":1}`))
		w.must(err)
		w.check("the response to a hook", response)
	}
	w.must(w.Post(ctx, "/event", map[string]any{"event": "custom:ping", "payload": map[string]any{"integrated_account_id": w.account, "ping": true}}, nil))
	millracetest.Wait(w.t, time.Minute, func() (bool, any) {
		hooks, err := w.List(ctx, "/inbound-hook?status=processed")
		w.must(err)
		return len(hooks) > 0, hooks
	})
	millracetest.Wait(w.t, time.Minute, func() (bool, any) {
		runs, err := w.List(ctx, "/sync-job-run")
		w.must(err)
		return len(runs) > 0 && (runs[0]["status"] == "completed" || runs[0]["status"] == "failed"), runs
	})
	w.stopFailing()
	millracetest.Settle(w.t, millracetest.OpenStore(w.t, w.url), time.Minute)
}

// stopFailing waits until the two destinations that fail have failed, and ends that.
func (w *sweep) stopFailing() {
	w.t.Helper()
	var failing []string
	millracetest.Wait(w.t, time.Minute, func() (bool, any) {
		list, err := w.List(w.t.Context(), "/notification-destination")
		w.must(err)
		failing = nil
		for _, d := range list {
			if d["failing_since"] != nil {
				failing = append(failing, fmt.Sprint(d["id"]))
			}
		}
		return len(failing) == 2, list
	})
	for _, id := range failing {
		w.must(w.Send(w.t.Context(), http.MethodPatch, "/notification-destination/"+id, "application/json", []byte(`{"is_active":false}`), nil))
	}
}

// turns follows a list whose cursors hold secrets.
func (w *sweep) turns() {
	w.t.Helper()
	next, pages := "", 0
	for {
		response := w.call(http.MethodGet, "/proxy/turns?limit=5&next_cursor="+url.QueryEscape(next), nil)
		var page struct {
			Next *string `json:"next_cursor"`
		}
		w.must(json.Unmarshal(response, &page))
		pages++
		if page.Next == nil || pages > 3 {
			break
		}
		next = *page.Next
	}
	if pages != 3 {
		w.t.Errorf("got %d pages of the list with secrets in its cursors, want 3", pages)
	}
}

// call makes a call for the account; no response may show a secret.
func (w *sweep) call(method, path string, body []byte) []byte {
	w.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	_, response, err := w.Call(w.t.Context(), method, path+sep+"integrated_account_id="+w.account, "application/json", body)
	w.must(err)
	w.check(method+" "+path, response)
	if bytes.Contains(response, []byte(`"next_cursor":"`)) {
		var page struct {
			Next string `json:"next_cursor"`
		}
		w.must(json.Unmarshal(response, &page))
		raw, err := base64.RawURLEncoding.DecodeString(page.Next[11:]) // behind its checksum
		w.must(err)
		w.check("the cursor of "+path, raw)
	}
	return response
}

// look searches all there is to see.
func (w *sweep) look() {
	w.check("the log", w.log.bytes())
	w.check("what webhooks received", w.received.bytes())
	if len(w.received.bytes()) < 1000 || !bytes.Contains(w.received.bytes(), []byte("sync_job_run")) {
		w.t.Errorf("webhooks received too little: %s", w.received.bytes())
	}
	// Long lines of mails are broken anywhere.
	mails := strings.ReplaceAll(strings.ReplaceAll(strings.Join(w.mails.all(), "\n"), "=\r\n", ""), "=\n", "")
	w.check("mails", []byte(mails))
	for _, event := range []string{"custom:ping", "sync_job_run"} {
		if !strings.Contains(mails, event) {
			w.t.Errorf("no mail is about %s: %s", event, mails)
		}
	}
	spec, err := os.ReadFile("../../docs/openapi.json")
	w.must(err)
	var api struct{ Paths map[string]map[string]any }
	w.must(json.Unmarshal(spec, &api))
	seen := 0
	for path, methods := range api.Paths {
		if methods["get"] == nil || strings.Contains(path, "{") || strings.Contains(path, "metrics") {
			continue
		}
		if path != "/log" {
			seen += w.list(path)
		}
	}
	for name, least := range map[string]int{"rapid_bridge": 5, "webhook": 5, "sync_job_cron_trigger": 0, "unified_proxy_api": 5} {
		if n := w.list("/log?log_type=" + name); n < least {
			w.t.Errorf("the log %s has %d entries only", name, n)
		}
	}
	for _, path := range []string{"/integration/sweep", "/integration/sweep/capabilities", "/integrated-account/" + w.account + "/capabilities"} {
		w.get(path)
	}
	if seen < 10 {
		w.t.Errorf("only %d objects were looked at", seen)
	}
	w.atRest()
}

// list looks at a list and at each object of it.
func (w *sweep) list(path string) int {
	var page struct{ Result []struct{ ID string } }
	_ = json.Unmarshal(w.get(path), &page)
	for _, item := range page.Result {
		if strings.HasPrefix(path, "/log") {
			continue
		}
		for _, more := range []string{"", "/fires", "/capabilities"} {
			w.get(path + "/" + item.ID + more)
		}
		if path == "/sync-job-run" {
			w.get("/log?log_type=rapid_bridge&log_type_filter[sync_job_run_id]=" + item.ID)
		}
	}
	return len(page.Result)
}

func (w *sweep) get(path string) []byte {
	_, response, err := w.Call(w.t.Context(), http.MethodGet, path, "", nil)
	w.must(err)
	w.check("GET "+path, response)
	return response
}

// atRest searches the files of SQLite, or every row of PostgreSQL.
func (w *sweep) atRest() {
	if !strings.HasPrefix(w.url, "postgres") {
		files, err := filepath.Glob(filepath.Join(w.dir, "millrace.db*"))
		w.must(err)
		for _, name := range files {
			raw, err := os.ReadFile(name)
			w.must(err)
			w.check(filepath.Base(name), raw)
		}
		return
	}
	conn, err := pgx.Connect(w.t.Context(), w.url)
	w.must(err)
	defer func() { _ = conn.Close(w.t.Context()) }()
	rows, err := conn.Query(w.t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name")
	w.must(err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.must(err)
	for _, table := range tables {
		rows, err := conn.Query(w.t.Context(), "SELECT t::text FROM "+pgx.Identifier{table}.Sanitize()+" AS t")
		w.must(err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		w.must(err)
		w.check("table "+table, []byte(strings.Join(texts, "\n")))
	}
}

// check looks for every secret in clear, in any case, in base64 at each offset and in hexadecimal digits.
func (w *sweep) check(where string, text []byte) {
	w.t.Helper()
	lower := bytes.ToLower(text)
	for place, secret := range w.canaries {
		forms := [][]byte{[]byte(strings.ToLower(secret)), []byte(hex.EncodeToString([]byte(secret))), []byte(hex.EncodeToString([]byte(strings.ToUpper(secret))))}
		for _, form := range forms {
			if at := bytes.Index(lower, form); at >= 0 {
				w.t.Errorf("%s shows the %s: ...%s", where, place, text[max(0, at-60):min(len(text), at+60)])
			}
		}
		for offset := range 3 {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
			if at := bytes.Index(text, []byte(encoded[4:len(encoded)-1])); at >= 0 {
				w.t.Errorf("%s shows the %s in base64: ...%s", where, place, text[max(0, at-60):min(len(text), at+60)])
			}
		}
		if prefix := []byte(secret[:10]); bytes.Contains(text, prefix) {
			w.t.Errorf("%s shows the beginning of the %s", where, place)
		}
	}
}
