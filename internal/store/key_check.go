package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// ErrNoTables says that a database which should have our tables is empty.
var ErrNoTables = errors.New("store: the database has no tables")

// keyCheck is what a check value seals, and keyCheckData what it is bound to.
const (
	keyCheck     = "millrace"
	keyCheckData = "key_check.value"
)

// sealedColumns are all columns with sealed values. A value is bound to its table and column.
func sealedColumns() [][2]string {
	return [][2]string{
		{"integrated_account", "secrets"},
		{"integrated_account", "full_override"},
		{"integration", "config"},
		{"environment_integration", "override"},
		{"webhook", "secret"},
		{"webhook", "previous_secret"},
		{"webhook", "config"},
		{"inbound_hook", "header"},
		{"inbound_hook", "query"},
		{"inbound_hook", "body"},
		{"idempotent_call", "body"},
		{"account_grant", "response"},
		{"account_grant", "previous"},
		{"link_token", "context"},
		{"connect_session", "secrets"},
		{"connect_session", "response"},
		{"disconnection", "revocation"},
		{"static_gate", "token"},
	}
}

// KeyCheck is a value that an encryption key has sealed, by which the key is known.
type KeyCheck struct {
	ID    int64 // later keys have higher ones; 0: a value of a version that kept no check values
	Value []byte
	Since millrace.Time // when a server last began to encrypt with it; 0: not known
}

