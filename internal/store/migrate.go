package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/store/sqldb"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// Schema identifies the schema that this binary creates: equal values, equal tables.
func Schema() string {
	sum := sha256.New()
	_ = fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		_, _ = fmt.Fprintf(sum, "%s %d %s", path, len(text), text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// migrationLock is the advisory lock that keeps processes that start together from migrating at once.
const migrationLock = 7_241_905_311

// migration says how a database is brought up to date.
type migration struct {
	existing bool // it must have our tables
	asIs     bool // it must be up to date
}

// migrate applies the migrations that the database does not have yet, in order, in one transaction. Each is looked up by
// its number, because one with a lower number may be released after one with a higher number. The first migration is the
// whole schema of the first release: a database that has others but not that one is from a development build and is
// rejected. migrate returns ErrNoTables, and changes nothing, when the database should have our tables and has none.
func migrate(ctx context.Context, db *sqldb.DB, m migration) error {
	dir := "migrations/" + db.Name()
	known, err := migrationFiles(dir)
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *sqldb.Tx) error {
		applied, latest, err := appliedMigrations(ctx, tx)
		if err != nil {
			return err
		}
		first, newest := known[0].version, known[len(known)-1].version
		switch {
		case m.existing && len(applied) == 0:
			return ErrNoTables
		case len(applied) > 0 && !applied[first]:
			return fmt.Errorf("the database is at schema version %d, which a development build before the first release has made; "+
				"the first version that this binary can upgrade is %d: begin with an empty database", latest, first)
		case latest > newest:
			return fmt.Errorf("the database is at schema version %d, this binary knows %d: use a newer binary", latest, newest)
		}
		for _, f := range known {
			if applied[f.version] {
				continue
			}
			if m.asIs {
				return fmt.Errorf("the database lacks the migration %d: start the server of this version first, which applies it", f.version)
			}
			if err := apply(ctx, tx, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// migrationFile is a migration and where its SQL is.
type migrationFile struct {
	version int64
	path    string
}

// migrationFiles returns the migrations for one kind of database, sorted by number.
func migrationFiles(dir string) ([]migrationFile, error) {
	entries, err := fs.ReadDir(migrations, dir) // sorted by name, that is by number
	if err != nil {
		return nil, err
	}
	var out []migrationFile
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number", e.Name())
		}
		out = append(out, migrationFile{version, dir + "/" + e.Name()})
	}
	return out, nil
}

// appliedMigrations returns the numbers of the migrations that the database has, and the highest of them. Until the
// transaction ends no other process migrates.
func appliedMigrations(ctx context.Context, tx *sqldb.Tx) (map[int64]bool, int64, error) {
	if tx.Pgx() != nil {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return nil, 0, err
		}
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"); err != nil {
		return nil, 0, err
	}
	applied, latest := map[int64]bool{}, int64(0)
	err := tx.Each(ctx, "SELECT version FROM schema_migration ORDER BY version", nil, func(r sqldb.Rows) error {
		err := r.Scan(&latest)
		applied[latest] = true
		return err
	})
	return applied, latest, err
}

func apply(ctx context.Context, tx *sqldb.Tx, f migrationFile) error {
	text, err := migrations.ReadFile(f.path)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, string(text)); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	_, err = tx.Exec(ctx, "INSERT INTO schema_migration (version, applied_at) VALUES ($1, $2)", f.version, int64(tx.Now()))
	return err
}
