package table

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
)

// LogCursor is where a page of a log ended.
type LogCursor struct {
	At millrace.Time
	ID string
}

// logCursor is a LogCursor as text. A millrace.Time would lose its microseconds there.
type logCursor struct {
	At int64  `json:"t"`
	ID string `json:"i"`
}

// LogPart is a SELECT that a log is made of. Its rows have created_at and id, which order the log.
type LogPart struct {
	Columns, From string
	Id            string            // the expression that id is
	Filters       map[string]string // by key: a condition with one %s
}

// select completes a part: conditions, order, limit. All parts of a log share the arguments.
func (p LogPart) sql(c *Clause, q millrace.LogQuery, cur *LogCursor) string {
	conditions := []string{}
	if q.After != 0 {
		conditions = append(conditions, "d.created_at > "+c.Bind(int64(q.After)))
	}
	if q.Before != 0 {
		conditions = append(conditions, "d.created_at < "+c.Bind(int64(q.Before)))
	}
	for _, key := range slices.Sorted(maps.Keys(q.Filters)) {
		conditions = append(conditions, fmt.Sprintf(p.Filters[key], c.Bind(q.Filters[key])))
	}
	if cur != nil {
		at := c.Bind(int64(cur.At))
		conditions = append(conditions, fmt.Sprintf("(d.created_at < %s OR (d.created_at = %s AND %s < %s))", at, at, p.Id, c.Bind(cur.ID)))
	}
	where := strings.Join(append([]string{p.From}, conditions...), " AND ")
	return fmt.Sprintf("SELECT %s FROM %s ORDER BY d.created_at DESC, %s DESC LIMIT %d", p.Columns, where, p.Id, q.Limit+1)
}

// ReadLog runs the parts of a log as one list, newest first. scan reads a row and returns where it stands and how large it
// is; it is called for the rows of the page only. A page ends early when its rows are large.
func ReadLog(ctx context.Context, tx *sqldb.Tx, env millrace.EnvironmentID, q millrace.LogQuery, parts []LogPart, scan func(sqldb.Rows) (LogCursor, int, error)) (*string, error) {
	if q.Limit <= 0 || q.Limit > millrace.MaxLogLimit {
		q.Limit = millrace.MaxLogLimit
	}
	if err := checkLogFilters(q.Filters, parts[0].Filters); err != nil {
		return nil, err
	}
	cur, err := parseLogCursor(q.Cursor)
	if err != nil {
		return nil, err
	}
	c := &Clause{Args: []any{string(env)}}
	selects := make([]string, len(parts))
	for i, p := range parts {
		selects[i] = fmt.Sprintf("SELECT * FROM (%s) AS part%d", p.sql(c, q, cur), i)
	}
	query := fmt.Sprintf("%s ORDER BY created_at DESC, id DESC LIMIT %d", strings.Join(selects, " UNION ALL "), q.Limit+1)
	var last LogCursor
	n, size, more := 0, 0, false
	err = tx.Each(ctx, query, c.Args, func(r sqldb.Rows) error {
		if more = n == q.Limit || size > millrace.MaxPageBytes; more {
			return errEnough
		}
		n++
		at, bytes, err := scan(r)
		last, size = at, size+bytes
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err != nil || !more {
		return nil, err
	}
	raw, err := json.Marshal(logCursor{int64(last.At), last.ID})
	if err != nil {
		return nil, fmt.Errorf("encode cursor: %w", err)
	}
	next := base64.RawURLEncoding.EncodeToString(raw)
	return &next, nil
}

func parseLogCursor(text string) (*LogCursor, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the first page has no cursor
	}
	cur := logCursor{}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &cur)
	}
	if err != nil || cur.ID == "" || strings.ContainsRune(cur.ID, 0) {
		return nil, millrace.Invalid("next_cursor", "is not a cursor that this log returned")
	}
	return &LogCursor{millrace.Time(cur.At), cur.ID}, nil
}

// checkLogFilters rejects keys that a log does not have, all in one error.
func checkLogFilters(filters, known map[string]string) error {
	var failures []millrace.Failure
	names := slices.Sorted(maps.Keys(known))
	for _, key := range slices.Sorted(maps.Keys(filters)) {
		if _, ok := known[key]; !ok {
			f := millrace.Failure{Path: "log_type_filter[" + key + "]", Message: "is not a filter of this log; known are " + strings.Join(names, ", ")}
			f.Suggest(key, names)
			failures = append(failures, f)
		}
	}
	return millrace.InvalidAll(failures)
}
