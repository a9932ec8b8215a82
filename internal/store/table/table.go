package table

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// Table writes and reads the rows of one noun. Its first column is id, its second environment_id unless root is set.
type Table[T any] struct {
	Name    string
	What    string // for people
	Columns []Column[T]
	Virtual map[string]Virtual       // further names for filters
	Status  *Machine                 // guards the column status; nil: there is none
	Open    string                   // condition of the status of rows that have not ended, as an index has it; empty: no index has
	Root    bool                     // the environment itself, or what belongs to none: no environment_id
	Across  bool                     // admins see the rows of all environments
	Audit   *Audit[T]                // how changes by actors are recorded; nil: they are not
	Fill    func(tx *sqldb.Tx, v *T) // id and times of a new row
	Touch   func(tx *sqldb.Tx, v *T) // times of a changed row
}

// Names returns the names of the columns for a SELECT.
func (t *Table[T]) Names() string { return strings.Join(t.ColumnNames(), ", ") }

// ColumnNames returns the names of the columns in their order.
func (t *Table[T]) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.name
	}
	return names
}

// Size estimates what a row takes.
func (t *Table[T]) Size(v *T) int {
	const few = 16 // of a column
	n := few * len(t.Columns)
	for _, c := range t.Columns {
		if c.size != nil {
			n += c.size(v)
		}
	}
	return n
}

// Values returns what a row writes to its columns.
func (t *Table[T]) Values(tx *sqldb.Tx, v *T) ([]any, error) {
	args := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		var err error
		if args[i], err = c.get(tx, v); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// Dests returns where the columns of a row are scanned to.
func (t *Table[T]) Dests(tx *sqldb.Tx, v *T) []any {
	dests := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		dests[i] = c.dest(tx, v)
	}
	return dests
}

// Insert adds a row. It returns an error of KindConflict when the id or another unique key is taken.
func (t *Table[T]) Insert(ctx context.Context, tx *sqldb.Tx, v *T) error {
	return t.InsertAll(ctx, tx, []*T{v})
}

// InsertAll adds rows, many with a statement. It returns an error of KindConflict when an id or another unique key is taken.
func (t *Table[T]) InsertAll(ctx context.Context, tx *sqldb.Tx, rows []*T) error {
	return t.inserts(ctx, tx, rows, func(query string, args []any) error {
		_, err := tx.Exec(ctx, query, args...)
		if tx.Dialect().IsUnique(err) {
			return &millrace.Error{Kind: millrace.KindConflict, Message: t.What + " already exists", Err: err}
		}
		return err
	})
}

// InsertAllNew adds rows but for those of which a unique key is taken, and returns the ids of those that it added.
func (t *Table[T]) InsertAllNew(ctx context.Context, tx *sqldb.Tx, rows []*T) (map[string]bool, error) {
	added := map[string]bool{}
	err := t.inserts(ctx, tx, rows, func(query string, args []any) error {
		ids, err := ReadIDs[string](ctx, tx, query+" ON CONFLICT DO NOTHING RETURNING id", args...)
		for _, id := range ids {
			added[id] = true
		}
		return err
	})
	return added, err
}

// inserts fills rows in and calls run with the statements that add them.
func (t *Table[T]) inserts(ctx context.Context, tx *sqldb.Tx, rows []*T, run func(query string, args []any) error) error {
	for len(rows) > 0 {
		n := RowsAtOnce(len(rows))
		args := make([]any, 0, n*len(t.Columns))
		values := make([]string, n)
		for i, v := range rows[:n] {
			t.Fill(tx, v)
			some, err := t.Values(tx, v)
			if err != nil {
				return err
			}
			if err := t.watchNew(ctx, tx, v, some); err != nil {
				return err
			}
			values[i] = "(" + PlaceholdersFrom(len(args)+1, len(some)) + ")"
			args = append(args, some...)
		}
		if err := run("INSERT INTO "+t.Name+" ("+t.Names()+") VALUES "+strings.Join(values, ", "), args); err != nil {
			return fmt.Errorf("insert %s: %w", t.What, err)
		}
		rows = rows[n:]
	}
	return nil
}

// InsertNew adds a row unless a unique key is taken, and reports whether it did.
func (t *Table[T]) InsertNew(ctx context.Context, tx *sqldb.Tx, v *T) (bool, error) {
	added, err := t.InsertAllNew(ctx, tx, []*T{v})
	return len(added) > 0, err
}

