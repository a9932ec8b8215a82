package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// A disk that is full is bounded here by the number of pages that SQLite may use.
func TestFullDiskIsSaidUntilThereIsSpace(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	bound := func(pages string) {
		if _, err := db.SQLite().ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	add := func(name string) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Environments().Create(t.Context(), &millrace.Environment{Name: name})
		})
	}
	large := strings.Repeat("x", 1<<20)
	if err := db.CheckSpace(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	bound("1") // SQLite makes that what is used already
	if err := add(large); millrace.KindOf(err) != millrace.KindUnavailable || !strings.Contains(fmt.Sprint(err), "disk of the database is full") {
		t.Errorf("got %v, want unavailable for a full disk", err)
	}
	bound("1000000")
	if err := db.CheckSpace(t.Context()); err != nil {
		t.Errorf("there is space again: %v", err)
	}
	if err := add(large); err != nil {
		t.Errorf("there is space again: %v", err)
	}
}