// KeyChecks returns a check value of each key that has sealed values, the newest last, and what they are bound to. There are none
// when nothing is sealed.
func (db *DB) KeyChecks(ctx context.Context) ([]KeyCheck, []byte, error) {
	var out []KeyCheck
	data := keyCheckData
	err := db.db.View(ctx, func(tx *sqldb.Tx) error {
		out, data = nil, keyCheckData
		err := tx.Each(ctx, "SELECT id, value, created_at FROM key_check ORDER BY id", nil, func(r sqldb.Rows) error {
			var c KeyCheck
			err := r.Scan(&c.ID, &c.Value, (*int64)(&c.Since))
			out = append(out, c)
			return err
		})
		if err != nil || len(out) > 0 {
			return err
		}
		for _, c := range sealedColumns() {
			var value []byte
			found, err := tx.One(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE length(%s) > 0 LIMIT 1", c[1], c[0], c[1]), nil, &value)
			if err != nil || found {
				out, data = []KeyCheck{{Value: value}}[:min(1, len(value))], c[0]+"."+c[1]
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read check values of encryption keys: %w", err)
	}
	return out, []byte(data), nil
}

// AddKey stores a check value of the key that encrypts, as the newest, instead of those with some ids. It returns an error of
// KindConflict when another node does so at the same time.
func (db *DB) AddKey(ctx context.Context, replaces ...int64) error {
	return db.db.Update(ctx, func(tx *sqldb.Tx) error {
		for _, id := range replaces {
			if _, err := tx.Exec(ctx, "DELETE FROM key_check WHERE id = $1", id); err != nil {
				return fmt.Errorf("replace check value of an encryption key: %w", err)
			}
		}
		check, err := tx.Seal([]byte(keyCheck), []byte(keyCheckData))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO key_check (id, value, created_at) SELECT COALESCE(MAX(id), 0) + 1, $1, $2 FROM key_check", check, int64(tx.Now()))
		if tx.Dialect().IsUnique(err) {
			return &millrace.Error{Kind: millrace.KindConflict, Message: "another node has stored a check value of its encryption key", Err: err}
		}
		if err != nil {
			return fmt.Errorf("store check value of the encryption key: %w", err)
		}
		return nil
	})
}

// RemoveKey forgets the check value of a key that nothing needs any more.
func (db *DB) RemoveKey(ctx context.Context, id int64) error {
	return db.db.Update(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM key_check WHERE id = $1", id); err != nil {
			return fmt.Errorf("forget an encryption key: %w", err)
		}
		return nil
	})
}

// Seals says which sealed values are meant: those that begin with a prefix, or those that do not.
type Seals struct {
	Prefix string
	Not    bool
}

// where is the condition for a column, about $1.
func (s Seals) where(column string) string {
	is := "="
	if s.Not {
		is = "<>"
	}
	return fmt.Sprintf("length(%s) > 0 AND substr(%s, 1, %d) %s $1", column, column, len(s.Prefix), is)
}

// CountSeals counts the sealed values that are meant, by table. It reads all of these tables.
func (db *DB) CountSeals(ctx context.Context, s Seals) ([]Owned, error) {
	var out []Owned
	err := db.db.View(ctx, func(tx *sqldb.Tx) error {
		out = nil
		for _, c := range sealedColumns() {
			var n int64
			if _, err := tx.One(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s", c[0], s.where(c[1])), []any{[]byte(s.Prefix)}, &n); err != nil {
				return fmt.Errorf("count sealed values of %s: %w", c[0], err)
			}
			if n > 0 {
				out = append(out, Owned{What: c[0] + "." + c[1], Rows: n})
			}
		}
		return nil
	})
	return out, err
}

// RunsBegunBefore counts the sync job runs that have not ended and began before a time. They may hold cursors that are sealed.
func (db *DB) RunsBegunBefore(ctx context.Context, at millrace.Time) (int64, error) {
	var n int64
	err := db.db.View(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.One(ctx, "SELECT COUNT(*) FROM sync_job_run WHERE status "+table.OpenRun+" AND created_at < $1", []any{int64(at)}, &n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count sync job runs: %w", err)
	}
	return n, nil
}

// ResealMark says how far a pass over sealed values has come. The zero value is the beginning.
type ResealMark struct {
	column int
	row    string
}

// Resealed is the result of a batch.
type Resealed struct {
	Rows   int // that are sealed with the current key now
	Failed int // that no key could open; they stay
	First  error
	Done   bool // the pass is at its end
}

// maxResealBytes bounds how much of sealed values one transaction rewrites.
const maxResealBytes = 4 << 20

// Reseal seals some of the values that are meant with the key that encrypts now, and returns how far it has come. Rows that others
// have locked are left for another pass, so it waits for none and several nodes share the work.
func (db *DB) Reseal(ctx context.Context, s Seals, at ResealMark, most int) (Resealed, ResealMark, error) {
	type step struct {
		done Resealed
		at   ResealMark
	}
	out, err := Compute(ctx, db, func(tx *Tx) (step, error) {
		done, next, err := reseal(ctx, tx.tx, s, at, most)
		return step{done, next}, err
	})
	if err != nil {
		return Resealed{}, at, err
	}
	return out.done, out.at, nil
}

func reseal(ctx context.Context, tx *sqldb.Tx, s Seals, at ResealMark, most int) (Resealed, ResealMark, error) {
	columns := sealedColumns()
	if at.column >= len(columns) {
		return Resealed{Done: true}, at, nil
	}
	table, column := columns[at.column][0], columns[at.column][1]
	d := tx.Dialect()
	after := at.row
	if after == "" {
		after = d.FirstRow()
	}
	var rows []string
	var sizes []int
	query := fmt.Sprintf("SELECT %s, length(%s) FROM %s WHERE %s AND %s > %s ORDER BY %s LIMIT $3", d.Text(d.RowID(), false), column, table, s.where(column),
		d.RowID(), d.Row("$2"), d.RowID())
	err := tx.Each(ctx, query+d.SkipLocked(), []any{[]byte(s.Prefix), after, most}, func(r sqldb.Rows) error {
		var row string
		var size int
		err := r.Scan(&row, &size)
		rows, sizes = append(rows, row), append(sizes, size)
		return err
	})
	if err != nil {
		return Resealed{}, at, fmt.Errorf("find what to seal again in %s: %w", table, err)
	}
	if len(rows) == 0 {
		return Resealed{}, ResealMark{column: at.column + 1}, nil
	}
	done, bytes := Resealed{}, 0
	for i, row := range rows {
		if bytes += sizes[i]; i > 0 && bytes > maxResealBytes {
			break
		}
		at.row = row
		if err := resealRow(ctx, tx, table, column, row); err == nil {
			done.Rows++
		} else if failed, ok := errors.AsType[*unreadable](err); ok {
			done.Failed++
			done.First = errors.Join(done.First, failed)
		} else {
			return Resealed{}, at, err
		}
	}
	return done, at, nil
}

// unreadable says that no key opens a value.
type unreadable struct {
	at  string
	err error
}

// Error implements error.
func (e *unreadable) Error() string { return fmt.Sprintf("open %s: %v", e.at, e.err) }

func resealRow(ctx context.Context, tx *sqldb.Tx, table, column, row string) error {
	d, data := tx.Dialect(), []byte(table+"."+column)
	var value []byte
	found, err := tx.One(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s = %s", column, table, d.RowID(), d.Row("$1")), []any{row}, &value)
	if err != nil || !found {
		return err
	}
	plain, err := tx.Open(value, data)
	if err != nil {
		return &unreadable{at: fmt.Sprintf("%s of row %s", data, row), err: err}
	}
	if value, err = tx.Seal(plain, data); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s = %s", table, column, d.RowID(), d.Row("$2")), value, row); err != nil {
		return fmt.Errorf("seal %s again: %w", table, err)
	}
	return nil
}
