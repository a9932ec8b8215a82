package views

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Found is a row that a search has found.
type Found struct {
	Kind  string // the name of its table
	ID    string
	Label string // for people; may be empty
}

// tables are those whose rows are found by their id, and what they are called by.
func tables() [][2]string {
	return [][2]string{
		{"event", "event"},
		{"workflow_run", "status"},
		{"sync_job_run", "status"},
		{"delivery", "event"},
		{"integrated_account", "tenant_id"},
		{"webhook", "target_url"},
		{"workflow", "label"},
		{"sync_job", "label"},
		{"sync_job_cron_trigger", "cron_expression"},
		{"inbound_hook", "status"},
		{"integration", "name"},
		{"environment_integration", "id"},
	}
}

// FoundAtOnce is how many rows of a kind a search by text returns at most.
const FoundAtOnce = 20

// ByID returns the rows of an environment with an id. A delivery may have that of its event.
func (h Views) ByID(ctx context.Context, env millrace.EnvironmentID, id string) ([]Found, error) {
	parts := make([]string, 0, len(tables()))
	for _, t := range tables() {
		parts = append(parts, fmt.Sprintf("SELECT '%s' AS kind, id, %s AS label FROM %s WHERE id = $1 AND environment_id = $2", t[0], t[1], t[0]))
	}
	return h.found(ctx, strings.Join(parts, " UNION ALL "), strings.ToLower(id), string(env))
}

// ByText returns the accounts of a tenant whose id begins so, and the workflows, sync jobs, integrations and webhooks whose name has the text in
// it.
func (h Views) ByText(ctx context.Context, env millrace.EnvironmentID, text string) ([]Found, error) {
	has := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(text)) + "%"
	const part = "SELECT * FROM (SELECT '%s' AS kind, id, %s AS label FROM %s WHERE environment_id = $1 AND LOWER(%s) LIKE $2 ESCAPE '\\' ORDER BY created_at DESC LIMIT %d) AS %s"
	parts := []string{fmt.Sprintf(
		"SELECT * FROM (SELECT 'integrated_account' AS kind, id, tenant_id AS label FROM integrated_account WHERE environment_id = $1 AND tenant_id >= $3 AND tenant_id < $4 ORDER BY tenant_id LIMIT %d) AS a", FoundAtOnce)}
	for i, t := range [][2]string{{"workflow", "label"}, {"sync_job", "label"}, {"integration", "name"}, {"webhook", "target_url"}} {
		parts = append(parts, fmt.Sprintf(part, t[0], t[1], t[0], t[1], FoundAtOnce, fmt.Sprintf("t%d", i)))
	}
	return h.found(ctx, strings.Join(parts, " UNION ALL "), string(env), has, text, text+"\U0010FFFF")
}

