package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

func (w *world) webhook(t *testing.T, id string) *millrace.Webhook {
	t.Helper()
	var out *millrace.Webhook
	err := w.db.View(t.Context(), func(tx *store.Tx) error {
		var err error
		out, err = tx.Webhooks().Get(t.Context(), w.env, millrace.WebhookID(id))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRotateSecret(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.create("/webhook", `{"target_url":"https://example.com/hook","secret":"first"}`)
		path := "/webhook/" + v.id() + "/rotate-secret"

		chosen := w.post(path, `{"secret":"second","overlap_seconds":60}`).ok()
		if chosen.str("secret") != "second" || chosen.str("previous_secret_expires_at") == "" {
			t.Errorf("a secret of one's own: got %v", chosen.m)
		}
		stored := w.webhook(t, v.id())
		before, after := stored.PreviousExpiresAt-1, stored.PreviousExpiresAt
		if got := strings.Join(stored.SigningSecrets(before), " "); got != "second first" {
			t.Errorf("keys before the old one expires: got %q", got)
		}
		if got := strings.Join(stored.SigningSecrets(after), " "); got != "second" {
			t.Errorf("keys when the old one has expired: got %q", got)
		}

		random := w.post(path, ``).ok()
		if got := random.str("secret"); !millrace.IsID(got) {
			t.Errorf("random secret instead of a bare one: got %q", got)
		}
		stored = w.webhook(t, v.id())
		if stored.PreviousSecret != "second" || stored.PreviousExpiresAt < stored.UpdatedAt.Add(24*time.Hour-time.Minute) {
			t.Errorf("a second change: previous %q until %s", stored.PreviousSecret, stored.PreviousExpiresAt)
		}
		if got := w.get("/webhook/" + v.id()).ok(); got.m["secret"] != nil || strings.Contains(fmt.Sprint(got.m), random.str("secret")) {
			t.Errorf("the secret is shown again: %v", got.m)
		}

		standard := w.create("/webhook", `{"target_url":"https://example.com/hook","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`)
		if got := w.post("/webhook/"+standard.id()+"/rotate-secret", `{"overlap_seconds":0}`).ok().str("secret"); !strings.HasPrefix(got, "whsec_") {
			t.Errorf("random secret instead of a standard one: got %q", got)
		}
		if stored = w.webhook(t, standard.id()); len(stored.SigningSecrets(stored.UpdatedAt)) != 1 {
			t.Error("without an overlap the old secret still signs")
		}

		w.post(path, `{"secret":"third","updated_at":"2020-01-01T00:00:00Z"}`).rejected(409)
		seen := w.get("/webhook/" + v.id()).ok().str("updated_at")
		if third := w.post(path, `{"secret":"third","updated_at":"`+seen+`"}`).ok(); third.str("secret") != "third" {
			t.Errorf("a change of what was seen: %v", third.m)
		}
		for range 2 {
			ended := w.delete("/webhook/" + v.id() + "/previous-secret").ok()
			stored = w.webhook(t, v.id())
			if ended.m["previous_secret_expires_at"] != nil || ended.m["secret"] != nil || stored.PreviousSecret != "" || strings.Join(stored.SigningSecrets(0), " ") != "third" {
				t.Errorf("with the previous one ended: %v, %v", ended.m, stored.SigningSecrets(0))
			}
		}
		w.as(otherToken).delete("/webhook/" + v.id() + "/previous-secret").rejected(404)

		w.post(path, `{"secret":"third"}`).rejected(400, "secret")
		w.post(path, `{"overlap_seconds":-1}`).rejected(400, "overlap_seconds")
		w.post(path, `{"overlap":1}`).ok() // unknown members are tolerated on resources
		w.post("/webhook/00000000-0000-4000-8000-000000000000/rotate-secret", `{}`).rejected(404)
	})
}
