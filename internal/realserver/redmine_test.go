package realserver

import (
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestRedmine(t *testing.T) {
	if os.Getenv("MILLRACE_REDMINE") == "" {
		t.Skip("SKIPPED: MILLRACE_REDMINE is not set; make realserver runs this test where Debian's Redmine is installed")
	}
	binary, server := millracetest.Binary(t), startRedmine(t)
	server.seed(t)
	t.Run("sqlite", func(t *testing.T) { syncRedmine(t, binary, storetest.SQLite(t), server) })
	t.Run("postgres", func(t *testing.T) { syncRedmine(t, binary, storetest.Postgres(t), server) })
}

func syncRedmine(t *testing.T, binary, url string, server *redmine) {
	t.Helper()
	w := newWorld(t, binary, url, "redmine")
	w.connect(t, "acme", map[string]any{"base_url": server.base, "api_key": server.value})
	nextSecond(t)
	all := server.all(t)
	compare(t, "projects and issues with their journals, killed on the way", w.syncKilled(t, "sync-job", 25, 3).records, all)
	changed := server.change(t)
	all = server.all(t)
	nextSecond(t)
	compare(t, "all projects, and the issues that were changed or added since then", w.sync(t, "sync-job").records, all.only(t, changed))

	w.connect(t, "wrong", map[string]any{"base_url": server.base, "api_key": strings.Repeat("0", len(server.value))})
	run := w.start(t, "sync-job")
	w.finish(t, run)
	got := w.received(t, run)
	if got.records.count() > 0 || len(got.problems) != 1 || !strings.Contains(got.problems[0], `"status":401`) {
		t.Errorf("with a wrong key %d records came, and as errors %v; want none and one with status 401", got.records.count(), got.problems)
	}
	w.node.Stop(t)
}
