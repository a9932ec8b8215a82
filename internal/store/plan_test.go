package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// statements notes what a store is asked.
type statements struct{ all []string }

// Statement implements store.Faults.
func (s *statements) Statement(sql string) error {
	s.all = append(s.all, sql)
	return nil
}

// Commit implements store.Faults.
func (*statements) Commit() store.CommitFault { return store.CommitSucceeds }

// SQLite, which has no statistics, believes that an environment has ten rows of everything. Statements that may meet millions do not go
// through all rows of an environment.
func TestNoStatementGoesThroughAnEnvironment(t *testing.T) {
	t.Parallel()
	path, noted := storetest.SQLite(t), &statements{}
	db := storetest.OpenWith(t, path, noted)
	env := millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")
	byStatus := func(status string) millrace.Query {
		return millrace.Query{Limit: 50, Filters: []millrace.Filter{{Field: "status", Op: millrace.OpEq, Values: []string{status}}}}
	}
	ids := make([]millrace.DeliveryID, 60)
	for i := range ids {
		ids[i] = millrace.DeliveryID(fmt.Sprint("delivery ", i))
	}
	noted.all = nil
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for _, status := range []millrace.DeliveryStatus{millrace.DeliveryFailed, millrace.DeliveryCancelled} {
			if _, err := tx.Deliveries().List(t.Context(), env, byStatus(string(status))); err != nil {
				return err
			}
		}
		for _, f := range []millrace.Filter{{Field: "status", Values: []string{"deleting"}}, {Field: "environment_integration_id", Values: []string{"x"}}} {
			f.Op = millrace.OpEq
			if _, err := tx.Accounts().List(t.Context(), env, millrace.Query{Limit: 50, Filters: []millrace.Filter{f}}); err != nil {
				return err
			}
		}
		for _, status := range millrace.RunStatuses() {
			if status == millrace.RunCompleted { // most are
				continue
			}
			if _, err := tx.SyncJobRuns().List(t.Context(), env, byStatus(string(status))); err != nil {
				return err
			}
		}
		for _, status := range millrace.WorkflowRunStatuses() {
			if status == millrace.WorkflowRunCompleted {
				continue
			}
			if _, err := tx.WorkflowRuns().List(t.Context(), env, byStatus(string(status))); err != nil {
				return err
			}
		}
		events := make([]millrace.EventID, 20)
		for i := range events {
			events[i] = millrace.EventID(fmt.Sprint("event ", i))
		}
		if _, err := store.ViewsOf(tx).NotMatched(t.Context(), env, "workflow", events); err != nil {
			return err
		}
		return tx.Deliveries().EachAttempt(t.Context(), env, ids, func(millrace.Attempt) {})
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	whole, explained := regexp.MustCompile(`USING (COVERING )?INDEX (\w+_list|\w*decision\w*) \(environment_id=\?\)|SCAN (delivery|sync_job_run|workflow_run|delivery_attempt|decision|event)\b`), 0
	for _, statement := range noted.all {
		if !strings.HasPrefix(statement, "SELECT") || !strings.Contains(statement, "environment_id") {
			continue
		}
		plan := explain(t, raw, statement)
		explained++
		if found := whole.FindString(plan); found != "" && !strings.Contains(found, "_open_list") {
			t.Errorf("%s\n%s", statement, plan)
		}
	}
	if explained < 15 {
		t.Errorf("%d statements were explained, want 15: %q", explained, noted.all)
	}
}

func explain(t *testing.T, db *sql.DB, statement string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+regexp.MustCompile(`\$\d+`).ReplaceAllString(statement, "'x'"))
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
