package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/store"
)

// KnownDatabases is the file in the data directory that names the databases it has been used with, one a line.
const KnownDatabases = "databases"

const knownHeader = `# The databases that this directory has been used with. One that is listed here is never created again:
# when it is missing or empty, Millrace does not start, because it was probably lost. Remove its line to allow it.
`

// Lost is the error about a database that had rows and has none.
func Lost(dir, name, state string) error {
	return fmt.Errorf("the database %s is %s, although it has been in use: restore it from a backup with the same encryption key; "+
		"to begin with an empty database instead, remove its line from %s", name, state, filepath.Join(dir, KnownDatabases))
}

// IsKnown reports whether the data directory has been used with a database. For SQLite it looks at the file as well, before
// it is opened: SQLite takes an empty file for a new database and deletes its write-ahead log, which may still hold rows.
func IsKnown(dir, url string) (bool, error) {
	name, err := store.Name(url)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(filepath.Join(dir, KnownDatabases))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the list of known databases: %w", err)
	}
	known := slices.Contains(strings.Split(string(text), "\n"), name)
	if store.IsPostgres(url) {
		return known, nil
	}
	info, err := os.Stat(url)
	switch {
	case errors.Is(err, fs.ErrNotExist) && known:
		return false, Lost(dir, url, "missing")
	case err == nil && info.Size() == 0 && known:
		return false, Lost(dir, url, "empty (0 bytes)")
	case err == nil && info.Size() == 0 && size(url+"-wal") > 0:
		// What a directory without the list has: it was last used by an older version.
		return false, fmt.Errorf("the database %s is empty (0 bytes), although %s-wal holds changes to it: restore it from a backup; "+
			"to begin with an empty database instead, remove both files", url, url)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("look at the database: %w", err)
	}
	return known, nil
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Remember adds a database that has our tables to the list. Several nodes may share a data directory, so it appends one line;
// a line that is there twice does no harm.
func Remember(dir, url string) error {
	name, err := store.Name(url)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, KnownDatabases), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the list of known databases: %w", err)
	}
	line := name + "\n"
	if info, statErr := file.Stat(); statErr == nil && info.Size() == 0 {
		line = knownHeader + line
	}
	_, err = file.WriteString(line)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write the list of known databases: %w", err)
	}
	return nil
}
