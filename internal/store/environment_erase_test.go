package store_test

import (
	"slices"
	"strings"
	"testing"

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
		others := []string{"environment", "key_check", "node", "schema_migration"}
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
