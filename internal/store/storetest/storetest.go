// Package storetest opens throw-away stores for tests, on both databases.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Each runs fn as a subtest on SQLite and one on PostgreSQL, each with a new, empty store. Without a PostgreSQL
// address the second is skipped, which is an error when CI=true.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { fn(t, Open(t, url)) })
}

// EachURL is Each for tests that open the store themselves.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	each(t, Postgres, fn)
}

// EachEmptyURL is EachURL without tables.
func EachEmptyURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	each(t, EmptyPostgres, fn)
}

func each(t *testing.T, postgres func(testing.TB) string, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, postgres(t))
	})
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

// NoQueue takes tasks and forgets them, for a test that works on what the rows say.
type NoQueue struct{}

// Enqueue implements store.Queue.
func (NoQueue) Enqueue(context.Context, *store.Tx, []millrace.Task) error { return nil }

// Finish implements store.Queue.
func (NoQueue) Finish(context.Context, *store.Tx) error { return nil }

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
