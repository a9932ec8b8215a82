// Package storetest opens throw-away stores for tests, on both databases.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// PostgresEnv names the environment variable with the address of a PostgreSQL server on which tests may create
// databases.
const PostgresEnv = "MILLRACE_TEST_POSTGRES"

// Each runs fn as a subtest on SQLite and one on PostgreSQL, each with a new, empty store. Without a PostgreSQL
// address the second is skipped, which is an error when CI=true.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, Open(t, SQLite(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, Open(t, Postgres(t)))
	})
}

// EachURL is Each for tests that open the store themselves.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, Postgres(t))
	})
}

// SQLite returns the path of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "millrace.db")
}

// Postgres creates an empty database and returns its address; the database is dropped after the test.
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv(PostgresEnv)
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set: in CI the PostgreSQL half must run", PostgresEnv)
		}
		t.Skipf("SKIPPED: %s is not set, so nothing was tested on PostgreSQL; make test sets it", PostgresEnv)
	}
	name := fmt.Sprintf("millrace_test_%d_%x", os.Getpid(), rand.Uint64())
	run := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, base)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
		return err
	}
	if err := run(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := run(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("drop test database %s: %v", name, err)
		}
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("%s is not a URL", PostgresEnv)
	}
	u.Path = "/" + name
	return u.String()
}

// Open opens a store with a test cipher and a queue that records tasks in memory.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	Prepare(t, url)
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: Cipher{}})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	db.SetQueue(&recorder{db: db})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Prepare puts a database with our tables, and nothing in them, where SQLite shall have a new one. Making the tables takes seconds
// under the race detector. It does nothing for PostgreSQL, nor when the file is there.
func Prepare(t testing.TB, path string) {
	t.Helper()
	if strings.Contains(path, "://") {
		return
	}
	if _, err := os.Stat(path); err == nil {
		return
	}
	file, err := migrated()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatalf("prepare store: %v", err)
	}
}

// migrated is the file of a database with our tables.
var migrated = sync.OnceValues(func() ([]byte, error) { //nolint:gochecknoglobals // made once for all tests of a package
	dir, err := os.MkdirTemp("", "millrace-storetest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "millrace.db")
	db, err := store.Open(context.Background(), store.Config{URL: path, Cipher: Cipher{}})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// Tasks returns the tasks that were enqueued by committed transactions, in order.
func Tasks(db *store.DB) []millrace.Task {
	recorded.Lock()
	defer recorded.Unlock()
	return append([]millrace.Task(nil), recorded.tasks[db]...)
}

var recorded = struct { //nolint:gochecknoglobals // test code; keyed by store
	sync.Mutex
	tasks map[*store.DB][]millrace.Task
}{tasks: map[*store.DB][]millrace.Task{}}

type recorder struct{ db *store.DB }

// Enqueue implements store.Queue.
func (r *recorder) Enqueue(_ context.Context, tx *store.Tx, tasks []millrace.Task) error {
	tx.AfterCommit(func() {
		recorded.Lock()
		defer recorded.Unlock()
		recorded.tasks[r.db] = append(recorded.tasks[r.db], tasks...)
	})
	return nil
}

// Finish implements store.Queue.
func (r *recorder) Finish(context.Context, *store.Tx) error { return nil }

// Cipher marks what it seals, so that tests can tell sealed bytes from plain ones. It protects nothing.
type Cipher struct{}

// Encrypt implements store.Cipher.
func (Cipher) Encrypt(plain, ad []byte) ([]byte, error) {
	out := append([]byte("sealed:"), ad...)
	out = append(out, ':')
	for _, b := range plain {
		out = append(out, b^0x55)
	}
	return out, nil
}

// Decrypt implements store.Cipher.
func (Cipher) Decrypt(sealed, ad []byte) ([]byte, error) {
	prefix := "sealed:" + string(ad) + ":"
	if len(sealed) < len(prefix) || string(sealed[:len(prefix)]) != prefix {
		return nil, fmt.Errorf("sealed bytes do not belong to %s", ad)
	}
	var out []byte
	for _, b := range sealed[len(prefix):] {
		out = append(out, b^0x55)
	}
	return out, nil
}
