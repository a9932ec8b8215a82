package storetest

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/millrace/millrace/internal/store"
)

// Strings returns what a query that selects one column of text yields.
func Strings(t testing.TB, db *store.DB, query string) []string {
	t.Helper()
	var out []string
	for _, row := range scan(t, db, query) {
		out = append(out, string(row[0]))
	}
	return out
}

// Find returns where the database holds a text: every table and column, compressed bodies as well.
func Find(t testing.TB, db *store.DB, text string) []string {
	t.Helper()
	tables := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if db.Postgres() != nil {
		tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
	}
	var out []string
	for _, table := range Strings(t, db, tables) {
		for _, row := range scan(t, db, "SELECT * FROM "+table) {
			for i, value := range row {
				if bytes.Contains(value, []byte(text)) || bytes.Contains(inflated(value), []byte(text)) {
					out = append(out, fmt.Sprintf("%s, column %d", table, i+1))
				}
			}
		}
	}
	return out
}

// inflated returns what a stored body packs, or nil when it packs none.
func inflated(b []byte) []byte {
	if len(b) == 0 || b[0] != 1 {
		return nil
	}
	out, _ := io.ReadAll(flate.NewReader(bytes.NewReader(b[1:])))
	return out
}

func scan(t testing.TB, db *store.DB, query string) [][][]byte {
	t.Helper()
	conn := db.SQLite()
	if pool := db.Postgres(); pool != nil {
		conn = stdlib.OpenDBFromPool(pool)
		defer func() { _ = conn.Close() }()
	}
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][][]byte
	for rows.Next() {
		values, dests := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range values {
			dests[i] = &values[i]
		}
		if err := rows.Scan(dests...); err != nil {
			t.Fatal(err)
		}
		out = append(out, values)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
