package millracetest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

const hookAccount = "acc00000-0000-4000-8000-000000000001"

// hooked is a server with an account whose integration takes a bearer token in its hooks.
type hooked struct {
	*millracetest.Server
	t       *testing.T
	install string
}

func newHooked(t *testing.T, url string, change func(*server.Options)) *hooked {
	t.Helper()
	h := &hooked{Server: millracetest.Start(t, url, change), t: t}
	var integration, install struct{ ID string }
	h.must(h.Post(t.Context(), "/integration", map[string]any{"name": "issues", "config": map[string]any{
		"base_url": "https://api.example.com",
		"webhook": map[string]any{
			"handle_verification": `query.challenge ? { "type": "verify", "verification_response": { "body": query.challenge, "headers": { "Content-Type": "text/html" } } }`,
			"payload_transform":   `{ "event_type": "updated", "resource_type": $type(body), "resource_id": body.id, "raw": body }`,
			"signature_verification": map[string]any{"format": "bearer", "config": map[string]any{
				"secret": "{{hook_secret}}", "context_lookup_field_name": "team", "context_lookup_field_value": "$query.team",
			}},
		},
	}}, &integration))
	h.must(h.Post(t.Context(), "/environment-integration", map[string]any{"integration_id": integration.ID}, &install))
	h.install = install.ID
	h.must(h.Post(t.Context(), "/integrated-account", map[string]any{
		"id": hookAccount, "tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key",
		"context": map[string]any{"hook_secret": "theirs", "team": "T1"},
	}, nil))
	return h
}

func (h *hooked) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// hook sends a hook and wants a status and a part of the response.
func (h *hooked) hook(method, path, contentType, token, body string, status int, says string) {
	h.t.Helper()
	header := http.Header{"Content-Type": {contentType}, "Authorization": {"Bearer " + token}}
	got, response, err := h.CallAs(h.t.Context(), method, path, header, []byte(body))
	h.must(err)
	if got != status || !strings.Contains(string(response), says) {
		h.t.Errorf("%s %s %.60s: got %d %.200s, want %d with %q", method, path, body, got, response, status, says)
	}
}

func TestInboundHooksOverHTTP(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		h := newHooked(t, url, nil)
		path, installed := "/integrated-account-webhook/"+hookAccount, "/environment-integration-webhook/"+h.install
		h.hook("POST", path, "application/json", "theirs", `{"id":1,"kind":"json"}`, 200, `"success":true`)
		h.hook("POST", path, "application/x-www-form-urlencoded", "theirs", "id=2&kind=form", 200, "")
		h.hook("POST", path, "application/xml", "theirs", "<id>3</id>", 200, "")
		h.hook("POST", path, "text/plain", "theirs", "four", 200, "")
		h.hook("POST", installed+"?team=T1", "application/json", "theirs", `{"id":5}`, 200, "")
		h.hook("POST", strings.ToUpper(path[:1])+path[1:len(path)-1]+"2", "text/plain", "theirs", "x", 404, "there is nothing here")
		h.hook("POST", "/integrated-account-webhook/x", "text/plain", "theirs", "x", 404, "there is nothing here")
		h.hook("POST", "/environment-integration-webhook/"+hookAccount, "text/plain", "theirs", "x", 404, "there is nothing here")
		h.hook("POST", path, "text/plain", "guessed", "x", 401, "the token is wrong")
		h.hook("POST", installed+"?team=T2", "text/plain", "theirs", "x", 401, "cannot be checked")
		h.hook("PUT", path, "text/plain", "theirs", "x", 405, "")
		h.hook("GET", path, "", "theirs", "", 405, "handle_verification")
		h.hook("GET", path+"?challenge=abc", "", "", "", 200, "abc")
		h.hook("POST", path, "text/plain", "theirs", strings.Repeat("x", 4<<20+1), 413, "larger")
		millracetest.Settle(t, millracetest.OpenStore(t, url), time.Minute)
		events, err := h.List(t.Context(), "/event?event=record:updated")
		h.must(err)
		shapes := map[string]int{}
		for _, e := range events {
			payload, _ := e["payload"].(map[string]any)
			shapes[fmt.Sprint(payload["resource_type"])]++
		}
		if len(events) != 5 || shapes["object"] != 4 || shapes["string"] != 1 {
			t.Errorf("got %d events about %v, want 5 about four objects and a text", len(events), shapes)
		}
		h.hidden()
	})
}

// hidden checks that no list and no hook shows what a provider proves itself with.
func (h *hooked) hidden() {
	h.t.Helper()
	hooks, err := h.List(h.t.Context(), "/inbound-hook?integrated_account_id="+hookAccount)
	h.must(err)
	for _, hook := range hooks {
		_, one, err := h.Call(h.t.Context(), "GET", fmt.Sprint("/inbound-hook/", hook["id"]), "", nil)
		h.must(err)
		if bytes.Contains(one, []byte("theirs")) || bytes.Contains(one, []byte("guessed")) {
			h.t.Errorf("the hook shows a token: %s", one)
		}
	}
	_, config, err := h.Call(h.t.Context(), "GET", "/integration", "", nil)
	h.must(err)
	if bytes.Contains(config, []byte("{{hook_secret}}")) {
		h.t.Errorf("the integration shows the key of the signature: %s", config)
	}
}

func TestInboundHooksAreLimited(t *testing.T) {
	t.Parallel()
	h := newHooked(t, storetest.SQLite(t), func(o *server.Options) { o.InboundLimit = 3 })
	path := "/integrated-account-webhook/" + hookAccount
	for range 3 {
		h.hook("POST", path, "text/plain", "guessed", "x", 401, "")
	}
	h.hook("POST", path, "text/plain", "theirs", "x", 429, "wait 10 seconds")
	h.hook("POST", "/environment-integration-webhook/"+h.install+"?team=T1", "text/plain", "theirs", "x", 200, "")
}