// Find returns the first row that meets the condition, or nil. A condition on a column with a partial index must
// repeat the index's own condition: SQLite does not conclude it from a parameter.
func (t *Table[T]) Find(ctx context.Context, tx *sqldb.Tx, condition string, args ...any) (*T, error) {
	v := new(T)
	found, err := tx.One(ctx, fmt.Sprintf("SELECT %s FROM %s AS t WHERE %s", t.Names(), t.Name, condition), args, t.Dests(tx, v)...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.What, err)
	}
	if !found {
		return nil, nil //nolint:nilnil // no row is a valid result; get turns it into an error
	}
	return v, nil
}

// Get returns the row of an environment by id, or an error of KindNotFound.
func (t *Table[T]) Get(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id, suffix string) (*T, error) {
	condition, args := "id = $1 AND environment_id = $2", []any{strings.ToLower(id), string(env)}
	if t.Across && env == "" {
		condition, args = "id = $1", args[:1]
	}
	v, err := t.Find(ctx, tx, condition+suffix, args...)
	if err == nil && v == nil {
		err = millrace.NotFound(t.What, id)
	}
	return v, err
}

// All returns the rows that meet the condition.
func (t *Table[T]) All(ctx context.Context, tx *sqldb.Tx, condition string, args ...any) ([]T, error) {
	var out []T
	err := tx.Each(ctx, fmt.Sprintf("SELECT %s FROM %s AS t WHERE %s", t.Names(), t.Name, condition), args, func(r sqldb.Rows) error {
		v := new(T)
		if err := r.Scan(t.Dests(tx, v)...); err != nil {
			return err
		}
		out = append(out, *v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", t.What, err)
	}
	return out, nil
}

// Update writes all columns of the row with v's id where the extra condition, which may use placeholders from
// $<columns+1>, holds. It reports whether there was such a row, and returns an error of KindConflict when its status does not lead
// to the new one.
func (t *Table[T]) Update(ctx context.Context, tx *sqldb.Tx, v *T, condition string, extra ...any) (bool, error) {
	t.Touch(tx, v)
	args, err := t.Values(tx, v)
	if err == nil {
		err = t.Watch(ctx, tx, t.environmentOf(args), fmt.Sprint(args[0]))
	}
	if err != nil {
		return false, err
	}
	sets := make([]string, 0, len(t.Columns))
	for i, c := range t.Columns[1:] {
		sets = append(sets, fmt.Sprintf("%s = $%d", c.name, i+2))
	}
	where := "id = $1"
	if !t.Root {
		where += " AND environment_id = $2"
	}
	status := slices.Index(t.ColumnNames(), "status")
	if t.Status != nil {
		where += " AND " + t.Status.May("status", fmt.Sprintf("$%d", status+1))
	}
	if condition != "" {
		where += " AND " + condition
	}
	n, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, strings.Join(sets, ", "), where), append(args, extra...)...)
	if tx.Dialect().IsUnique(err) {
		return false, &millrace.Error{Kind: millrace.KindConflict, Message: t.What + " already exists", Err: err}
	}
	if err != nil {
		return false, fmt.Errorf("update %s: %w", t.What, err)
	}
	if n == 0 && t.Status != nil {
		err = t.Status.Reason(ctx, tx, millrace.EnvironmentID(fmt.Sprint(args[1])), fmt.Sprint(args[0]), fmt.Sprint(args[status]))
	}
	return n > 0, err
}

// Remove deletes a row of an environment, or returns an error of KindNotFound.
func (t *Table[T]) Remove(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, id string) error {
	if err := t.Watch(ctx, tx, env, strings.ToLower(id)); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, "DELETE FROM "+t.Name+" WHERE id = $1 AND environment_id = $2", strings.ToLower(id), string(env))
	return Changed(n, err, t.What, id)
}

// environmentOf returns the environment of a row by what it writes to its columns.
func (t *Table[T]) environmentOf(args []any) millrace.EnvironmentID {
	if t.Root {
		return ""
	}
	return millrace.EnvironmentID(fmt.Sprint(args[1]))
}

// NewRow sets the id and the times of a row about to be inserted.
func NewRow[ID ~string](tx *sqldb.Tx, id *ID, times ...*millrace.Time) {
	if *id == "" {
		*id = millrace.NewID[ID]()
	}
	*id = ID(strings.ToLower(string(*id)))
	now := tx.Now()
	for _, t := range times {
		if *t == 0 {
			*t = now
		}
	}
}

// MustUpdate writes all columns of a row by its id, or returns an error of KindNotFound.
func MustUpdate[T any](ctx context.Context, tx *sqldb.Tx, t *Table[T], v *T, id string) error {
	ok, err := t.Update(ctx, tx, v, "")
	if err == nil && !ok {
		err = millrace.NotFound(t.What, id)
	}
	return err
}
