package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
)

// kind says how a column is compared and shown to filters.
type kind int

const (
	kindText kind = iota
	kindBool
	kindInt
	kindTime
	kindDocument // JSON text; its members can be filtered by a dotted name
	kindHidden   // not visible to filters
)

// column ties a column of a table to a field of the noun T.
type column[T any] struct {
	name string
	kind kind
	get  func(*T) (any, error) // value to write
	dest func(*T) any          // where to scan to
	size func(*T) int          // bytes of the value; nil: few
}

// table writes and reads the rows of one noun. Its first column is id, its second environment_id unless root is set.
type table[T any] struct {
	name    string
	what    string // for people
	columns []column[T]
	virtual map[string]virtual // further names for filters
	dialect dialect
	root    bool               // the environment itself: no environment_id
	fill    func(tx *Tx, v *T) // id and times of a new row
	touch   func(tx *Tx, v *T) // times of a changed row
}

// virtual is an expression that lists can be filtered by.
type virtual struct {
	expr string
	kind kind
}

func text[T any, S ~string](name string, field func(*T) *S) column[T] {
	return column[T]{
		name, kindText,
		func(v *T) (any, error) { return string(*field(v)), nil },
		func(v *T) any { return &textDest[S]{field(v)} },
		func(v *T) int { return len(*field(v)) },
	}
}

// textDest scans text into a string type.
type textDest[S ~string] struct{ to *S }

// Scan implements sql.Scanner.
func (d *textDest[S]) Scan(src any) error {
	switch s := src.(type) {
	case string:
		*d.to = S(s)
	case []byte:
		*d.to = S(s)
	default:
		return fmt.Errorf("scan text from %T", src)
	}
	return nil
}

func number[T any](name string, field func(*T) *int64) column[T] {
	return column[T]{name, kindInt, func(v *T) (any, error) { return *field(v), nil }, func(v *T) any { return field(v) }, nil}
}

func flag[T any](name string, field func(*T) *bool) column[T] {
	return column[T]{name, kindBool, func(v *T) (any, error) { return *field(v), nil }, func(v *T) any { return field(v) }, nil}
}

func stamp[T any](name string, field func(*T) *millrace.Time) column[T] {
	return column[T]{
		name, kindTime,
		func(v *T) (any, error) { return int64(*field(v)), nil },
		func(v *T) any { return (*int64)(field(v)) },
		nil,
	}
}

func document[T any](name string, field func(*T) *json.RawMessage) column[T] {
	return column[T]{
		name, kindDocument,
		func(v *T) (any, error) { return string(*field(v)), nil },
		func(v *T) any { return &documentDest{field(v)} },
		func(v *T) int { return len(*field(v)) },
	}
}

// maxWarnings bounds what one row keeps of its warnings, in bytes: rows are read whole in lists and when events are matched.
const maxWarnings = 16 << 10

// warnings are those about a row, the last of them left out if they are too long.
func warnings[T any](field func(*T) *[]millrace.Failure) column[T] {
	return column[T]{
		name: "warnings", kind: kindHidden,
		get: func(v *T) (any, error) {
			list, size := *field(v), 0
			for i := range list {
				b, err := json.Marshal(list[i])
				if err != nil {
					return nil, err
				}
				if size += len(b); size > maxWarnings {
					list = list[:i]
					break
				}
			}
			if len(list) == 0 {
				return "", nil
			}
			b, err := json.Marshal(list)
			return string(b), err
		},
		dest: func(v *T) any { return &jsonDest{field(v)} },
	}
}

func hidden[T any](c column[T]) column[T] {
	c.kind = kindHidden
	return c
}

// documentDest scans text into a document; empty text is an absent one.
type documentDest struct{ to *json.RawMessage }

// Scan implements sql.Scanner.
func (d *documentDest) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		*d.to = nil
	case string:
		*d.to = nil
		if s != "" {
			*d.to = json.RawMessage(s)
		}
	case []byte:
		*d.to = nil
		if len(s) > 0 {
			*d.to = append(json.RawMessage(nil), s...)
		}
	default:
		return fmt.Errorf("scan document from %T", src)
	}
	return nil
}

