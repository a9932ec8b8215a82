package syncjob

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// counter counts the statements of updates.
type counter struct {
	mu  sync.Mutex
	all []string
}

func (c *counter) Statement(sql string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, sql)
	return nil
}

func (c *counter) Commit() store.CommitFault { return store.CommitSucceeds }

func (c *counter) since(f func()) []string {
	c.mu.Lock()
	c.all = nil
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// Changes of status are events only while something listens: a run that nothing listens to asks for no listeners when its
// status changes, and stores no event of that name.
func TestChangesOfStatusCostNothingWithoutAListener(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		c := &counter{}
		w := newWorld(t, storetest.OpenWith(t, url, c), plot{resources: plainGraph})
		w.api.respond = pages(`[{"id":1}]`, `[{"id":2}]`, `[{"id":3}]`)
		quiet := c.since(w.finish)
		t.Logf("%d statements without a listener", len(quiet))
		for _, sql := range quiet {
			if strings.Contains(sql, "SELECT DISTINCT event_types") || strings.Contains(sql, "COALESCE((SELECT 1 FROM workflow") {
				t.Errorf("without a listener: %s", sql)
			}
		}
		if n := len(w.updates()); n != 0 {
			t.Errorf("got %d events, want none", n)
		}
		w.update(func(ctx context.Context, tx *store.Tx) error {
			return tx.Webhooks().Create(ctx, &millrace.Webhook{EnvironmentID: env, TargetURL: "https://example.test/w", Secret: "s", IsActive: true, EventTypes: rawOf(`["sync_job_run:updated"]`)})
		})
		w.newRun(plot{resources: plainGraph})
		loud := c.since(w.finish)
		t.Logf("%d statements with one", len(loud))
		if got := strings.Join(w.updates(), " "); got != "running completed" || len(loud) <= len(quiet) {
			t.Errorf("got changes to %q with %d statements, want running and completed", got, len(loud))
		}
	})
}

// updates returns the states that events say the run has changed to.
func (w *world) updates() []string {
	w.t.Helper()
	var out []string
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		page, err := tx.Events().List(w.t.Context(), env, millrace.Query{Limit: 1000, Sort: []millrace.Sort{{Field: "created_at"}}})
		for _, e := range page.Result {
			if e.Name != millrace.EventRunUpdated {
				continue
			}
			for _, s := range []string{"running", "completed", "failed", "rate_limited"} {
				if strings.Contains(string(e.Payload), `"status":"`+s+`"`) {
					out = append(out, s)
				}
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
