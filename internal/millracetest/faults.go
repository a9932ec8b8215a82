package millracetest

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/millrace/millrace/internal/store"
)

// faultsEnv names a file to a server of [NewOwnNode]: while it exists, the server's database fails now and then.
const faultsEnv = "MILLRACE_TEST_FAULTS"

// FailWhile makes the node's database fail at random places, in any way, while a file exists. It is for a node that has not
// started.
func (n *Node) FailWhile(file string) { n.env = append(n.env, faultsEnv+"="+file) }

// fileFaults are random faults while a file exists. Each leaves a line in a second file, which survives the process.
type fileFaults struct{ path string }

// One of so many statements, and of so many commits, fails.
const (
	oneStatementIn    = 400
	oneFaultyCommitIn = 25
)

const struckSuffix = ".struck"

// FaultsStruck returns how many faults a file has caused, by their kind.
func FaultsStruck(t testing.TB, file string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(file + struckSuffix)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	struck := map[string]int{}
	for kind := range strings.Lines(string(text)) {
		struck[strings.TrimSpace(kind)]++
	}
	return struck
}

// strikes reports whether a fault is due; kind is what it is.
func (f *fileFaults) strikes(oneIn int, kind string) bool {
	if rand.IntN(oneIn) > 0 {
		return false
	}
	if _, err := os.Stat(f.path); err != nil {
		return false
	}
	file, err := os.OpenFile(f.path+struckSuffix, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false // a fault that is not counted is none
	}
	_, err = file.WriteString(kind + "\n")
	return errors.Join(err, file.Close()) == nil
}

// Statement implements store.Faults.
func (f *fileFaults) Statement(string) error {
	if f.strikes(oneStatementIn, "statements failed") {
		return store.Injected()
	}
	return nil
}

// Commit implements store.Faults.
func (f *fileFaults) Commit() store.CommitFault {
	how := 1 + store.CommitFault(rand.IntN(int(store.CommitIsNotHeardOf)))
	kind := map[store.CommitFault]string{
		store.CommitFails:        "commits failed",
		store.CommitVanishes:     "commits lost, outcome unknown",
		store.CommitIsNotHeardOf: "commits stored, outcome unknown",
	}[how]
	if f.strikes(oneFaultyCommitIn, kind) {
		return how
	}
	return store.CommitSucceeds
}

// calm reports whether faults that began at a time make a pause, which they do for a second every two. Without it a slow machine
// does nothing but connect again.
func calm(began time.Time) bool { return time.Since(began)%(2*time.Second) >= time.Second }

// Terminator ends sessions of a PostgreSQL database that write, every 10 to 80 ms but for a second every two, those first that
// are busy.
type Terminator struct {
	mu    sync.Mutex
	ended map[string]int
	err   error
	stop  func()
}

// NewTerminator starts a Terminator; Stop ends it.
func NewTerminator(t testing.TB, url string, random *rand.Rand) *Terminator {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &Terminator{ended: map[string]int{}}
	var done sync.WaitGroup
	done.Go(func() {
		defer pool.Close()
		for began := time.Now(); ctx.Err() == nil; {
			if !calm(began) {
				k.terminate(ctx, pool)
			}
			_ = wait(ctx, time.Duration(10+random.IntN(70))*time.Millisecond)
		}
	})
	k.stop = func() { cancel(); done.Wait() }
	t.Cleanup(k.stop)
	return k
}

func (k *Terminator) terminate(ctx context.Context, pool *pgxpool.Pool) {
	var state, query string
	var ended bool
	err := pool.QueryRow(ctx, `SELECT state, split_part(upper(query), ' ', 1), pg_terminate_backend(pid) FROM (
SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND (query ILIKE 'commit%' OR query ILIKE 'INSERT%' OR query ILIKE 'UPDATE sync_job_run%')
ORDER BY state <> 'active', random() LIMIT 1) AS victim`).Scan(&state, &query, &ended)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil && ended:
		if state == "active" {
			query = "at " + query
		} else {
			query = "after " + query
		}
		k.ended["sessions terminated "+query]++
	case err != nil && !errors.Is(err, pgx.ErrNoRows) && ctx.Err() == nil:
		k.err = err
	}
}

// Ended returns how many sessions were terminated, by what they did.
func (k *Terminator) Ended() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.ended)
}

// Stop ends the terminations. An error of PostgreSQL fails the test: it says that there were fewer than there seem.
func (k *Terminator) Stop(t testing.TB) {
	t.Helper()
	k.stop()
	if k.err != nil {
		t.Errorf("terminate sessions: %v", k.err)
	}
}

// SmallDisk mounts a file system of that many MiB and returns its directory. Where this process may not mount, the test is
// skipped, saying so.
func SmallDisk(t testing.TB, mib string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+mib+"m,mode=700"); err != nil {
		t.Skipf("SKIPPED: no small disk can be mounted here (%v), so nothing was tested on a full one", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// Filler fills a disk for a moment, again and again.
type Filler struct {
	times atomic.Int64
	stop  func()
}

// NewFiller starts a Filler; Stop ends it.
func NewFiller(dir string, random *rand.Rand) *Filler {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Filler{}
	var done sync.WaitGroup
	done.Go(func() {
		ballast, err := os.Create(filepath.Join(dir, "ballast"))
		if err != nil {
			return // and the disk was never full
		}
		defer func() { _ = os.Remove(ballast.Name()); _ = ballast.Close() }()
		for wait(ctx, time.Duration(100+random.IntN(1200))*time.Millisecond) == nil {
			if errors.Is(fill(ballast), syscall.ENOSPC) {
				f.times.Add(1)
			}
			_ = wait(ctx, time.Duration(20+random.IntN(150))*time.Millisecond)
			release(ballast, room)
		}
	})
	f.stop = func() { cancel(); done.Wait() }
	return f
}

// Full returns how often the disk was full.
func (f *Filler) Full() map[string]int {
	return map[string]int{"times the disk was full": int(f.times.Load())}
}

// Stop ends the filling.
func (f *Filler) Stop() { f.stop() }

// room is what a Filler leaves of its disk between two times that it is full.
const room = 32 << 20

// fill writes to a file until there is no more room.
func fill(file *os.File) error {
	for block := make([]byte, 1<<20); ; {
		if _, err := file.Write(block); err != nil {
			for len(block) > 512 { // to the last byte
				block = block[:len(block)/2]
				_, _ = file.Write(block)
			}
			return err
		}
	}
}

// release cuts bytes off the end of a file, or all that it has.
func release(file *os.File, bytes int64) {
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_ = file.Truncate(max(size-bytes, 0))
		_, _ = file.Seek(0, io.SeekEnd)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
