package httpapi_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/millrace/millrace/internal/store"
)

// hostileDocuments are JSON that providers may send and that one of the databases cannot represent.
func hostileDocuments() []string {
	deep := strings.Repeat(`{"a":`, 1100) + "1" + strings.Repeat("}", 1100)
	return []string{
		"", `{}`, `[]`, `null`, `"text"`, `{"a":1e-99999999999,"b":"here"}`, `{"a":1e999999,"b":"here"}`, `{"a":123456789012345678901234567890}`,
		`{"a":"nul \u0000 inside","b":"here"}`, `{"\u0000":1,"b":"here"}`, `{"a":"\ud800","b":"here"}`, `{"a":"\udc00\ud800","b":"here"}`,
		`{"a":"\\\u0000\\u0000","b":"here"}`, `{"a":{"b":{"c":"\ud83d\ude00"}}}`, `{"a":["x",{"b":"y"}]}`, `{"a":"100%_\\'\""}`, `{"a":true,"b":null}`,
		deep, `{"a":"` + strings.Repeat("é%", 1000) + `"}`,
	}
}

// hostileRow describes a column well enough to fill it.
type hostileColumn struct{ name, kind string }

// rawDB is the database below a store.
func rawDB(t *testing.T, db *store.DB) *sql.DB {
	t.Helper()
	if pool := db.Postgres(); pool != nil {
		conn := stdlib.OpenDBFromPool(pool)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return db.SQLite()
}

func columnsOf(t *testing.T, conn *sql.DB, table string, postgres bool) []hostileColumn {
	t.Helper()
	query := "SELECT name, lower(type) FROM pragma_table_info('" + table + "')"
	if postgres {
		query = "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '" + table + "'"
	}
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []hostileColumn
	for rows.Next() {
		var c hostileColumn
		if err := rows.Scan(&c.name, &c.kind); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		t.Fatalf("columns of %s: %v, %v", table, out, err)
	}
	return out
}

// insertHostile puts a row with each hostile document, in all of its columns of documents, into a table.
func (w *world) insertHostile(t *testing.T, table string, documents []string) {
	t.Helper()
	conn, postgres := rawDB(t, w.db), w.db.Postgres() != nil
	columns := columnsOf(t, conn, table, postgres)
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	loose := "PRAGMA defer_foreign_keys = 1"
	if postgres {
		loose = "SET LOCAL session_replication_role = replica"
	}
	if _, err := tx.ExecContext(t.Context(), loose); err != nil {
		t.Fatal(err)
	}
	for i, text := range hostileDocuments() {
		names, marks, args := []string{}, []string{}, []any{}
		for _, c := range columns {
			names, marks = append(names, c.name), append(marks, fmt.Sprintf("$%d", len(marks)+1))
			args = append(args, w.hostileValue(table, c, documents, i, text))
		}
		query := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
		if _, err := tx.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) hostileValue(table string, c hostileColumn, documents []string, i int, text string) any {
	switch {
	case c.name == "id" && table == "environment":
		return fmt.Sprintf("eeeeeeee-1111-4111-8111-%012d", i)
	case c.name == "id":
		return fmt.Sprintf("dddddddd-1111-4111-8111-%012d", i)
	case c.name == "environment_id":
		return string(w.env)
	case table == "workflow" && c.name == "config" && !strings.HasPrefix(text, "{"):
		return "{}" // it was checked when it was saved, and is always an object
	case c.name == "warnings":
		return `[{"message":"ours"}]` // never a client's own document
	case slices.Contains(documents, c.name):
		return text
	case strings.Contains(c.kind, "bool"):
		return i%2 == 0
	case strings.Contains(c.kind, "int"):
		return int64(i + 1)
	case c.kind == "bytea", c.kind == "blob":
		return []byte{}
	case strings.HasSuffix(c.name, "_id"):
		return fmt.Sprintf("cccccccc-1111-4111-8111-%012d", i)
	}
	return fmt.Sprintf("100%%_\\'\" %s %d", c.name, i)
}