// sealed is a document column that is encrypted at rest, bound to its table and column.
func sealed[T any](db *DB, table, name string, field func(*T) *json.RawMessage) column[T] {
	ad := []byte(table + "." + name)
	return column[T]{
		name, kindHidden,
		func(v *T) (any, error) { return seal(db, *field(v), ad) },
		func(v *T) any {
			return &sealedDest{db, ad, func(b []byte) { *field(v) = b }}
		},
		func(v *T) int { return len(*field(v)) },
	}
}

// sealedText is a text column that is encrypted at rest.
func sealedText[T any](db *DB, table, name string, field func(*T) *string) column[T] {
	ad := []byte(table + "." + name)
	return column[T]{
		name, kindHidden,
		func(v *T) (any, error) { return seal(db, []byte(*field(v)), ad) },
		func(v *T) any {
			return &sealedDest{db, ad, func(b []byte) { *field(v) = string(b) }}
		},
		func(v *T) int { return len(*field(v)) },
	}
}

func seal(db *DB, plain, ad []byte) (any, error) {
	if len(plain) == 0 {
		return []byte{}, nil
	}
	b, err := db.cipher.Encrypt(plain, ad)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", ad, err)
	}
	return b, nil
}

type sealedDest struct {
	db  *DB
	ad  []byte
	set func([]byte)
}

// Scan implements sql.Scanner.
func (d *sealedDest) Scan(src any) error {
	b, _ := src.([]byte)
	if len(b) == 0 {
		d.set(nil)
		return nil
	}
	plain, err := d.db.cipher.Decrypt(b, d.ad)
	if err != nil {
		return fmt.Errorf("open sealed %s (is the encryption key the one it was stored with?): %w", d.ad, err)
	}
	d.set(plain)
	return nil
}

func (t *table[T]) names() string { return strings.Join(t.columnNames(), ", ") }

func (t *table[T]) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// size estimates what a row takes.
func (t *table[T]) size(v *T) int {
	const few = 16 // of a column
	n := few * len(t.columns)
	for _, c := range t.columns {
		if c.size != nil {
			n += c.size(v)
		}
	}
	return n
}

