package millracetest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/webhook"
)

// rotated is a receiver of which one half knows the old secret only, until it ends, and the other the new one as well.
type rotated struct {
	mu        sync.Mutex
	old, both *webhook.Verifier
	renewed   *webhook.Verifier // set: the change has been confirmed, and the new one alone is enough
	requests  int
	problems  []error
}

// ServeHTTP implements http.Handler.
func (v *rotated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the sender was killed
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	for _, known := range []*webhook.Verifier{v.old, v.both, v.renewed} {
		if known == nil {
			continue
		}
		if err := known.Verify(r.Header, body); err != nil {
			v.problems = append(v.problems, err)
		}
	}
	w.WriteHeader(http.StatusOK)
}

// A server is killed while the secret of a webhook is changed and events are delivered. Every request is signed with the old secret, and with
// the new one once its change was confirmed; the same change may be sent again until it is.
func TestCrashRotation(t *testing.T) {
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		random, _ := seeded(t)
		node := millracetest.NewNode(t, binary, url, newKey())
		node.Start(t)
		node.WaitReady(t, time.Minute)
		client := millracetest.NewClient(node.Base, node.Token(t))
		const old, fresh = "whsec_b2xkIHNlY3JldA==", "whsec_bmV3IHNlY3JldA=="
		verifier := func(secrets ...string) *webhook.Verifier {
			v, err := webhook.NewVerifier(secrets...)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		receiver := &rotated{old: verifier(old), both: verifier(fresh, old)}
		var hook struct{ ID string }
		post(t, client, "/webhook", map[string]any{"target_url": millracetest.Listen(t, receiver) + "/in", "event_types": []string{"custom:x"}, "secret": old}, &hook)

		ctx, stop := context.WithCancel(t.Context())
		var sending sync.WaitGroup
		sending.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = client.Call(ctx, http.MethodPost, "/event", "application/json", []byte(`{"event":"custom:x","payload":{}}`)) // it may be down
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
		change, err := json.Marshal(map[string]any{"secret": fresh})
		if err != nil {
			t.Fatal(err)
		}
		var sent sync.WaitGroup
		for range crashes(t) {
			sent.Go(func() {
				_, _, _ = client.Call(ctx, http.MethodPost, "/webhook/"+hook.ID+"/rotate-secret", "application/json", change) // its response is lost
			})
			time.Sleep(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
			node.Kill()
			sent.Wait()
			node.Start(t)
			node.WaitReady(t, time.Minute)
		}
		status, body, err := client.Call(t.Context(), http.MethodPost, "/webhook/"+hook.ID+"/rotate-secret", "application/json", change)
		if err != nil || status != http.StatusOK && status != http.StatusBadRequest { // 400: it is the secret already
			t.Fatalf("%d %s: %v", status, body, err)
		}
		stop()
		sending.Wait()
		millracetest.Settle(t, millracetest.OpenStore(t, url), time.Minute)
		receiver.mu.Lock()
		receiver.renewed = verifier(fresh)
		before := receiver.requests
		receiver.mu.Unlock()
		for range 20 {
			post(t, client, "/event", map[string]any{"event": "custom:x", "payload": map[string]any{}}, nil)
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			receiver.mu.Lock()
			defer receiver.mu.Unlock()
			return receiver.requests >= before+20, receiver.requests - before
		})
		receiver.mu.Lock()
		defer receiver.mu.Unlock()
		if len(receiver.problems) > 0 || before == 0 {
			t.Errorf("of %d requests %d are signed wrongly: %v", receiver.requests, len(receiver.problems), receiver.problems[:min(len(receiver.problems), 3)])
		}
		node.Stop(t)
	})
}
