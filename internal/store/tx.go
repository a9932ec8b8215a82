package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/accounts"
	"github.com/millrace/millrace/internal/store/deliveries"
	"github.com/millrace/millrace/internal/store/people"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/syncjobs"
	"github.com/millrace/millrace/internal/store/upkeep"
	"github.com/millrace/millrace/internal/store/views"
	"github.com/millrace/millrace/internal/store/workflows"
)

// Tx is a unit of work. It is valid only inside the function that it was given to. Rows are read and changed by its handles, one
// for each noun.
type Tx struct{ tx *sqldb.Tx }

// Enqueue inserts tasks that become visible when the transaction commits.
func (tx *Tx) Enqueue(ctx context.Context, tasks ...millrace.Task) error {
	return tx.tx.Enqueue(ctx, tasks...)
}

// Finish completes the task whose handler runs under ctx together with the rest of the transaction, so that its
// effect and its end are one. Outside a handler it does nothing.
func (tx *Tx) Finish(ctx context.Context) error { return tx.tx.Finish(ctx) }

// AfterCommit runs fn once the transaction has committed; never when it has not.
func (tx *Tx) AfterCommit(fn func()) { tx.tx.AfterCommit(fn) }

// Now returns the time on the store's clock.
func (tx *Tx) Now() millrace.Time { return tx.tx.Now() }

// SQL returns the SQLite transaction below, nil on PostgreSQL. It is for the queue.
func (tx *Tx) SQL() *sql.Tx { return tx.tx.SQL() }

// Pgx returns the PostgreSQL transaction below, nil on SQLite. It is for the queue.
func (tx *Tx) Pgx() pgx.Tx { return tx.tx.Pgx() }

// APITokens returns the handle of the API tokens.
func (tx *Tx) APITokens() APITokens { return accounts.NewAPITokens(tx.tx) }

// Accounts returns the handle of the integrated accounts.
func (tx *Tx) Accounts() Accounts { return accounts.NewAccounts(tx.tx) }

// Calls returns the handle of the calls under an idempotency key.
func (tx *Tx) Calls() Calls { return accounts.NewCalls(tx.tx) }

// Checkpoints returns the handle of the parts of the checkpoints of sync job runs.
func (tx *Tx) Checkpoints() Checkpoints { return syncjobs.NewCheckpoints(tx.tx) }

// Decisions returns the handle of what was decided about events and workflows.
func (tx *Tx) Decisions() Decisions { return workflows.NewDecisions(tx.tx) }

// Deliveries returns the handle of the deliveries with what was tried for them.
func (tx *Tx) Deliveries() Deliveries { return deliveries.NewDeliveries(tx.tx) }

// Environments returns the handle of the environments.
func (tx *Tx) Environments() Environments { return accounts.NewEnvironments(tx.tx) }

// Erasures returns the handle of the erasures of customers.
func (tx *Tx) Erasures() Erasures { return upkeep.NewErasures(tx.tx) }

// Events returns the handle of the events, their batches, and how many workflow runs they cause.
func (tx *Tx) Events() Events { return workflows.NewEvents(tx.tx) }

// Flow returns the handle of what flow control counts: keys, rates and slots.
func (tx *Tx) Flow() Flow { return workflows.NewFlow(tx.tx) }

// Hooks returns the handle of the inbound hooks.
func (tx *Tx) Hooks() Hooks { return accounts.NewHooks(tx.tx) }

// Installs returns the handle of the integrations that environments have installed.
func (tx *Tx) Installs() Installs { return accounts.NewInstalls(tx.tx) }

// Integrations returns the handle of the integrations.
func (tx *Tx) Integrations() Integrations { return accounts.NewIntegrations(tx.tx) }

// Notifications returns the handle of the notification destinations.
func (tx *Tx) Notifications() Notifications { return deliveries.NewNotifications(tx.tx) }

// Rows returns the handle of the rows of all tables: what is old, what belongs to an environment, and how much there is.
func (tx *Tx) Rows() Rows { return upkeep.NewRows(tx.tx) }

// Schedules returns the handle of the schedules of sync jobs with their fires.
func (tx *Tx) Schedules() Schedules { return syncjobs.NewSchedules(tx.tx) }

// States returns the handle of the state that sync job runs keep from one to the next.
func (tx *Tx) States() States { return syncjobs.NewStates(tx.tx) }

// SyncJobRuns returns the handle of the sync job runs with their log.
func (tx *Tx) SyncJobRuns() SyncJobRuns { return syncjobs.NewSyncJobRuns(tx.tx) }

// SyncJobs returns the handle of the sync jobs.
func (tx *Tx) SyncJobs() SyncJobs { return syncjobs.NewSyncJobs(tx.tx) }

// Tasks returns the handle of the tasks: those that wait in line, and those of the queue.
func (tx *Tx) Tasks() Tasks { return upkeep.NewTasks(tx.tx) }

// Users returns the handle of the users of the dashboard, with their sessions.
func (tx *Tx) Users() Users { return people.NewUsers(tx.tx) }

// Webhooks returns the handle of the webhooks.
func (tx *Tx) Webhooks() Webhooks { return deliveries.NewWebhooks(tx.tx) }

// WorkflowRuns returns the handle of the workflow runs with the results of their steps.
func (tx *Tx) WorkflowRuns() WorkflowRuns { return workflows.NewWorkflowRuns(tx.tx) }

// Workflows returns the handle of the workflows with their versions.
func (tx *Tx) Workflows() Workflows { return workflows.NewWorkflows(tx.tx) }

// AuditOf returns the record of who changed what.
func AuditOf(tx *Tx) Audit { return upkeep.NewAudit(tx.tx) }

// RedeliveriesOf returns the handle of the redeliveries.
func RedeliveriesOf(tx *Tx) Redeliveries { return deliveries.NewRedeliveries(tx.tx) }

// ViewsOf returns the questions of the dashboard.
func ViewsOf(tx *Tx) Views { return views.New(tx.tx) }
