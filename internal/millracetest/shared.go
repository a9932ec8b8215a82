package millracetest

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Each runs fn as a subtest for each database, in an environment of its own of a server that all such tests of the process share:
// starting one on PostgreSQL takes a second. It is for tests that change no option of the server, do not stop it, and look at nothing
// but their environment. The options are those of [TriesAgainSoon]. TestMain must call [EndShared].
func Each(t *testing.T, fn func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, share(t, "sqlite", storetest.SQLite))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		storetest.NeedPostgres(t)
		fn(t, share(t, "postgres", storetest.Postgres))
	})
}

// shared are the servers of Each, by the name of the database.
var shared = struct { //nolint:gochecknoglobals // made once for all tests of a process
	sync.Mutex
	servers map[string]*Server
	ends    []func()
}{servers: map[string]*Server{}}

// share returns the server with a client of a new environment. The first that asks starts it.
func share(t *testing.T, database string, create func(testing.TB) string) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	s := shared.servers[database]
	if s == nil {
		all := &lasting{t}
		s = Start(all, create(all), TriesAgainSoon)
		s.Store(all)
		shared.servers[database] = s
	}
	mine := *s
	mine.Client = mine.NewEnvironment(t, t.Name())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the server, which others share:\n%s", mine.log)
		}
	})
	return &mine
}

// TriesAgainSoon makes the pauses short before providers and webhooks are tried again.
func TriesAgainSoon(o *server.Options) {
	o.FetchRetries = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}
	o.ParkRetries = []time.Duration{300 * time.Millisecond}
}

// EndShared stops the servers of Each. A test that was the first to need one has ended long before.
func EndShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, end := range slices.Backward(shared.ends) {
		end()
	}
}

// lasting is the test in which something is made that outlives it, until EndShared.
type lasting struct{ testing.TB }

// Cleanup implements testing.TB.
func (*lasting) Cleanup(end func()) { shared.ends = append(shared.ends, end) }

// Context implements testing.TB.
func (*lasting) Context() context.Context { return context.Background() }

// Failed implements testing.TB. Those that share the server show its log.
func (*lasting) Failed() bool { return false }

// TempDir implements testing.TB.
func (l *lasting) TempDir() string {
	dir, err := os.MkdirTemp("", "millrace-shared")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
