package store_test

import (
	"errors"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func environments(t *testing.T, db *store.DB) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Environments().All(t.Context())
		for _, e := range all {
			names[e.Name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFaultsOfACommit(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		faults := &storetest.Faults{}
		db := faults.Open(t, url)
		for _, test := range []struct {
			name            string
			how             store.CommitFault
			stored, unknown bool
		}{
			{"fails", store.CommitFails, false, false},
			{"vanishes", store.CommitVanishes, false, true},
			{"is not heard of", store.CommitIsNotHeardOf, true, true},
		} {
			faults.At(&storetest.Place{Commit: test.how, Nth: 1})
			woken := false
			got, err := store.Compute(t.Context(), db, func(tx *store.Tx) (string, error) {
				tx.AfterCommit(func() { woken = true })
				return "computed", tx.Environments().Create(t.Context(), &millrace.Environment{Name: test.name})
			})
			if !errors.Is(err, store.ErrOutage) || errors.Is(err, store.ErrUnknownOutcome) != test.unknown || millrace.KindOf(err) != millrace.KindUnavailable {
				t.Errorf("%s: got error %v", test.name, err)
			}
			if got != "" || woken {
				t.Errorf("%s: got %q, woken %t: nothing may be adopted", test.name, got, woken)
			}
			if stored := environments(t, db)[test.name]; stored != test.stored {
				t.Errorf("%s: stored %t, want %t", test.name, stored, test.stored)
			}
		}
		got, err := store.Compute(t.Context(), db, func(*store.Tx) (string, error) { return "computed", nil })
		if got != "computed" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// PostgreSQL's own word on a commit counts; a session that ends in it leaves the outcome open.
func TestTerminatedCommit(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, other := storetest.Open(t, url), storetest.Open(t, url)
	terminate := func(tx *store.Tx) error {
		var pid int
		if err := tx.Pgx().QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		_, err := other.Postgres().Exec(t.Context(), "SELECT pg_terminate_backend($1, 5000)", pid)
		return err
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Environments().Create(t.Context(), &millrace.Environment{Name: "terminated"}); err != nil {
			return err
		}
		return terminate(tx)
	})
	if !errors.Is(err, store.ErrOutage) {
		t.Errorf("got %v, want an outage", err)
	}
	if environments(t, db)["terminated"] {
		t.Error("the change is there")
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		if err := terminate(tx); err != nil {
			return err
		}
		return tx.Environments().Create(t.Context(), &millrace.Environment{Name: "terminated"})
	})
	if !errors.Is(err, store.ErrOutage) || errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("got %v, want an outage with a known outcome", err)
	}
	// A constraint that is checked at the commit is no outage.
	if _, err := db.Postgres().Exec(t.Context(), "CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"); err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Pgx().Exec(t.Context(), "INSERT INTO late VALUES (1), (1)")
		return err
	})
	if errors.Is(err, store.ErrOutage) || millrace.KindOf(err) != millrace.KindConflict {
		t.Errorf("got %v, want a conflict", err)
	}
}

// A full database rejects what does not fit, and goes on with the rest as soon as there is room.
func TestFullSQLite(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	if _, err := db.SQLite().ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // no more than there are
		t.Fatal(err)
	}
	payload := make([]byte, 1<<20)
	for i := range payload {
		payload[i] = '1'
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Events().Create(t.Context(), &millrace.Event{EnvironmentID: "e", Name: "custom:x", Payload: payload})
		return err
	})
	if !errors.Is(err, store.ErrOutage) || errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("got %v, want an outage with a known outcome", err)
	}
	if _, err := db.SQLite().ExecContext(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Environments().Create(t.Context(), &millrace.Environment{Name: "room"})
	}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
