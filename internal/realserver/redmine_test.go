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
	compare(t, "all, once the account has the right key", w.reconnected(t, "sync-job", server.value), all)
	w.node.Stop(t)
}
