package sqldb

import (
	"fmt"
	"regexp"
	"strings"
)

// arrayIndex is what the path of a member may name an element of an array by.
var arrayIndex = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})$`)

// Dialect holds every difference between the two databases that is not in the migrations.
type Dialect interface {
	Name() string
	IsUnique(err error) bool
	isOutage(err error) bool                    // a failure of the database itself
	ForUpdate() string                          // suffix of a SELECT that locks its rows
	ForShare() string                           // suffix of a SELECT whose rows no other transaction may change
	SkipLocked() string                         // suffix of a SELECT that locks its rows and leaves out those that are locked
	Member(column string, path []string) string // text of a member of a document; '' when there is none
	Like(expr, placeholder string) string       // match of a pattern with % and _, letters of either case
	isFull(err error) bool                      // reports whether there was no space to write
	Text(expr string, boolean bool) string      // an expression as text
	Holds(text string) bool                     // reports whether a text can be a parameter
	RowID() string                              // column that names any row of a table, in one statement
	Row(text string) string                     // a text as a value of that column
	FirstRow() string                           // text of a value below all of that column
	LockText() string                           // statement that locks a text until the transaction ends; empty: nothing to do
	MarkJob() string                            // metadata of a job of River with the mark that it is to be hastened
	UnmarkJob() string                          // the same without the mark
	Marked() string                             // condition that the mark is there
}

type sqliteDialect struct{}

func (sqliteDialect) Name() string            { return "sqlite" }
func (sqliteDialect) IsUnique(err error) bool { return isSQLiteUnique(err) }
func (sqliteDialect) isFull(err error) bool   { return isSQLiteFull(err) }
func (sqliteDialect) isOutage(err error) bool { return isSQLiteOutage(err) }

// ForUpdate is empty: the one writer is the lock.
func (sqliteDialect) ForUpdate() string      { return "" }
func (sqliteDialect) ForShare() string       { return "" }
func (sqliteDialect) LockText() string       { return "" }
func (sqliteDialect) SkipLocked() string     { return "" }
func (sqliteDialect) Holds(string) bool      { return true }
func (sqliteDialect) RowID() string          { return "rowid" }
func (sqliteDialect) Row(text string) string { return "CAST(" + text + " AS INTEGER)" }
func (sqliteDialect) FirstRow() string       { return "-1" }
func (sqliteDialect) MarkJob() string        { return "jsonb_set(metadata, '$.hasten', jsonb('true'))" }
func (sqliteDialect) UnmarkJob() string      { return "jsonb_remove(metadata, '$.hasten')" }
func (sqliteDialect) Marked() string         { return "json_extract(metadata, '$.hasten') = 1" }

func (sqliteDialect) Text(expr string, boolean bool) string {
	if boolean {
		return "CASE WHEN " + expr + " THEN 'true' ELSE 'false' END"
	}
	return "CAST(" + expr + " AS TEXT)"
}

func (sqliteDialect) Like(expr, placeholder string) string {
	return expr + " LIKE " + placeholder
}

// Member reads a document that may be empty, or nest deeper than SQLite reads, as one without members. Numbers keep their
// spelling. An index of an array counts where no object has such a member.
func (sqliteDialect) Member(column string, path []string) string {
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

func (postgresDialect) Name() string            { return "postgres" }
func (postgresDialect) IsUnique(err error) bool { return isPostgresUnique(err) }
func (postgresDialect) isFull(err error) bool   { return postgresCode(err) == "53100" }
func (postgresDialect) isOutage(err error) bool { return isPostgresOutage(err) }
func (postgresDialect) ForUpdate() string       { return " FOR UPDATE" }
func (postgresDialect) ForShare() string        { return " FOR SHARE" }
func (postgresDialect) LockText() string {
	return "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
}
func (postgresDialect) SkipLocked() string              { return " FOR UPDATE SKIP LOCKED" }
func (postgresDialect) RowID() string                   { return "ctid" }
func (postgresDialect) Row(text string) string          { return text + "::text::tid" }
func (postgresDialect) FirstRow() string                { return "(0,0)" }
func (postgresDialect) MarkJob() string                 { return `metadata || '{"hasten": true}'` }
func (postgresDialect) UnmarkJob() string               { return "metadata - 'hasten'" }
func (postgresDialect) Marked() string                  { return "metadata ? 'hasten'" }
func (postgresDialect) Text(expr string, _ bool) string { return expr + "::text" }
func (postgresDialect) Holds(text string) bool          { return !strings.ContainsRune(text, 0) }

// Like takes a backslash for a character like any other, as SQLite does.
func (postgresDialect) Like(expr, placeholder string) string {
	return expr + " ILIKE " + placeholder + " ESCAPE ''"
}

func (postgresDialect) Member(column string, path []string) string {
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
