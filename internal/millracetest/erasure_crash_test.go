package millracetest_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A server that removes what is stored about a customer is killed at random moments. In the end nothing of that customer is
// left, and everything of the other.
func TestCrashErasure(t *testing.T) {
	if os.Getenv("MILLRACE_CRASHES") == "" {
		t.Skip("slow: the second look of an erasure comes after a minute; make crash runs it")
	}
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		const each, kills = 300, 12
		random, _ := seeded(t)
		node := millracetest.NewNode(t, binary, url, newKey())
		node.Start(t)
		node.WaitReady(t, time.Minute)
		client := millracetest.NewClient(node.Base, node.Token(t))
		hooks := millracetest.NewCollector()
		at := millracetest.Listen(t, hooks)
		create := func(path string, body map[string]any) string {
			t.Helper()
			var made struct{ ID, Secret string }
			post(t, client, path, body, &made)
			if made.Secret != "" {
				hooks.SetSecret("all", made.Secret)
			}
			return made.ID
		}
		create("/webhook", map[string]any{"target_url": at + "/all", "event_types": []string{"custom:x"}})
		integration := create("/integration", map[string]any{"name": "none", "config": map[string]any{"base_url": "https://api.example.com", "resources": map[string]any{}}})
		install := create("/environment-integration", map[string]any{"integration_id": integration})
		accounts := map[string]string{}
		for _, name := range []string{"gone", "kept"} {
			accounts[name] = create("/integrated-account", map[string]any{
				"tenant_id": name, "environment_integration_id": install, "authentication_method": "api_key", "context": map[string]any{"api_key": "k"},
			})
			for range each {
				create("/event", map[string]any{"event": "custom:x", "payload": map[string]any{"integrated_account_id": accounts[name], "word": "word of " + name}})
			}
		}
		db := millracetest.OpenStore(t, url)
		millracetest.Settle(t, db, time.Minute)

		if err := client.Send(t.Context(), http.MethodDelete, "/integrated-account/"+accounts["gone"], "", nil, nil); err != nil {
			t.Fatal(err)
		}
		for range kills {
			time.Sleep(time.Duration(random.Int64N(int64(700 * time.Millisecond))))
			node.Kill()
			node.Start(t)
		}
		node.WaitReady(t, time.Minute)
		millracetest.Wait(t, 4*time.Minute, func() (bool, any) {
			under := storetest.Strings(t, db, "SELECT id FROM erasure")
			return len(under) == 0, under
		})
		for query, most := range map[string]int{"SELECT payload FROM event WHERE event = 'custom:x'": each, "SELECT integrated_account_id FROM delivery WHERE event = 'custom:x'": each} {
			kept := 0
			for _, text := range storetest.Strings(t, db, query) {
				if strings.Contains(text, "word of gone") || strings.Contains(text, accounts["gone"]) {
					t.Errorf("%s: left of the customer that is gone: %s", query, text)
				}
				if strings.Contains(text, accounts["kept"]) {
					kept++
				}
			}
			if kept != most {
				t.Errorf("%s: %d rows of the other customer are left, want %d", query, kept, most)
			}
		}
		node.Stop(t)
	})
}
