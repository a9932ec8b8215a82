package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver
)

// postgresEnv names the variable with the address of a PostgreSQL server to create databases on.
const postgresEnv = "MILLRACE_TEST_POSTGRES"

// newDatabase returns the address of an empty database of PostgreSQL; "" for SQLite.
func newDatabase(ctx context.Context, kind string) (string, error) {
	if kind == "sqlite" {
		return "", nil
	}
	base := os.Getenv(postgresEnv)
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	name := fmt.Sprintf("millrace_pages_%d", os.Getpid())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", errors.New(postgresEnv + " is no URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// filler multiplies rows.
type filler struct {
	exec    func(context.Context, string) error
	columns func(context.Context, string) ([]string, error)
	close   func() error
	series  string // a table g with the numbers n of %d to %d
	pad     string // n with twelve digits
	empty   string // no bytes
	after   []string
}

func open(ctx context.Context, data, url string) (*filler, error) {
	if url != "" {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return nil, err
		}
		return &filler{
			exec: func(ctx context.Context, s string) error { _, err := conn.Exec(ctx, s); return err },
			columns: func(ctx context.Context, table string) ([]string, error) {
				rows, _ := conn.Query(ctx, "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1", table)
				return pgx.CollectRows(rows, pgx.RowTo[string])
			},
			close:  func() error { return conn.Close(ctx) },
			series: "WITH g AS (SELECT n FROM generate_series(%d::bigint, %d::bigint) n) ", pad: "lpad(n::text, 12, '0')", empty: "''::bytea",
			after: []string{"VACUUM ANALYZE"},
		}, nil
	}
	db, err := sql.Open("sqlite", filepath.Join(data, "millrace.db"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &filler{
		exec: func(ctx context.Context, s string) error { _, err := db.ExecContext(ctx, s); return err },
		columns: func(ctx context.Context, table string) ([]string, error) {
			rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info('"+table+"')")
			if err != nil {
				return nil, err
			}
			defer func() { _ = rows.Close() }()
			var out []string
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					return nil, err
				}
				out = append(out, name)
			}
			return out, rows.Err()
		},
		close:  db.Close,
		series: "WITH RECURSIVE g(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM g WHERE n < %d) ", pad: "substr('000000000000' || n, -12)", empty: "x''",
		after: []string{"PRAGMA wal_checkpoint(TRUNCATE)"},
	}, nil
}

// atOnce bounds the rows of one statement.
const atOnce = 1_000_000

// copies is a table whose last row is multiplied.
type copies struct {
	table string
	where string // of the row; empty: the newest
	rows  int64
	set   map[string]string // expressions over n for columns that differ
}

// fill multiplies the rows of the demo. The copies are older than it; the higher n, the younger.
func (f *filler) fill(ctx context.Context, deliveries int64) error {
	events, runs := deliveries/10, deliveries/100
	now := time.Now().Add(-time.Minute).UnixMicro() // what the demo has left stays the newest
	id := func(kind, n string) string {
		return "'" + kind + "0000000-0000-4000-8000-' || " + strings.Replace(f.pad, "n", n, 1)
	}
	at := func(rows int64) string { // spread over a month
		return fmt.Sprintf("%d - (%d - n) * %d", now, rows, int64(30*24*time.Hour/time.Microsecond)/max(rows, 1))
	}
	bad := func(one, other string, of int) string {
		return fmt.Sprintf("CASE WHEN n %% %d = 0 THEN '%s' ELSE '%s' END", of, one, other)
	}
	for _, c := range []copies{
		{"integrated_account", "status = 'active'", runs, map[string]string{
			"id": id("a", "n"), "tenant_id": "'tenant-' || n", "status": bad("needs_reauth", "active", 1000), "secrets": f.empty, "full_override": f.empty, "created_at": at(runs), "updated_at": at(runs),
		}},
		{"event", "", events, map[string]string{"id": id("e", "n"), "event": bad("custom:rare", "custom:often", 50_000), "idempotency_key": "''", "created_at": at(events)}},
		{"decision", "", events, map[string]string{
			"event_id": id("e", "n"), "outcome": bad("matched", "not_matched", 10), "created_at": at(events),
			"workflow_run_id": "CASE WHEN n % 10 = 0 THEN " + id("b", "(n / 10)") + " ELSE '' END",
		}},
		{"workflow_run", "", runs, map[string]string{"id": id("b", "n"), "event_id": id("e", "(n * 10)"), "status": bad("failed", "completed", 5000), "created_at": at(runs), "started_at": at(runs), "finished_at": at(runs)}},
		{"workflow_step", "", runs, map[string]string{"workflow_run_id": id("b", "n")}},
		{"sync_job_run", "status = 'completed'", runs, map[string]string{
			"id": id("c", "n"), "workflow_run_id": id("b", "n"), "status": bad("failed", "completed", 5000), "mutex_key": "''", "created_at": at(runs), "started_at": at(runs), "finished_at": at(runs), "updated_at": at(runs),
		}},
		{"delivery", "status = 'delivered'", deliveries, map[string]string{
			"id": id("d", "n"), "sync_job_run_id": id("c", "(n / 100 + 1)"), "status": bad("failed", "delivered", 100_000), "created_at": at(deliveries), "delivered_at": at(deliveries), "sequence": "-n",
		}},
		{"delivery_attempt", "", events, map[string]string{"delivery_id": id("d", "(n * 10)"), "created_at": at(events)}},
		{"run_log", "", events, map[string]string{"id": id("f", "n"), "sync_job_run_id": id("c", "(n / 10 + 1)"), "created_at": at(events)}},
		{"call_log", "", events, map[string]string{"id": id("9", "n"), "created_at": at(events)}},
		{"audit_entry", "", runs, map[string]string{"id": id("8", "n"), "created_at": at(runs)}},
	} {
		if err := f.multiply(ctx, c); err != nil {
			return fmt.Errorf("fill %s: %w", c.table, err)
		}
	}
	for _, s := range f.after {
		if err := f.exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) multiply(ctx context.Context, c copies) error {
	columns, err := f.columns(ctx, c.table)
	if err != nil || len(columns) == 0 {
		return errors.Join(err, errors.New("there is no such table"))
	}
	values := make([]string, len(columns))
	for i, name := range columns {
		if values[i] = "t." + name; c.set[name] != "" {
			values[i] = c.set[name]
		}
	}
	where := ""
	if c.where != "" {
		where = " WHERE " + c.where
	}
	for from := int64(1); from <= c.rows; from += atOnce {
		statement := fmt.Sprintf(f.series, from, min(c.rows, from+atOnce-1)) + "SELECT " + strings.Join(values, ", ") + " FROM (SELECT * FROM " + c.table + where + " LIMIT 1) t, g"
		if err := f.exec(ctx, "INSERT INTO "+c.table+" ("+strings.Join(columns, ", ")+") "+statement); err != nil {
			return err
		}
	}
	return nil
}
