package millracetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A server that redelivers is killed at random moments. In the end every delivery that was chosen was queued once more, no other, and all
// have arrived in their order.
func TestCrashRedelivery(t *testing.T) {
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		kills := crashes(t)
		events := 1200
		if kills > 3 {
			events = 3000
		}
		random, _ := seeded(t)
		node := millracetest.NewNode(t, binary, url, newKey())
		node.Start(t)
		node.WaitReady(t, time.Minute)
		client := millracetest.NewClient(node.Base, node.Token(t))
		hooks := millracetest.NewCollector()
		var hook struct{ ID, Secret string }
		post(t, client, "/webhook", map[string]any{"target_url": millracetest.Listen(t, hooks) + "/all", "event_types": []string{"custom:x", "custom:y"}}, &hook)
		hooks.SetSecret("all", hook.Secret)
		for i := range events {
			post(t, client, "/event", map[string]any{"event": "custom:" + string("xxy"[i%3]), "payload": map[string]any{}}, nil)
		}
		db := millracetest.OpenStore(t, url)
		millracetest.Settle(t, db, 2*time.Minute)
		sent := len(hooks.Received("all"))
		node.Kill()
		chosen, through := giveUp(t, db)
		node.Start(t)
		node.WaitReady(t, time.Minute)

		var made struct{ ID string }
		body := map[string]any{"webhook_id": hook.ID, "filter": map[string]any{"event": []string{"custom:x"}}}
		post(t, client, "/webhook-redelivery", body, &made)
		for range kills {
			time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
			node.Kill()
			node.Start(t)
		}
		node.WaitReady(t, time.Minute)
		millracetest.Wait(t, 4*time.Minute, func() (bool, any) {
			waits := storetest.Strings(t, db, "SELECT id FROM webhook_redelivery WHERE status = 'running' UNION ALL SELECT id FROM delivery WHERE status = 'pending'")
			return len(waits) == 0, len(waits)
		})
		want := fmt.Sprintf("completed %d", len(chosen))
		if got := storetest.Strings(t, db, "SELECT status || ' ' || redelivered FROM webhook_redelivery"); len(got) != 1 || got[0] != want {
			t.Errorf("the redelivery is %v, want %s", got, want)
		}
		// Each of the chosen has one number more, and nothing else has.
		after := storetest.Strings(t, db, "SELECT id FROM delivery WHERE sequence > "+through+" ORDER BY sequence")
		if !slices.Equal(after, chosen) {
			t.Errorf("%d were queued once more, want the %d that were chosen in their order", len(after), len(chosen))
		}
		if got := storetest.Strings(t, db, "SELECT '' || next_sequence FROM webhook"); fmt.Sprint(len(chosen)) != minus(t, got[0], through) {
			t.Errorf("the webhook has queued up to %s after %s, want %d more", got[0], through, len(chosen))
		}
		left := storetest.Strings(t, db, "SELECT DISTINCT event || ' ' || status FROM delivery ORDER BY 1")
		if strings.Join(left, ", ") != "custom:x delivered, custom:y failed" {
			t.Errorf("in the end there are %v", left)
		}
		received := map[string]bool{}
		var order []string
		for _, got := range hooks.Received("all")[sent:] {
			if !received[got.ID] {
				received[got.ID] = true
				order = append(order, got.ID)
			}
		}
		if !slices.Equal(order, chosen) {
			t.Errorf("%d have arrived, want the %d in their order", len(order), len(chosen))
		}
		if most := len(chosen) + (kills+1)*64; len(hooks.Received("all"))-sent > most {
			t.Errorf("%d requests, more than %d", len(hooks.Received("all"))-sent, most)
		}
		if problems := hooks.Problems(); len(problems) > 0 {
			t.Errorf("%v", problems)
		}
		node.Stop(t)
	})
}

// giveUp makes all deliveries such that were given up. It returns the ids of those of custom:x in their order, and the last number.
func giveUp(t *testing.T, db *store.DB) ([]string, string) {
	t.Helper()
	ids := storetest.Strings(t, db, "SELECT environment_id || '/' || id FROM delivery ORDER BY sequence")
	for chunk := range slices.Chunk(ids, 500) {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			for _, key := range chunk {
				env, id := millrace.ParseTaskKey[millrace.DeliveryID](key)
				d, err := tx.Deliveries().Get(t.Context(), env, id)
				if err != nil {
					return err
				}
				for _, status := range []millrace.DeliveryStatus{millrace.DeliveryPending, millrace.DeliveryFailed} {
					d.Status = status
					if err := tx.Deliveries().Update(t.Context(), d); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return storetest.Strings(t, db, "SELECT id FROM delivery WHERE event = 'custom:x' ORDER BY sequence"), storetest.Strings(t, db, "SELECT '' || next_sequence FROM webhook")[0]
}

func minus(t *testing.T, a, b string) string {
	t.Helper()
	var x, y int
	if _, err := fmt.Sscan(a+" "+b, &x, &y); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x - y)
}
