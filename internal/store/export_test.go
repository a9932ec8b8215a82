package store

import (
	"context"
	"errors"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/upkeep"
)

// Exec opens a database with the schema that it has, runs SQL on it and closes it.
func Exec(ctx context.Context, url, sql string) error {
	db, err := open(ctx, Config{URL: url})
	if err != nil {
		return err
	}
	err = db.db.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
	return errors.Join(err, db.Close())
}

// Versions returns the migrations that a database says it has, without opening it as a server does.
func Versions(ctx context.Context, url string) ([]int64, error) {
	db, err := open(ctx, Config{URL: url})
	if err != nil {
		return nil, err
	}
	var out []int64
	err = db.db.View(ctx, func(tx *sqldb.Tx) error {
		out = nil
		return tx.Each(ctx, "SELECT version FROM schema_migration ORDER BY version", nil, func(r sqldb.Rows) error {
			var v int64
			err := r.Scan(&v)
			out = append(out, v)
			return err
		})
	})
	return out, errors.Join(err, db.Close())
}

// OwnedTables returns the names of the tables whose rows go with their environment, and of those whose rows go with such rows.
func OwnedTables() []string {
	var names []string
	for _, t := range upkeep.OwnedTables() {
		names = append(names, t.Name)
		for _, p := range t.Parts {
			names = append(names, p.Table)
		}
	}
	return names
}
