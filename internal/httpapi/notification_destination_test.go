package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const slackDestination = `{"type":"slack","label":"On call","config":{"webhook_url":"https://hooks.example/services/T1/KEY","ignored_status_codes":[404]}}`

func TestNotificationDestinations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.create("/notification-destination", slackDestination)
		id, _ := made.m["id"].(string)
		path := "/notification-destination/" + id
		hook := w.create("/webhook", `{"target_url":"https://example.com/in"}`)
		hookID, _ := hook.m["id"].(string)

		if got := shownAs(w.get(path).ok().m); !strings.Contains(got, "hooks.example/...") || !strings.Contains(got, "webhook:disabled") || !strings.Contains(got, "[404]") {
			t.Errorf("got %s", got)
		}
		// A client sends back what it was shown: the address stays.
		w.patch(path, `{"label":"B","is_active":false,"config":{"webhook_url":"https://hooks.example/..."}}`).ok()
		w.patch(path, `{"event_types":null,"is_active":true}`).ok()
		tested := w.post("/notification-destination/test", `{"id":"`+id+`"}`).ok()
		if tested.m["success"] != true {
			t.Errorf("test: %v", tested.m)
		}
		for _, shown := range []string{
			shownAs(made.m), shownAs(w.get(path).ok().m), shownAs(w.get("/notification-destination?type=slack").ok().m), shownAs(w.get("/webhook").ok().m),
		} {
			if strings.Contains(shown, "KEY") {
				t.Errorf("the address is shown: %s", shown)
			}
		}

		// A destination is no webhook, and a webhook no destination.
		if got := shownAs(w.get("/webhook").ok().m); strings.Contains(got, id) {
			t.Errorf("a destination is listed as a webhook: %s", got)
		}
		if got := shownAs(w.get("/notification-destination").ok().m); !strings.Contains(got, id) || strings.Contains(got, hookID) {
			t.Errorf("destinations: %s", got)
		}
		w.get("/webhook/" + id).rejected(404)
		w.patch("/webhook/"+id, `{"is_active":false}`).rejected(404)
		w.delete("/webhook/" + id).rejected(404)
		w.post("/webhook/test", `{"id":"`+id+`"}`).rejected(404, "id")
		w.post("/webhook/"+id+"/rotate-secret", `{}`).rejected(404)
		w.get("/notification-destination/" + hookID).rejected(404)
		w.patch("/notification-destination/"+hookID, `{"label":"x"}`).rejected(404)
		w.delete("/notification-destination/" + hookID).rejected(404)
		w.as(otherToken).get(path).rejected(404)
		w.as(otherToken).post("/notification-destination/test", `{"id":"`+id+`"}`).rejected(404, "id")
		w.as(otherToken).delete(path).rejected(404)

		w.delete(path).ok()
		w.get(path).rejected(404)
	})
}

func shownAs(v any) string {
	raw, err := json.Marshal(v)
	return fmt.Sprintf("%s %v", raw, err)
}

func TestASignedDestinationShowsItsSecretOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.create("/notification-destination", `{"type":"webhook","config":{"target_url":"https://example.com/n"}}`)
		config, _ := made.m["config"].(map[string]any)
		secret, _ := config["secret"].(string)
		if len(secret) != 36 {
			t.Fatalf("got %v", made.m)
		}
		id, _ := made.m["id"].(string)
		if got := shownAs(w.get("/notification-destination/" + id).ok().m); strings.Contains(got, secret) {
			t.Errorf("the secret is shown again: %s", got)
		}
	})
}

func TestDestinationsThatCannotBe(t *testing.T) {
	each(t, func(_ *testing.T, w *world) {
		for body, paths := range map[string][]string{
			`{}`:                           {"type", "config"},
			`{"type":"pager","config":{}}`: {"type"},
			`{"type":"slack","config":{}}`: {"config.webhook_url"},
			`{"type":"slack","config":{"webhook_url":"ftp://x","to":["a@b.example"]}}`:                         {"config.to", "config.webhook_url"},
			`{"type":"email","config":{"to":["not an address"],"cc":["c@d.example","x\r\nBcc: y@z.example"]}}`: {"config.cc[1]", "config.to[0]"},
			`{"type":"email","config":{"to":[]}}`:                                                              {"config.to"},
			`{"type":"email","config":{"to":["a@b.example"],"secret":"s"}}`:                                    {"config.secret"},
			`{"type":"webhook","config":{"target_url":"https://u:p@x.example"}}`:                               {"config.target_url"},
			`{"type":"slack","event_types":["webhook:failed"],"config":{"webhook_url":"https://x.example/y","ignored_status_codes":[9]}}`: {
				"config.ignored_status_codes[0]", "event_types[0]",
			},
		} {
			w.post("/notification-destination", body).rejected(400, paths...)
		}
		id, _ := w.create("/notification-destination", slackDestination).m["id"].(string)
		w.patch("/notification-destination/"+id, `{"config":{"to":["a@b.example"]}}`).rejected(400, "config.to", "config.webhook_url")
		w.post("/notification-destination/test", `{}`).rejected(400, "id")
	})
}
