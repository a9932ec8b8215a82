package storetest

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/store"
)

// Place is where an update may fail: at a statement, or at its commit in one of three ways.
type Place struct {
	SQL    string // the beginning of the statement; empty: the commit
	Commit store.CommitFault
	Nth    int // of all statements, or of all commits, from 1
}

// Faults makes a store fail at chosen places, and notes which places there are.
type Faults struct {
	mu         sync.Mutex
	statements []string
	commits    int
	at         *Place
	draw       func(oneOf int) bool
	way        func() store.CommitFault
	most       int
	struck     int
	dies       bool // after the first fault there is nothing but faults
}

// Open is [Open] for a store that fails as configured.
func (f *Faults) Open(t testing.TB, url string) *store.DB {
	t.Helper()
	return OpenWith(t, url, f)
}

// OpenWith is [Open] with faults.
func OpenWith(t testing.TB, url string, faults store.Faults) *store.DB {
	t.Helper()
	Prepare(t, url)
	db, err := store.Open(t.Context(), store.Config{URL: url, Cipher: Cipher{}, Faults: faults})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	db.SetQueue(&recorder{db: db})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// At starts anew, with a fault at one place; nil: with none.
func (f *Faults) At(p *Place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statements, f.commits, f.at, f.draw, f.struck, f.dies = nil, 0, p, nil, 0, false
}

// DieAt is At for a process that dies there: nothing that it does after the fault reaches the database.
func (f *Faults) DieAt(p *Place) {
	f.At(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dies = true
}

// Draw starts anew, with some random faults: one of 40 statements and one of 5 commits fails, in any way, until there were most.
func (f *Faults) Draw(random *rand.Rand, most int) {
	f.At(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.most = most
	f.draw = func(oneOf int) bool { return f.struck < f.most && random.IntN(oneOf) == 0 }
	f.way = func() store.CommitFault { return 1 + store.CommitFault(random.IntN(int(store.CommitIsNotHeardOf))) }
}

// Places returns the places that were passed since At, each way in which a commit may fail as one of its own.
func (f *Faults) Places() []Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Place
	for i, sql := range f.statements {
		out = append(out, Place{SQL: sql, Nth: i + 1})
	}
	for i := range f.commits {
		for _, how := range []store.CommitFault{store.CommitFails, store.CommitVanishes, store.CommitIsNotHeardOf} {
			out = append(out, Place{Commit: how, Nth: i + 1})
		}
	}
	return out
}

// Struck returns how many faults there were.
func (f *Faults) Struck() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck
}

// Statement implements store.Faults.
func (f *Faults) Statement(sql string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statements = append(f.statements, strings.Join(strings.Fields(sql[:min(len(sql), 40)]), " "))
	if f.dies && f.struck > 0 {
		return store.Injected()
	}
	if f.at != nil && f.at.SQL != "" && f.at.Nth == len(f.statements) || f.draw != nil && f.draw(40) {
		f.struck++
		return store.Injected()
	}
	return nil
}

// Commit implements store.Faults.
func (f *Faults) Commit() store.CommitFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
	how := store.CommitSucceeds
	switch {
	case f.dies && f.struck > 0:
		return store.CommitFails
	case f.at != nil && f.at.SQL == "" && f.at.Nth == f.commits:
		how = f.at.Commit
	case f.draw != nil && f.draw(5):
		how = f.way()
	}
	if how != store.CommitSucceeds {
		f.struck++
	}
	return how
}

// IsFault reports whether an error is that of a fault, or of the database.
func IsFault(err error) bool { return errors.Is(err, store.ErrOutage) }
