package views

import (
	"context"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// EnvironmentSummary is what an environment has.
type EnvironmentSummary struct {
	Accounts  Number
	Workflows Number
	LastEvent millrace.Time // 0: none
}

// summed bounds what is counted for each environment.
const summed = 1000

// Environments returns what some environments have.
func (h Views) Environments(ctx context.Context, ids []millrace.EnvironmentID) (map[millrace.EnvironmentID]EnvironmentSummary, error) {
	out := map[millrace.EnvironmentID]EnvironmentSummary{}
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	count := func(of string) string {
		return fmt.Sprintf("(SELECT COUNT(*) FROM (SELECT 1 FROM %s WHERE environment_id = e.id ORDER BY created_at, id LIMIT %d) AS few)", of, summed+1)
	}
	query := "SELECT e.id, " + count("integrated_account") + ", " + count("workflow") + `,
COALESCE((SELECT created_at FROM event WHERE environment_id = e.id ORDER BY created_at DESC, id DESC LIMIT 1), 0)
FROM environment AS e WHERE e.id IN (` + table.Placeholders(len(ids)) + ")"
	err := h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var id millrace.EnvironmentID
		var v EnvironmentSummary
		var accounts, workflows int64
		err := r.Scan((*string)(&id), &accounts, &workflows, (*int64)(&v.LastEvent))
		v.Accounts, v.Workflows = Number{min(accounts, summed), accounts > summed}, Number{min(workflows, summed), workflows > summed}
		out[id] = v
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum up environments: %w", err)
	}
	return out, nil
}
