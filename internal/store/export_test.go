package store

import (
	"context"
	"errors"
)

// OpenAt makes a database as the migrations up to one leave it, runs SQL on it and closes it.
func OpenAt(ctx context.Context, url string, last int64, rows string) error {
	db, err := open(ctx, Config{URL: url, Cipher: nil})
	if err != nil {
		return err
	}
	err = db.migrate(ctx, migration{last: last})
	if err == nil {
		err = db.Update(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, rows)
			return err
		})
	}
	return errors.Join(err, db.Close())
}

// OwnedTables returns the names of the tables whose rows go with their environment, and of those whose rows go with such rows.
func OwnedTables() []string {
	var names []string
	for _, t := range ownedTables() {
		names = append(names, t.name)
		for _, p := range t.parts {
			names = append(names, p.table)
		}
	}
	return names
}