func (t *table[T]) values(v *T) ([]any, error) {
	args := make([]any, len(t.columns))
	for i, c := range t.columns {
		var err error
		if args[i], err = c.get(v); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (t *table[T]) dests(v *T) []any {
	dests := make([]any, len(t.columns))
	for i, c := range t.columns {
		dests[i] = c.dest(v)
	}
	return dests
}

// readIDs returns the ids that a query yields.
func readIDs[T ~string](ctx context.Context, tx *Tx, query string, args ...any) ([]T, error) {
	var out []T
	err := tx.each(ctx, query, args, func(r rows) error {
		var id string
		err := r.Scan(&id)
		out = append(out, T(id))
		return err
	})
	return out, err
}

func placeholders(n int) string { return placeholdersFrom(1, n) }

// placeholdersFrom returns n placeholders, the first with the number first.
func placeholdersFrom(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// insert adds a row. It returns an error of KindConflict when the id or another unique key is taken.
func (t *table[T]) insert(ctx context.Context, tx *Tx, v *T) error {
	return t.insertAll(ctx, tx, []*T{v})
}

// insertAll adds rows, many with a statement. It returns an error of KindConflict when an id or another unique key is taken.
func (t *table[T]) insertAll(ctx context.Context, tx *Tx, rows []*T) error {
	return t.inserts(tx, rows, func(query string, args []any) error {
		_, err := tx.exec(ctx, query, args...)
		if tx.db.dialect.isUnique(err) {
			return &millrace.Error{Kind: millrace.KindConflict, Message: t.what + " already exists", Err: err}
		}
		return err
	})
}

// insertAllNew adds rows but for those of which a unique key is taken, and returns the ids of those that it added.
func (t *table[T]) insertAllNew(ctx context.Context, tx *Tx, rows []*T) (map[string]bool, error) {
	added := map[string]bool{}
	err := t.inserts(tx, rows, func(query string, args []any) error {
		ids, err := readIDs[string](ctx, tx, query+" ON CONFLICT DO NOTHING RETURNING id", args...)
		for _, id := range ids {
			added[id] = true
		}
		return err
	})
	return added, err
}

// inserts fills rows in and calls run with the statements that add them.
func (t *table[T]) inserts(tx *Tx, rows []*T, run func(query string, args []any) error) error {
	for len(rows) > 0 {
		n := rowsAtOnce(len(rows))
		args := make([]any, 0, n*len(t.columns))
		values := make([]string, n)
		for i, v := range rows[:n] {
			t.fill(tx, v)
			some, err := t.values(v)
			if err != nil {
				return err
			}
			values[i] = "(" + placeholdersFrom(len(args)+1, len(some)) + ")"
			args = append(args, some...)
		}
		if err := run("INSERT INTO "+t.name+" ("+t.names()+") VALUES "+strings.Join(values, ", "), args); err != nil {
			return fmt.Errorf("insert %s: %w", t.what, err)
		}
		rows = rows[n:]
	}
	return nil
}

// rowsAtOnce returns how many of so many rows the next statement writes: there are few sizes, so that few statements are kept.
func rowsAtOnce(rows int) int {
	n := 64
	for n > rows {
		n /= 4
	}
	return n
}

// insertNew adds a row unless a unique key is taken, and reports whether it did.
func (t *table[T]) insertNew(ctx context.Context, tx *Tx, v *T) (bool, error) {
	added, err := t.insertAllNew(ctx, tx, []*T{v})
	return len(added) > 0, err
}

// find returns the first row that meets the condition, or nil. A condition on a column with a partial index must
// repeat the index's own condition: SQLite does not conclude it from a parameter.
func (t *table[T]) find(ctx context.Context, tx *Tx, condition string, args ...any) (*T, error) {
	v := new(T)
	found, err := tx.one(ctx, fmt.Sprintf("SELECT %s FROM %s AS t WHERE %s", t.names(), t.name, condition), args, t.dests(v)...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.what, err)
	}
	if !found {
		return nil, nil //nolint:nilnil // absence is an answer here; get turns it into an error
	}
	return v, nil
}

// get returns the row of an environment by id, or an error of KindNotFound.
func (t *table[T]) get(ctx context.Context, tx *Tx, env millrace.EnvironmentID, id, suffix string) (*T, error) {
	v, err := t.find(ctx, tx, "id = $1 AND environment_id = $2"+suffix, strings.ToLower(id), string(env))
	if err == nil && v == nil {
		err = millrace.NotFound(t.what, id)
	}
	return v, err
}

// all returns the rows that meet the condition.
func (t *table[T]) all(ctx context.Context, tx *Tx, condition string, args ...any) ([]T, error) {
	var out []T
	err := tx.each(ctx, fmt.Sprintf("SELECT %s FROM %s AS t WHERE %s", t.names(), t.name, condition), args, func(r rows) error {
		v := new(T)
		if err := r.Scan(t.dests(v)...); err != nil {
			return err
		}
		out = append(out, *v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", t.what, err)
	}
	return out, nil
}

// update writes all columns of the row with v's id where the extra condition, which may use placeholders from
// $<columns+1>, holds. It reports whether there was such a row.
func (t *table[T]) update(ctx context.Context, tx *Tx, v *T, condition string, extra ...any) (bool, error) {
	t.touch(tx, v)
	args, err := t.values(v)
	if err != nil {
		return false, err
	}
	sets := make([]string, 0, len(t.columns))
	for i, c := range t.columns[1:] {
		sets = append(sets, fmt.Sprintf("%s = $%d", c.name, i+2))
	}
	where := "id = $1"
	if !t.root {
		where += " AND environment_id = $2"
	}
	if condition != "" {
		where += " AND " + condition
	}
	n, err := tx.exec(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.name, strings.Join(sets, ", "), where), append(args, extra...)...)
	if tx.db.dialect.isUnique(err) {
		return false, &millrace.Error{Kind: millrace.KindConflict, Message: t.what + " already exists", Err: err}
	}
	if err != nil {
		return false, fmt.Errorf("update %s: %w", t.what, err)
	}
	return n > 0, nil
}

// remove deletes a row of an environment, or returns an error of KindNotFound.
func (t *table[T]) remove(ctx context.Context, tx *Tx, env millrace.EnvironmentID, id string) error {
	n, err := tx.exec(ctx, "DELETE FROM "+t.name+" WHERE id = $1 AND environment_id = $2", strings.ToLower(id), string(env))
	return changed(n, err, t.what, id)
}
