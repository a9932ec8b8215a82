package store

import (
	"errors"
	"fmt"
	"strings"
)

// dialect holds every difference between the two databases that is not in the migrations.
type dialect interface {
	name() string
	isUnique(err error) bool
	isOutage(err error) bool                    // a failure of the database itself
	forUpdate() string                          // suffix of a SELECT that locks its rows
	skipLocked() string                         // suffix of a SELECT that locks its rows and leaves out those that are locked
	member(column string, path []string) string // text of a member of a document
	like(expr, placeholder string) string       // pattern match, letters of either case
	text(expr string) string                    // expr as text
	lockText() string                           // statement that locks a text until the transaction ends; empty: nothing to do
}

type sqliteDialect struct{}

func (sqliteDialect) name() string            { return "sqlite" }
func (sqliteDialect) isUnique(err error) bool { return isSQLiteUnique(err) }
func (sqliteDialect) isOutage(err error) bool { return isSQLiteOutage(err) }

// forUpdate is empty: the one writer is the lock.
func (sqliteDialect) forUpdate() string       { return "" }
func (sqliteDialect) lockText() string        { return "" }
func (sqliteDialect) skipLocked() string      { return "" }
func (sqliteDialect) text(expr string) string { return "CAST(" + expr + " AS TEXT)" }

func (sqliteDialect) like(expr, placeholder string) string {
	return expr + " LIKE " + placeholder
}

func (sqliteDialect) member(column string, path []string) string {
	var b strings.Builder
	for _, p := range path {
		fmt.Fprintf(&b, `."%s"`, p)
	}
	v := fmt.Sprintf("%s, '$%s'", column, b.String())
	// JSON true and false come out as 1 and 0; the API compares their words.
	return fmt.Sprintf("COALESCE(CASE json_type(%s) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(json_extract(%s) AS TEXT) END, '')", v, v)
}

type postgresDialect struct{}

func (postgresDialect) name() string            { return "postgres" }
func (postgresDialect) isUnique(err error) bool { return isPostgresUnique(err) }
func (postgresDialect) isOutage(err error) bool { return isPostgresOutage(err) }
func (postgresDialect) forUpdate() string       { return " FOR UPDATE" }
func (postgresDialect) lockText() string {
	return "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
}
func (postgresDialect) skipLocked() string      { return " FOR UPDATE SKIP LOCKED" }
func (postgresDialect) text(expr string) string { return expr + "::text" }

func (postgresDialect) like(expr, placeholder string) string {
	return expr + " ILIKE " + placeholder
}

func (postgresDialect) member(column string, path []string) string {
	return fmt.Sprintf("COALESCE(NULLIF(%s, '')::jsonb #>> '{%s}', '')", column, strings.Join(path, ","))
}

// numbered turns the $1 placeholders of our statements into SQLite's ?1: SQLite takes $1 for a name.
func numbered(query string) string {
	b := []byte(query)
	for i := range len(b) - 1 {
		if b[i] == '$' && b[i+1] >= '0' && b[i+1] <= '9' {
			b[i] = '?'
		}
	}
	return string(b)
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }
