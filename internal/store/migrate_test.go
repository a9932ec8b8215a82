package store_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func versions(t *testing.T, url string) []int64 {
	t.Helper()
	out, err := store.Versions(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMigrateDevelopmentDatabase: the last development build before the first release numbered the steps to the schema
// from 1 to 23. A database that has them all needs no migration.
func TestMigrateDevelopmentDatabase(t *testing.T) {
	t.Parallel()
	const steps = `INSERT INTO schema_migration (version, applied_at) VALUES (1, 5), (2, 5), (15, 5), (17, 5), (22, 5)`
	storetest.EachURL(t, func(t *testing.T, url string) {
		storetest.Prepare(t, url)
		if err := store.Exec(t.Context(), url, steps+`; INSERT INTO node (id, seen_at) VALUES ('kept', 5)`); err != nil {
			t.Fatal(err)
		}
		db := storetest.Open(t, url)
		if got, want := versions(t, url), []int64{1, 2, 15, 17, 22, 23}; len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("got the versions %d, want %d and what came later", got, want)
		}
		if got := storetest.Strings(t, db, "SELECT id FROM node"); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("got the rows %q, want what was there", got)
		}
	})
}

// TestMigrateFromTheFirstSchema: a database as the first release has made it gets what came later, and keeps its rows.
func TestMigrateFromTheFirstSchema(t *testing.T) {
	t.Parallel()
	const rows = `; CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL);
INSERT INTO schema_migration (version, applied_at) VALUES (23, 5);
INSERT INTO event (id, environment_id, event) VALUES ('kept', 'ENV', 'custom:x');
INSERT INTO sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, started_at, resource_stats) VALUES
('clean', 'ENV', 'job', 'account', 'completed', 1, '{"a":{"list":{"pages":1,"fetched":1,"persisted":1,"failed":0}}}'),
('partial', 'ENV', 'job', 'account', 'completed', 2, '{"a":{"list":{"pages":1,"failed":2},"get":{"failed":1}},"b":{"list":{"failed":4}}}'),
('nothing', 'ENV', 'other', 'account', 'completed', 3, '')`
	storetest.EachURL(t, func(t *testing.T, url string) {
		kind, empty := "sqlite", ""
		if strings.HasPrefix(url, "postgres") {
			kind, empty = "postgres", "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
		}
		schema, err := os.ReadFile("migrations/" + kind + "/0023_schema.sql")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Exec(t.Context(), url, empty+string(schema)+strings.ReplaceAll(rows, "ENV", string(env))); err != nil {
			t.Fatal(err)
		}
		db := storetest.Open(t, url)
		if got := versions(t, url); len(got) < 3 || got[0] != 23 {
			t.Errorf("got the versions %d, want 23 and what came later", got)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			e, err := tx.Events().Get(t.Context(), env, "kept")
			if err == nil && e.Traceparent != "" {
				t.Errorf("got the traceparent %q, want none", e.Traceparent)
			}
			for id, want := range map[millrace.SyncJobRunID]int64{"clean": 0, "partial": 7, "nothing": 0} {
				run, missing := tx.SyncJobRuns().Get(t.Context(), env, id)
				if missing != nil {
					return missing
				}
				if run.ErrorCount != want || run.IsPartial != (want > 0) {
					t.Errorf("the run %s: got %d errors, partial %t; want %d", id, run.ErrorCount, run.IsPartial, want)
				}
			}
			last, missing := tx.SyncJobRuns().LastClean(t.Context(), env, "job", "account")
			if missing == nil && (last == nil || last.ID != "clean") {
				t.Errorf("got the run %v as the base of the next, want the one in which nothing failed", last)
			}
			return errors.Join(err, missing)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestMigrateRejects opens databases that this binary cannot bring up to date. Nothing in them changes.
func TestMigrateRejects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, sql string
		asIs      bool
		want      string
	}{
		{"unfinished development", `DELETE FROM schema_migration; INSERT INTO schema_migration VALUES (1, 5), (12, 5)`, false, "schema version 12, which a development build"},
		{"the same for a command", `DELETE FROM schema_migration; INSERT INTO schema_migration VALUES (1, 5), (12, 5)`, true, "schema version 12, which a development build"},
		{"newer", `INSERT INTO schema_migration VALUES (9999, 5)`, false, "schema version 9999, this binary knows "},
		{"empty for a command", `DROP TABLE schema_migration`, true, "lacks the migration 23: start the server of this version first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) {
				storetest.Prepare(t, url)
				if err := store.Exec(t.Context(), url, tc.sql); err != nil {
					t.Fatal(err)
				}
				var before []int64
				if !strings.HasPrefix(tc.sql, "DROP") {
					before = versions(t, url)
				}
				_, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, AsIs: tc.asIs})
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("got %v, want %q", err, tc.want)
				}
				if before == nil {
					return
				}
				if after := versions(t, url); !slices.Equal(before, after) {
					t.Errorf("got the versions %d, want those of before, %d", after, before)
				}
			})
		})
	}
}

// TestMigrateEmpty: an empty database gets all tables, unless it should have had them.
func TestMigrateEmpty(t *testing.T) {
	t.Parallel()
	storetest.EachEmptyURL(t, func(t *testing.T, url string) {
		_, err := store.Open(t.Context(), store.Config{URL: url, Cipher: storetest.Cipher{}, Existing: true})
		if !errors.Is(err, store.ErrNoTables) {
			t.Fatalf("a database that should have tables: got %v, want ErrNoTables", err)
		}
		storetest.Open(t, url)
		if got := versions(t, url); len(got) == 0 || got[0] != 23 {
			t.Errorf("got the versions %d, want 23 and what came later", got)
		}
	})
}

// TestDatabasesHaveTheSameColumns keeps the migrations of the two databases alike: a column that is added to one only is
// found here.
func TestDatabasesHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	sqlite := columns(t, storetest.SQLite(t), `SELECT m.name || '.' || c.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'river%' AND m.name NOT LIKE 'sqlite%' ORDER BY 1`)
	postgres := columns(t, storetest.EmptyPostgres(t), `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'river%'`)
	for _, c := range sqlite {
		if !slices.Contains(postgres, c) {
			t.Errorf("only SQLite has the column %s", c)
		}
	}
	for _, c := range postgres {
		if !slices.Contains(sqlite, c) {
			t.Errorf("only PostgreSQL has the column %s", c)
		}
	}
	if len(sqlite) < 300 {
		t.Errorf("got %d columns, want those of all tables", len(sqlite))
	}
}

func columns(t *testing.T, url, query string) []string {
	t.Helper()
	return storetest.Strings(t, storetest.Open(t, url), query)
}
