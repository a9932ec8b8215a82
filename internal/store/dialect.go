package store

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// arrayIndex is what the path of a member may name an element of an array by.
var arrayIndex = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})$`)

// dialect holds every difference between the two databases that is not in the migrations.
type dialect interface {
	name() string
	isUnique(err error) bool
	isOutage(err error) bool                    // a failure of the database itself
	forUpdate() string                          // suffix of a SELECT that locks its rows
	forShare() string                           // suffix of a SELECT whose rows no other transaction may change
	skipLocked() string                         // suffix of a SELECT that locks its rows and leaves out those that are locked
	member(column string, path []string) string // text of a member of a document; '' when there is none
	like(expr, placeholder string) string       // match of a pattern with % and _, letters of either case
	isFull(err error) bool                      // reports whether there was no space to write
	text(e expression) string                   // an expression as text
	holds(text string) bool                     // reports whether a text can be a parameter
	rowID() string                              // column that names any row of a table, in one statement
	lockText() string                           // statement that locks a text until the transaction ends; empty: nothing to do
	markJob() string                            // metadata of a job of River with the mark that it is to be hastened
	unmarkJob() string                          // the same without the mark
	marked() string                             // condition that the mark is there
}

type sqliteDialect struct{}

func (sqliteDialect) name() string            { return "sqlite" }
func (sqliteDialect) isUnique(err error) bool { return isSQLiteUnique(err) }
func (sqliteDialect) isFull(err error) bool   { return isSQLiteFull(err) }
func (sqliteDialect) isOutage(err error) bool { return isSQLiteOutage(err) }

// forUpdate is empty: the one writer is the lock.
func (sqliteDialect) forUpdate() string  { return "" }
func (sqliteDialect) forShare() string   { return "" }
func (sqliteDialect) lockText() string   { return "" }
func (sqliteDialect) skipLocked() string { return "" }
func (sqliteDialect) holds(string) bool  { return true }
func (sqliteDialect) rowID() string      { return "rowid" }
func (sqliteDialect) markJob() string    { return "jsonb_set(metadata, '$.hasten', jsonb('true'))" }
func (sqliteDialect) unmarkJob() string  { return "jsonb_remove(metadata, '$.hasten')" }
func (sqliteDialect) marked() string     { return "json_extract(metadata, '$.hasten') = 1" }

func (sqliteDialect) text(e expression) string {
	if e.kind == kindBool {
		return "CASE WHEN " + e.sql + " THEN 'true' ELSE 'false' END"
	}
	return "CAST(" + e.sql + " AS TEXT)"
}

func (sqliteDialect) like(expr, placeholder string) string {
	return expr + " LIKE " + placeholder
}

// member reads a document that may be empty, or nest deeper than SQLite reads, as one without members. Numbers keep their
// spelling. An index of an array counts where no object has such a member.
func (sqliteDialect) member(column string, path []string) string {
	var memberPath, indexPath strings.Builder
	for _, p := range path {
		part := `."` + p + `"`
		memberPath.WriteString(part)
		if arrayIndex.MatchString(p) {
			part = "[" + p + "]"
		}
		indexPath.WriteString(part)
	}
	members, indexes := memberPath.String(), indexPath.String()
	read := func(path string) string {
		at := column + ", '$" + path + "'"
		return fmt.Sprintf("CASE json_type(%s) WHEN 'null' THEN '' WHEN 'text' THEN json_extract(%s) ELSE %s -> '$%s' END", at, at, column, path)
	}
	value := read(members)
	if indexes != members {
		value += ", " + read(indexes)
	}
	return "CASE WHEN json_valid(" + column + ") THEN COALESCE(" + value + ", '') ELSE '' END"
}

type postgresDialect struct{}

func (postgresDialect) name() string            { return "postgres" }
func (postgresDialect) isUnique(err error) bool { return isPostgresUnique(err) }
func (postgresDialect) isFull(err error) bool   { return postgresCode(err) == "53100" }
func (postgresDialect) isOutage(err error) bool { return isPostgresOutage(err) }
func (postgresDialect) forUpdate() string       { return " FOR UPDATE" }
func (postgresDialect) forShare() string        { return " FOR SHARE" }
func (postgresDialect) lockText() string {
	return "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
}
func (postgresDialect) skipLocked() string       { return " FOR UPDATE SKIP LOCKED" }
func (postgresDialect) rowID() string            { return "ctid" }
func (postgresDialect) markJob() string          { return `metadata || '{"hasten": true}'` }
func (postgresDialect) unmarkJob() string        { return "metadata - 'hasten'" }
func (postgresDialect) marked() string           { return "metadata ? 'hasten'" }
func (postgresDialect) text(e expression) string { return e.sql + "::text" }
func (postgresDialect) holds(text string) bool   { return !strings.ContainsRune(text, 0) }

// like takes a backslash for a character like any other, as SQLite does.
func (postgresDialect) like(expr, placeholder string) string {
	return expr + " ILIKE " + placeholder + " ESCAPE ''"
}

func (postgresDialect) member(column string, path []string) string {
	return "millrace_member(" + column + `, '{"` + strings.Join(path, `","`) + `"}')`
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
