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
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// Schema names the schema that this binary makes: equal names, equal tables.
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
	existing bool  // it must have our tables
	asIs     bool  // it must be up to date
	last     int64 // the number of the last migration that is applied; 0: all
}

// migrate applies the migrations that the database does not have yet, in order, in one transaction. Each is looked for by
// its number: one with a lower number may be released after one with a higher number. It returns ErrNoTables, and leaves
// nothing behind, when the database should have had some and has none.
func (db *DB) migrate(ctx context.Context, m migration) error {
	dir := "migrations/" + db.dialect.name()
	files, err := fs.ReadDir(migrations, dir) // sorted by name, that is by number
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		if tx.Pgx() != nil {
			if _, err := tx.exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
				return err
			}
		}
		if _, err := tx.exec(ctx, "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"); err != nil {
			return err
		}
		newest, latest := int64(0), int64(0)
		have := map[int64]bool{}
		err := tx.each(ctx, "SELECT version FROM schema_migration ORDER BY version", nil, func(r rows) error {
			err := r.Scan(&latest)
			have[latest] = true
			return err
		})
		if err != nil {
			return err
		}
		if m.existing && len(have) == 0 {
			return ErrNoTables
		}
		for _, f := range files {
			number, _, _ := strings.Cut(f.Name(), "_")
			version, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return fmt.Errorf("migration %s has no number", f.Name())
			}
			if m.last > 0 && version > m.last {
				break
			}
			newest = version
			if have[version] {
				continue
			}
			if m.asIs {
				return fmt.Errorf("the database lacks the migration %d: start the server of this version first, which applies it", version)
			}
			if err := tx.apply(ctx, dir+"/"+f.Name(), version); err != nil {
				return err
			}
		}
		if latest > newest {
			return fmt.Errorf("the database is at schema version %d, this binary knows %d: use a newer binary", latest, newest)
		}
		return nil
	})
}

func (tx *Tx) apply(ctx context.Context, file string, version int64) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if version == rekeyVersion && tx.Pgx() == nil {
		if err := tx.rekey(ctx); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if _, err := tx.exec(ctx, string(text)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if version == namesVersion {
		if err := tx.nameEnvironmentsOnce(ctx); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	_, err = tx.exec(ctx, "INSERT INTO schema_migration (version, applied_at) VALUES ($1, $2)", version, int64(tx.Now()))
	return err
}
