package node

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/store/storetest"
)

// openOnce opens the database of a data directory and closes it again.
func openOnce(t *testing.T, dir, database string) error {
	t.Helper()
	opened, err := Open(t.Context(), Options{DataDir: dir, Database: database, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer opened.Lock.Release()
	return opened.DB.Close()
}

func lost(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("a database that was lost was taken for a new one")
	}
	for _, w := range append(words, "restore it from a backup", "remove") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want it to say %q", err, w)
		}
	}
}

func TestLostSQLiteIsNotTakenForANewOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose  func(path string) error
		words string
	}{
		"truncated":     {func(path string) error { return os.Truncate(path, 0) }, "empty"},
		"removed":       {os.Remove, "missing"},
		"another empty": {emptyDatabase, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for range 2 { // the second start finds what the first made
				if err := openOnce(t, dir, ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.lose(SQLitePath(dir)); err != nil {
				t.Fatal(err)
			}
			lost(t, openOnce(t, dir, ""), c.words, filepath.Join(dir, KnownDatabases))
			_, err := OpenExisting(t.Context(), Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
			lost(t, err, c.words)
			if err := os.Remove(filepath.Join(dir, KnownDatabases)); err != nil {
				t.Fatal(err)
			}
			if err := openOnce(t, dir, ""); err != nil {
				t.Errorf("the way out does not work: %v", err)
			}
		})
	}
}

// emptyDatabase replaces a database by one without tables.
func emptyDatabase(path string) error {
	return os.WriteFile(path, emptySQLite(), 0o600)
}

// emptySQLite is a database of one page of 512 bytes without tables.
func emptySQLite() []byte {
	page := make([]byte, 512)
	copy(page, "SQLite format 3\x00")
	copy(page[16:], []byte{0x02, 0x00, 1, 1, 0, 64, 32, 32}) // page size, format versions, payload fractions
	page[27], page[31] = 1, 1                                // change counter, pages
	page[47] = 4                                             // schema format
	page[59] = 1                                             // UTF-8
	page[95] = 1                                             // version valid for
	page[100] = 0x0d                                         // a leaf
	page[105], page[106] = 0x02, 0x00                        // where its content begins
	return page
}

// A log that holds rows is not deleted together with a file that was emptied before there was a list.
func TestEmptiedFileKeepsItsLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range map[string]string{SQLitePath(dir): "", SQLitePath(dir) + "-wal": "rows"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lost(t, openOnce(t, dir, ""), "-wal")
	if text, err := os.ReadFile(SQLitePath(dir) + "-wal"); err != nil || string(text) != "rows" {
		t.Errorf("the log is %q, %v", text, err)
	}
}

// A start that was interrupted before there were tables is no loss.
func TestInterruptedFirstStartGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(SQLitePath(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openOnce(t, dir, ""); err != nil {
		t.Fatal(err)
	}
}

func TestLostPostgresIsNotTakenForANewOne(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), storetest.EmptyPostgres(t)
	for range 2 {
		if err := openOnce(t, dir, url); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := os.ReadFile(filepath.Join(dir, KnownDatabases)); strings.Contains(string(list), "://postgres@") {
		t.Errorf("the list holds credentials: %s", list)
	}
	db := storetest.Open(t, url)
	for _, statement := range []string{"DROP SCHEMA public CASCADE", "CREATE SCHEMA public"} {
		if _, err := db.Postgres().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	lost(t, openOnce(t, dir, url), "empty")
	if err := openOnce(t, dir, storetest.EmptyPostgres(t)); err != nil {
		t.Errorf("another database, which is new: %v", err)
	}
	if tables := storetest.Strings(t, db, "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"); len(tables) > 0 {
		t.Errorf("a start that failed left tables: %v", tables)
	}
}
