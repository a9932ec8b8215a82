package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestEveryTableGoesWithItsEnvironment looks at the schema, so that a new table with rows of environments cannot be forgotten.
func TestEveryTableGoesWithItsEnvironment(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
		if db.Postgres() != nil {
			tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
		}
		// Of the whole installation, not of an environment.
		others := []string{"app_user", "user_session", "sign_in_link", "used_sign_in", "cleanup", "deleted_token", "environment", "key_check", "node", "schema_migration"}
		all := storetest.Strings(t, db, tables)
		if len(all) < 25 {
			t.Errorf("the schema has %d tables only", len(all))
		}
		for _, name := range all {
			if !strings.HasPrefix(name, "river_") && !slices.Contains(others, name) && !slices.Contains(store.OwnedTables(), name) {
				t.Errorf("the table %s is not in ownedTables: its rows would outlive their environment", name)
			}
		}
	})
}

// TestTwoErasersFinishTogether has two remove rows of one environment at once, as a server and the command do. The second must not
// take the rows that the first has just removed for the last ones.
func TestTwoErasersFinishTogether(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		gone := &millrace.Environment{Name: "Gone"}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Environments().Create(t.Context(), gone); err != nil {
				return err
			}
			for i := range 20 {
				if _, err := tx.Events().Create(t.Context(), &millrace.Event{EnvironmentID: gone.ID, Name: "custom:x", IdempotencyKey: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return tx.Environments().StartErasure(t.Context(), gone)
		})
		if err != nil {
			t.Fatal(err)
		}
		erase := func(before func()) store.ErasedRows {
			out, err := store.Compute(t.Context(), db, func(tx *store.Tx) (store.ErasedRows, error) {
				out, err := tx.Erasures().EraseEnvironment(t.Context(), gone, 10)
				before()
				return out, err
			})
			if err != nil {
				t.Error(err)
			}
			return out
		}
		second := make(chan store.ErasedRows)
		first := erase(func() {
			go func() { second <- erase(func() {}) }()
			waitForLock(t, db)
		})
		if first.Removed != 10 {
			t.Errorf("the first removed %d rows, want 10", first.Removed)
		}
		if got := <-second; got.Removed != 10 {
			t.Errorf("the second removed %d rows, want 10", got.Removed)
		}
	})
}

// waitForLock waits until a session waits for a lock of the database. SQLite has none: its one writer is the lock.
func waitForLock(t *testing.T, db *store.DB) {
	if db.Postgres() == nil {
		return
	}
	for deadline := time.Now().Add(10 * time.Second); len(storetest.Strings(t, db,
		"SELECT pid::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")) == 0; {
		if time.Now().After(deadline) {
			t.Error("no session waits for a lock")
			return
		}
		time.Sleep(time.Millisecond)
	}
}