func (h Views) found(ctx context.Context, query string, args ...any) ([]Found, error) {
	var out []Found
	err := h.tx.Each(ctx, query, args, func(r sqldb.Rows) error {
		var f Found
		err := r.Scan(&f.Kind, &f.ID, &f.Label)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return out, nil
}

// RunsOfAccount returns the last sync job runs of an account, the last first.
func (h Views) RunsOfAccount(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID, limit int) ([]RunLine, error) {
	return h.runs(ctx, "r.integrated_account_id = $1 AND r.integrated_account_id <> '' AND r.environment_id = $2 ORDER BY r.created_at DESC LIMIT $3", string(id), string(env), limit)
}

// RunsOfWorkflowRun returns the sync job runs that the steps of a workflow run have started, in the order of the steps.
func (h Views) RunsOfWorkflowRun(ctx context.Context, env millrace.EnvironmentID, id millrace.WorkflowRunID) ([]RunLine, error) {
	return h.runs(ctx, "r.workflow_run_id = $1 AND r.workflow_run_id <> '' AND r.environment_id = $2 ORDER BY r.step_index LIMIT $3", string(id), string(env), millrace.MaxSteps)
}

// RunLine is what a list shows of a sync job run.
type RunLine struct {
	ID         millrace.SyncJobRunID
	Job        string // its label
	Status     millrace.RunStatus
	IsPartial  bool
	Errors     int64
	WaitReason string
	Step       int64
	CreatedAt  millrace.Time
	FinishedAt millrace.Time
}

func (h Views) runs(ctx context.Context, where string, args ...any) ([]RunLine, error) {
	var out []RunLine
	err := h.tx.Each(ctx, `SELECT r.id, COALESCE((SELECT j.label FROM sync_job AS j WHERE j.id = r.sync_job_id AND j.environment_id = r.environment_id), ''),
r.status, r.is_partial, r.error_count, r.wait_reason, r.step_index, r.created_at, r.finished_at FROM sync_job_run AS r WHERE `+where, args, func(r sqldb.Rows) error {
		var v RunLine
		err := r.Scan((*string)(&v.ID), &v.Job, (*string)(&v.Status), &v.IsPartial, &v.Errors, &v.WaitReason, &v.Step, (*int64)(&v.CreatedAt), (*int64)(&v.FinishedAt))
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return out, nil
}

// EventsOfRun returns the ids and names of the events that a sync job run has caused, the first first.
func (h Views) EventsOfRun(ctx context.Context, env millrace.EnvironmentID, id millrace.SyncJobRunID, limit int) ([]millrace.Event, error) {
	var out []millrace.Event
	err := h.tx.Each(ctx, "SELECT id, event, created_at FROM event WHERE sync_job_run_id = $1 AND sync_job_run_id <> '' AND environment_id = $2 ORDER BY +created_at LIMIT $3",
		[]any{string(id), string(env), limit}, func(r sqldb.Rows) error {
			e := millrace.Event{EnvironmentID: env}
			err := r.Scan((*string)(&e.ID), &e.Name, (*int64)(&e.CreatedAt))
			out = append(out, e)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list events of a run: %w", err)
	}
	return out, nil
}

// lookedBack is among how many of the last events those of a name are looked for.
const lookedBack = 20_000

// LastOfName returns the ids of the last events of a name, the last first, among the last 20,000 of the environment.
func (h Views) LastOfName(ctx context.Context, env millrace.EnvironmentID, name string, limit int) ([]millrace.EventID, error) {
	query := fmt.Sprintf("SELECT id FROM (SELECT id, event, created_at FROM event WHERE environment_id = $1 ORDER BY created_at DESC, id DESC LIMIT %d) AS e WHERE event = $2 ORDER BY created_at DESC, id DESC LIMIT $3", lookedBack)
	return table.ReadIDs[millrace.EventID](ctx, h.tx, query, string(env), name, limit)
}

// Waiting returns the ids of the deliveries that wait, without those that runs send themselves, the last first.
func (h Views) Waiting(ctx context.Context, env millrace.EnvironmentID, limit int) ([]millrace.DeliveryID, error) {
	return table.ReadIDs[millrace.DeliveryID](ctx, h.tx, "SELECT id FROM delivery WHERE environment_id = $1 AND status = 'pending' AND sequence > 0 ORDER BY created_at DESC LIMIT $2", string(env), limit)
}

// DeliveriesOfRun returns the ids of the deliveries of a sync job run, the first first.
func (h Views) DeliveriesOfRun(ctx context.Context, env millrace.EnvironmentID, run millrace.SyncJobRunID, limit int) ([]millrace.DeliveryID, error) {
	return table.ReadIDs[millrace.DeliveryID](ctx, h.tx, "SELECT id FROM delivery WHERE sync_job_run_id = $1 AND sync_job_run_id <> '' AND environment_id = $2 ORDER BY +created_at, id LIMIT $3", string(run), string(env), limit)
}

// AccountsOfTenant returns the ids of the accounts of a tenant, the last first.
func (h Views) AccountsOfTenant(ctx context.Context, env millrace.EnvironmentID, tenant string, limit int) ([]millrace.IntegratedAccountID, error) {
	return table.ReadIDs[millrace.IntegratedAccountID](ctx, h.tx, "SELECT id FROM integrated_account WHERE environment_id = $1 AND tenant_id = $2 ORDER BY +created_at DESC LIMIT $3", string(env), tenant, limit)
}

// TroubledOf returns the ids of the accounts with one of the statuses that need attention, the last changed first.
func (h Views) TroubledOf(ctx context.Context, env millrace.EnvironmentID, status millrace.AccountStatus, limit int) ([]millrace.IntegratedAccountID, error) {
	return table.ReadIDs[millrace.IntegratedAccountID](ctx, h.tx, `SELECT id FROM integrated_account
WHERE environment_id = $1 AND status IN ('needs_reauth', 'validation_error', 'post_install_error') AND status = $2 ORDER BY updated_at DESC LIMIT $3`, string(env), string(status), limit)
}

// Labels returns what people call rows of a kind, by their ids.
func (h Views) Labels(ctx context.Context, env millrace.EnvironmentID, kind string, ids []string) (map[string]string, error) {
	out := map[string]string{}
	column := ""
	for _, t := range tables() {
		if t[0] == kind {
			column = t[1]
		}
	}
	if len(ids) == 0 || column == "" {
		return out, nil
	}
	args := []any{string(env)}
	var marks []string
	for _, id := range ids {
		args = append(args, id)
		marks = append(marks, fmt.Sprintf("$%d", len(args)))
	}
	found, err := h.found(ctx, fmt.Sprintf("SELECT '%s', id, %s FROM %s WHERE environment_id = $1 AND id IN (%s)", kind, column, kind, strings.Join(marks, ", ")), args...)
	for _, f := range found {
		out[f.ID] = f.Label
	}
	return out, err
}
