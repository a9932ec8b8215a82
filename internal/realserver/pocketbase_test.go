package realserver

import (
	"os"
	"slices"
	"testing"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestPocketBase(t *testing.T) {
	program := os.Getenv("MILLRACE_POCKETBASE")
	if program == "" {
		t.Skip("SKIPPED: MILLRACE_POCKETBASE does not name the program; make realserver builds it and runs this test")
	}
	binary := millracetest.Binary(t)
	t.Run("sqlite", func(t *testing.T) { syncPocketBase(t, binary, storetest.SQLite(t), program) })
	t.Run("postgres", func(t *testing.T) { syncPocketBase(t, binary, storetest.Postgres(t), program) })
}

func syncPocketBase(t *testing.T, binary, url, program string) {
	t.Helper()
	server := startPocketBase(t, program)
	server.seed(t)
	w := newWorld(t, binary, url, "pocketbase")
	w.connect(t, "acme", map[string]any{"base_url": server.base, "api_key": server.token, "auth_collection": "_superusers"})
	all := server.all(t)

	compare(t, "projects, the issues of each, the comments on each of those", w.sync(t, "sync-job-tree").records, all)
	compare(t, "collection by collection, on a first run", w.sync(t, "sync-job").records, all)

	changed, gone := server.change(t)
	all = server.all(t)
	for _, id := range gone["comments"] {
		if all["comments"][id] != nil {
			t.Errorf("the server still has the deleted comment %s", id)
		}
	}
	compare(t, "what was changed or added since then", w.sync(t, "sync-job").records, all.only(t, changed))
	compare(t, "nothing has changed since then", w.sync(t, "sync-job").records, records{})
	compare(t, "all again, killed on the way", w.syncKilled(t, "sync-job-tree", 40, 4).records, all)

	t.Run("limited", func(t *testing.T) { limited(t, w, server, all) })
	t.Run("expired", func(t *testing.T) { expired(t, w, server, all) })
	w.node.Stop(t)
}

// A server that limits its callers makes a run wait, and nothing is missing in the end.
func limited(t *testing.T, w *world, server *pocketBase, all records) {
	t.Helper()
	w.connect(t, "limited", map[string]any{"base_url": server.base, "api_key": server.user(t), "auth_collection": "users"})
	server.limit(t, 2, 2)
	w.addJob(t, "testdata/pocketbase-lists.yaml")
	got := w.sync(t, "pocketbase-lists")
	if !slices.Contains(got.others, "sync_job_run:rate_limited") {
		t.Errorf("no sync_job_run:rate_limited among %v, although the server allows 2 pages in 2 s", got.others)
	}
	compare(t, "all again, by a user whom the server limits", got.records, all)
}

// PocketBase shows empty lists to a wrong token. That must not look like a sync:
// the run waits for another token.
func expired(t *testing.T, w *world, server *pocketBase, all records) {
	t.Helper()
	w.connect(t, "expired", map[string]any{"base_url": server.base, "api_key": server.token + "x", "auth_collection": "_superusers"})
	compare(t, "all, once the account has the right token", w.reconnected(t, "sync-job-tree", server.token), all)
}
