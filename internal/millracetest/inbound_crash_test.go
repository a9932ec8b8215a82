package millracetest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A server that takes hooks is killed again and again. Providers send a hook again until the response is 200, as
// they do. In the end each hook has made one event.
func TestInboundHooksSurviveKills(t *testing.T) {
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		const senders, each, kills = 4, 30, 2
		node := millracetest.NewNode(t, binary, url, newKey())
		node.Start(t)
		node.WaitReady(t, time.Minute)
		client := millracetest.NewClient(node.Base, node.Token(t))
		connectSigned(t, client)
		var accepted atomic.Int64
		var group sync.WaitGroup
		for s := range senders {
			group.Go(func() {
				for i := range each {
					for !sendSigned(t, client, s*each+i) && t.Context().Err() == nil {
						time.Sleep(5 * time.Millisecond) // as long as the server is down
					}
					accepted.Add(1)
				}
			})
		}
		for k := range int64(kills) {
			millracetest.Wait(t, time.Minute, func() (bool, any) {
				n := accepted.Load()
				return n >= (k+1)*senders*each/(kills+1), n
			})
			node.Kill()
			node.Start(t)
			node.WaitReady(t, time.Minute)
		}
		group.Wait()
		millracetest.Settle(t, millracetest.OpenStore(t, url), time.Minute)
		events, err := client.List(t.Context(), "/event?event=record:created")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, e := range events {
			payload, _ := e["payload"].(map[string]any)
			seen[fmt.Sprint(payload["id"])]++
		}
		for i := range senders * each {
			if n := seen[strconv.Itoa(i)]; n != 1 {
				t.Errorf("hook %d made %d events, want 1", i, n)
			}
		}
		node.Stop(t)
	})
}

// connectSigned makes an account whose hooks are signed and make an event each.
func connectSigned(t *testing.T, c *millracetest.Client) {
	t.Helper()
	var integration, install struct{ ID string }
	for _, step := range []struct {
		path string
		body func() map[string]any
		out  any
	}{
		{"/integration", func() map[string]any {
			return map[string]any{"name": "issues", "config": map[string]any{"base_url": "https://api.example.com", "webhook": map[string]any{
				"payload_transform":      `{ "event_type": "created", "id": body.n }`,
				"signature_verification": map[string]any{"format": "github", "config": map[string]any{"secret": "{{hook_secret}}"}},
			}}}
		}, &integration},
		{"/environment-integration", func() map[string]any { return map[string]any{"integration_id": integration.ID} }, &install},
		{"/integrated-account", func() map[string]any {
			return map[string]any{
				"id": hookAccount, "tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key",
				"context": map[string]any{"hook_secret": "theirs"},
			}
		}, nil},
	} {
		if err := c.Post(t.Context(), step.path, step.body(), step.out); err != nil {
			t.Fatal(err)
		}
	}
}

// sendSigned sends a hook and reports whether the response is 200. Any other response than that the server is
// stopping or down is an error.
func sendSigned(t *testing.T, c *millracetest.Client, n int) bool {
	t.Helper()
	body := fmt.Appendf(nil, `{"n":%d}`, n)
	mac := hmac.New(sha256.New, []byte("theirs"))
	mac.Write(body)
	status, response, err := c.CallAs(t.Context(), http.MethodPost, "/integrated-account-webhook/"+hookAccount, http.Header{
		"Content-Type": {"application/json"}, "X-Github-Delivery": {strconv.Itoa(n)},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}, body)
	if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
		t.Errorf("hook %d got %d %s", n, status, response)
	}
	return err == nil && status == http.StatusOK
}
