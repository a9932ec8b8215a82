package table

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// List returns one page of the rows of an environment; with an empty env, where rows may be seen across environments, of all.
func (t *Table[T]) List(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, q millrace.Query) (millrace.Page[T], error) {
	c, d := &Clause{}, tx.Dialect()
	switch {
	case t.Root && env == "":
		c.Conditions = append(c.Conditions, "t.deleting_at = 0")
	case t.Across && env == "":
		c.Conditions = append(c.Conditions, "1 = 1")
	case t.Root:
		c.Conditions = append(c.Conditions, "t.id = "+c.Bind(string(env)))
	default:
		c.Conditions = append(c.Conditions, "t.environment_id = "+c.Bind(string(env)))
	}
	for _, f := range q.Filters {
		if err := t.Filter(d, c, f); err != nil {
			return millrace.Page[T]{}, err
		}
	}
	orders, err := t.orders(d, q)
	if err != nil {
		return millrace.Page[T]{}, err
	}
	if q.Cursor != "" {
		if err := after(d, c, orders, q.Cursor); err != nil {
			return millrace.Page[T]{}, err
		}
	}
	if q.Limit <= 0 || q.Limit > millrace.MaxLimit {
		q.Limit = millrace.MaxLimit
	}
	return t.page(ctx, tx, c, orders, q)
}

// A page that is bounded in bytes is read in parts on PostgreSQL, which sends all rows of a query whether they are wanted
// or not: first some, then as many as should fit if they are like those.
const (
	firstRows = 16
	moreRows  = 1024
)

// page reads a page: at most so many rows, at most so many bytes, but one row at least.
func (t *Table[T]) page(ctx context.Context, tx *sqldb.Tx, c *Clause, orders []order, q millrace.Query) (millrace.Page[T], error) {
	page := millrace.Page[T]{Result: []T{}, Limit: q.Limit}
	s := &scan[T]{tx: tx, table: t, orders: orders, rows: page.Result, limit: q.Limit, maxBytes: q.MaxBytes}
	n := q.Limit + 1
	inParts := q.MaxBytes > 0 && tx.Pgx() != nil
	if inParts {
		n = min(n, firstRows)
	}
	for {
		part := &Clause{Conditions: slices.Clone(c.Conditions), Args: slices.Clone(c.Args)}
		if s.last != nil {
			s.follow(part)
		}
		before := len(s.rows)
		if err := s.read(ctx, part, n); err != nil {
			return page, fmt.Errorf("list %s rows: %w", t.What, err)
		}
		if s.more || !inParts || len(s.rows)-before < n {
			break
		}
		n = min(q.Limit+1-len(s.rows), moreRows, max((q.MaxBytes-s.bytes)*len(s.rows)/s.bytes, firstRows))
	}
	page.Result = s.rows
	if s.more {
		text, err := json.Marshal(cursor{orderName(orders), s.last})
		if err != nil {
			return page, fmt.Errorf("encode cursor: %w", err)
		}
		next := base64.RawURLEncoding.EncodeToString(text)
		page.NextCursor = &next
	}
	return page, nil
}

// scan is a page while it is read.
type scan[T any] struct {
	tx              *sqldb.Tx
	table           *Table[T]
	orders          []order
	rows            []T
	bytes           int
	limit, maxBytes int
	last            []any // where the last row stands
	more            bool  // there are rows that the page has no room for
}

// errEnough ends a scan early.
var errEnough = errors.New("store: the page is full")

// read adds up to n rows that meet the conditions.
func (s *scan[T]) read(ctx context.Context, c *Clause, n int) error {
	t := s.table
	var by, keys []string
	for _, o := range s.orders {
		direction := " ASC"
		if o.desc {
			direction = " DESC"
		}
		by = append(by, o.sql+direction)
		keys = append(keys, o.sql)
	}
	query := fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %s ORDER BY %s LIMIT %d", t.Prefixed("t."), strings.Join(keys, ", "),
		t.Name, strings.Join(c.Conditions, " AND "), strings.Join(by, ", "), n)
	err := s.tx.Each(ctx, query, c.Args, s.add)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// add adds a row if the page has room for it.
func (s *scan[T]) add(r sqldb.Rows) error {
	if s.more = len(s.rows) == s.limit; s.more {
		return errEnough
	}
	v := new(T)
	values := keyDests(s.orders)
	if err := r.Scan(append(s.table.Dests(s.tx, v), values...)...); err != nil {
		return err
	}
	size := s.table.Size(v)
	if s.more = s.maxBytes > 0 && len(s.rows) > 0 && s.bytes+size > s.maxBytes; s.more {
		return errEnough
	}
	s.rows, s.bytes, s.last = append(s.rows, *v), s.bytes+size, values
	return nil
}

// follow adds the condition that a row comes after the last one.
func (s *scan[T]) follow(c *Clause) {
	values := make([]any, len(s.last))
	for i, v := range s.last {
		switch v := v.(type) {
		case *int64:
			values[i] = *v
		case *bool:
			values[i] = *v
		case *string:
			values[i] = *v
		}
	}
	follow(c, s.orders, values)
}

// Prefixed returns the names of the columns for a SELECT, each behind a prefix.
func (t *Table[T]) Prefixed(prefix string) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = prefix + c.name
	}
	return strings.Join(names, ", ")
}
