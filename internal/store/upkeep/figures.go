package upkeep

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Figures are what the database says about how much there is and how much waits.
type Figures struct {
	DatabaseBytes int64
	Tables        []TableSize
	Pending       int64            // deliveries of events that are not finished
	OldestPending millrace.Time    // 0: none
	ParkedRuns    int64            // sync job runs that wait for their webhook
	Accounts      map[string]int64 // integrated accounts, by status
	Runs          map[string]int64 // sync job runs that have not ended, by status
	Webhooks      map[string]int64 // active, failing and inactive ones
	Tasks         map[TaskState]int64
}

// TableSize is how large a table is. Rows is an estimate, Bytes with its indexes; 0 where finding out would mean reading all of it.
type TableSize struct {
	Name        string
	Rows, Bytes int64
}

// TaskState is a kind of tasks and what becomes of them: available, running, scheduled or retryable.
type TaskState struct{ Kind, State string }

// Figures reads them. None of the queries reads what is finished.
func (h Rows) Figures(ctx context.Context) (*Figures, error) {
	f := &Figures{Accounts: map[string]int64{}, Runs: map[string]int64{}, Webhooks: map[string]int64{}, Tasks: map[TaskState]int64{}}
	var err error
	if err = h.sizes(ctx, f); err != nil {
		return nil, fmt.Errorf("read sizes: %w", err)
	}
	if _, err = h.tx.One(ctx, "SELECT COUNT(*) FROM delivery WHERE status = 'pending' AND sequence > 0", nil, &f.Pending); err != nil {
		return nil, fmt.Errorf("count backlog: %w", err)
	}
	_, err = h.tx.One(ctx, `SELECT COALESCE(MIN(f.first), 0) FROM (SELECT (SELECT d.created_at FROM delivery d
WHERE d.webhook_id = w.id AND d.environment_id = w.environment_id AND d.status = 'pending' AND d.sequence > 0 ORDER BY d.sequence LIMIT 1) AS first FROM webhook w) AS f`, nil, (*int64)(&f.OldestPending))
	if err != nil {
		return nil, fmt.Errorf("find oldest delivery: %w", err)
	}
	err = h.tx.Each(ctx, `SELECT status, COUNT(*), COALESCE(SUM(CASE WHEN parked_since > 0 THEN 1 ELSE 0 END), 0) FROM sync_job_run
WHERE status `+table.OpenRun+` GROUP BY status`, nil, func(r sqldb.Rows) error {
		var status string
		var n, parked int64
		err := r.Scan(&status, &n, &parked)
		f.Runs[status] = n
		f.ParkedRuns += parked
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count sync job runs: %w", err)
	}
	err = h.tx.Each(ctx, "SELECT status, COUNT(*) FROM integrated_account GROUP BY status", nil, count(func(status string, n int64) { f.Accounts[status] = n }))
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	err = h.tx.Each(ctx, `SELECT CASE WHEN NOT is_active THEN 'inactive' WHEN failing_since > 0 THEN 'failing' ELSE 'active' END AS state, COUNT(*)
FROM webhook GROUP BY 1`, nil, count(func(state string, n int64) { f.Webhooks[state] = n }))
	if err != nil {
		return nil, fmt.Errorf("count webhooks: %w", err)
	}
	err = h.tx.Each(ctx, `SELECT queue, state, COUNT(*) FROM river_job WHERE state IN ('available', 'running', 'scheduled', 'retryable')
GROUP BY queue, state`, nil, func(r sqldb.Rows) error {
		var s TaskState
		var n int64
		err := r.Scan(&s.Kind, &s.State, &n)
		f.Tasks[s] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	err = h.tx.Each(ctx, "SELECT kind, COUNT(*) FROM waiting_task GROUP BY kind", nil, count(func(kind string, n int64) { f.Tasks[TaskState{kind, "waiting"}] = n }))
	if err != nil {
		return nil, fmt.Errorf("count tasks in line: %w", err)
	}
	return f, nil
}

func count(set func(string, int64)) func(sqldb.Rows) error {
	return func(r sqldb.Rows) error {
		var name string
		var n int64
		err := r.Scan(&name, &n)
		set(name, n)
		return err
	}
}

// databaseBytes reads how large the database is.
func (h Rows) databaseBytes(ctx context.Context) (int64, error) {
	query := "SELECT c.page_count * s.page_size FROM pragma_page_count() AS c, pragma_page_size() AS s"
	if h.tx.Dialect().Name() == "postgres" {
		query = "SELECT pg_database_size(current_database())"
	}
	var n int64
	_, err := h.tx.One(ctx, query, nil, &n)
	return n, err
}

// sizes reads how large the database and its tables are. SQLite knows the size of a table only after reading it, and its rows
// only by their numbers, which have gaps where rows were removed.
func (h Rows) sizes(ctx context.Context, f *Figures) error {
	var err error
	if f.DatabaseBytes, err = h.databaseBytes(ctx); err != nil {
		return err
	}
	if h.tx.Dialect().Name() == "postgres" {
		return h.tx.Each(ctx, `SELECT relname, GREATEST(reltuples, 0)::bigint, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname`, nil, func(r sqldb.Rows) error {
			var t TableSize
			err := r.Scan(&t.Name, &t.Rows, &t.Bytes)
			f.Tables = append(f.Tables, t)
			return err
		})
	}
	err = h.tx.Each(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name", nil, func(r sqldb.Rows) error {
		var t TableSize
		err := r.Scan(&t.Name)
		f.Tables = append(f.Tables, t)
		return err
	})
	for i := range f.Tables {
		if err != nil {
			break
		}
		t := &f.Tables[i]
		_, err = h.tx.One(ctx, `SELECT COALESCE(MAX(rowid) - MIN(rowid) + 1, 0) FROM "`+t.Name+`"`, nil, &t.Rows)
	}
	return err
}
