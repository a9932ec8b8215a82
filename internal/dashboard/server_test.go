package dashboard_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard"
	"github.com/millrace/millrace/internal/dashboard/settings"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestServerIsShown opens the page of the server as each role, of a process that says what hostile people would.
func TestServerIsShown(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHall(t, db)
		path := dashboard.Root + "/server"
		if rec := w.do(http.MethodGet, path, w.roles[millrace.RoleOwner], nil); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "not started by") {
			t.Errorf("of a process that says nothing: %d %s", rec.Code, rec.Body)
		}
		node := "00000000-0000-4000-8000-00000000aaaa"
		w.h.Server = settings.Server{
			Started: millrace.TimeOf(time.Now().Add(-time.Hour)), Node: node, Database: markup, DataDir: "/var/lib/" + markup, Dev: true,
			Flags:     []settings.Flag{{Name: "keep-events", Value: markup, Default: "30", Changed: true, Source: "millrace.yaml:3"}, {Name: "dev", Value: "false"}},
			Keep:      map[millrace.Kept]time.Duration{millrace.KeptEvents: 90 * 24 * time.Hour},
			PublicURL: func() string { return "http://millrace.example.com" },
			Measure: func() settings.Measure {
				return settings.Measure{Free: 5 << 20, KnowsFree: true, Log: 2 << 30, Resealing: 7, Workers: map[millrace.TaskKind]int{millrace.TaskSlice: 4}}
			},
			Keys: func(context.Context) ([]settings.Key, error) {
				return []settings.Key{{Name: "abcd1234", Given: true, Now: true}, {Name: "the first one"}}, nil
			},
			Ready: func(context.Context) error { return millrace.Errorf(millrace.KindUnavailable, "the disk is full") },
		}
		if db.Postgres() != nil {
			if err := db.EnterNode(t.Context(), node, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Rows().Cleaned(t.Context(), map[millrace.Kept]int64{millrace.KeptEvents: 4711})
		}); err != nil {
			t.Fatal(err)
		}
		for role, session := range w.roles {
			rec := w.do(http.MethodGet, path, session, nil)
			body := rec.Body.String()
			if !role.AtLeast(millrace.RoleAdmin) {
				if rec.Code != http.StatusForbidden || strings.Contains(body, "keep-events") || strings.Contains(body, path) {
					t.Errorf("%s sees the server: %d %s", role, rec.Code, body)
				}
				continue
			}
			want := []string{
				"The server is not ready: the disk is full.", "has 5 MiB left", "has 2048 MiB", "7 values are still to be sealed", "without encryption", "90 days", "4711",
				"abcd1234", "is not given to this process", "millrace.yaml:3", "Development", ">" + schema(t) + ", since", millrace.Version(),
			}
			if db.Postgres() != nil {
				want = append(want, node, "this one", "No node is the leader", "PostgreSQL", "Connections")
			} else {
				want = append(want, "One process", "SQLite")
			}
			for _, text := range want {
				if !strings.Contains(body, text) {
					t.Errorf("%s: the page does not say %q: %s", role, text, body)
				}
			}
			if rec.Code != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") {
				t.Errorf("%s: %d, and markup is shown as such", role, rec.Code)
			}
		}
		if rec := w.do(http.MethodGet, path, "mr_wrong", nil); rec.Code != http.StatusSeeOther {
			t.Errorf("without a session: %d", rec.Code)
		}
	})
}

// schema returns the number of the last migration.
func schema(t *testing.T) string {
	t.Helper()
	all, err := os.ReadDir("../store/migrations/sqlite")
	if err != nil || len(all) == 0 {
		t.Fatalf("there are %d migrations, %v", len(all), err)
	}
	number, _, _ := strings.Cut(all[len(all)-1].Name(), "_")
	return strings.TrimLeft(number, "0")
}
