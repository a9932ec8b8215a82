package store

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/accounts"
	"github.com/millrace/millrace/internal/store/deliveries"
	"github.com/millrace/millrace/internal/store/people"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/syncjobs"
	"github.com/millrace/millrace/internal/store/table"
	"github.com/millrace/millrace/internal/store/upkeep"
	"github.com/millrace/millrace/internal/store/views"
	"github.com/millrace/millrace/internal/store/workflows"
)

// The handles of [Tx].
type (
	// APITokens is the handle of the API tokens.
	APITokens = accounts.APITokens
	// Accounts is the handle of the integrated accounts.
	Accounts = accounts.Accounts
	// AccountRevision tells one state of an account, its install and its integration from every other.
	AccountRevision = accounts.Revision
	// Audit is the record of who changed what.
	Audit = upkeep.Audit
	// Calls is the handle of the calls to providers: those under an idempotency key, and the log of all.
	Calls = accounts.Calls
	// Checkpoints is the handle of the parts of the checkpoints of sync job runs.
	Checkpoints = syncjobs.Checkpoints
	// Decisions is the handle of what was decided about events and workflows.
	Decisions = workflows.Decisions
	// Deliveries is the handle of the deliveries with what was tried for them.
	Deliveries = deliveries.Deliveries
	// Environments is the handle of the environments.
	Environments = accounts.Environments
	// Erasures is the handle of the erasures of customers.
	Erasures = upkeep.Erasures
	// Events is the handle of the events, their batches, and how many workflow runs they cause.
	Events = workflows.Events
	// Flow is the handle of what flow control counts: keys, rates and slots.
	Flow = workflows.Flow
	// Gates is the handle of the static gates.
	Gates = accounts.Gates
	// Grants is the handle of what keeps the tokens of accounts alive.
	Grants = accounts.Grants
	// Hooks is the handle of the inbound hooks.
	Hooks = accounts.Hooks
	// Installs is the handle of the integrations that environments have installed.
	Installs = accounts.Installs
	// Integrations is the handle of the integrations.
	Integrations = accounts.Integrations
	// Links is the handle of the link tokens.
	Links = accounts.Links
	// Notifications is the handle of the notification destinations.
	Notifications = deliveries.Notifications
	// Redeliveries is the handle of the redeliveries.
	Redeliveries = deliveries.Redeliveries
	// Rows is the handle of the rows of all tables: what is old, what belongs to an environment, and how much there is.
	Rows = upkeep.Rows
	// Schedules is the handle of the schedules of sync jobs with their fires.
	Schedules = syncjobs.Schedules
	// States is the handle of the state that sync job runs keep from one to the next.
	States = syncjobs.States
	// SyncJobRuns is the handle of the sync job runs with their log.
	SyncJobRuns = syncjobs.SyncJobRuns
	// SyncJobs is the handle of the sync jobs.
	SyncJobs = syncjobs.SyncJobs
	// Tasks is the handle of the tasks: those that wait in line, and those of the queue.
	Tasks = upkeep.Tasks
	// Templates is the handle of the templates of sync jobs.
	Templates = syncjobs.Templates
	// Tenants is the handle of the tenants.
	Tenants = accounts.Tenants
	// Users is the handle of the users of the dashboard, with their sessions.
	Users = people.Users
	// Views are the questions of the dashboard.
	Views = views.Views
	// Webhooks is the handle of the webhooks.
	Webhooks = deliveries.Webhooks
	// WorkflowRuns is the handle of the workflow runs with the results of their steps.
	WorkflowRuns = workflows.WorkflowRuns
	// Workflows is the handle of the workflows with their versions.
	Workflows = workflows.Workflows
)

// What handles take and return.
type (
	// Actor is who changes something.
	Actor = sqldb.Actor
	// ActorKind says what an actor is.
	ActorKind = sqldb.ActorKind
	// AuditEntry is one change of one object by an actor.
	AuditEntry = table.AuditEntry
	// AuditID identifies an audit entry.
	AuditID = table.AuditID
	// Batch is a group of events that were stored together.
	Batch = workflows.Batch
	// ConnectSession is one attempt of a browser to connect an account.
	ConnectSession = accounts.ConnectSession
	// ErasedRows says how far the deletion of an environment has come.
	ErasedRows = upkeep.ErasedRows
	// Figures says how much there is and how much waits.
	Figures = upkeep.Figures
	// FlowLock is the lock of some keys of a workflow.
	FlowLock = workflows.FlowLock
	// Health is what the database says about how the server is.
	Health = upkeep.Health
	// Cleanup is what the last removal of old rows of a kind has removed.
	Cleanup = upkeep.Cleanup
	// HealthNode is a process that uses the database.
	HealthNode = upkeep.Node
	// TaskDepth is how many tasks of a kind there are.
	TaskDepth = upkeep.TaskDepth
	// Mark says where a scan of old rows ends.
	Mark = table.Mark
	// Needed is a reason for which an old row stays.
	Needed = upkeep.Needed
	// Owned says how many rows of a kind an environment has.
	Owned = upkeep.Owned
	// Prune says which old rows to look at.
	Prune = upkeep.Prune
	// Pruned is the result.
	Pruned = upkeep.Pruned
	// Redelivery sends what a webhook did not get once more.
	Redelivery = deliveries.Redelivery
	// RedeliveryFilter says which deliveries a redelivery takes.
	RedeliveryFilter = deliveries.RedeliveryFilter
	// RedeliveryID identifies a redelivery.
	RedeliveryID = deliveries.RedeliveryID
	// RedeliveryPreview says what a redelivery would take.
	RedeliveryPreview = deliveries.RedeliveryPreview
	// RedeliveryStatus says how far a redelivery has come.
	RedeliveryStatus = deliveries.RedeliveryStatus
	// RedeliveryStep is what one transaction of a redelivery has done.
	RedeliveryStep = deliveries.RedeliveryStep
	// TableSize says how large a table is.
	TableSize = upkeep.TableSize
	// TaskState is a kind of tasks with what becomes of them.
	TaskState = upkeep.TaskState
	// TimeRange is a part of time.
	TimeRange = deliveries.TimeRange
	// Verdict is what workflows have made of an event so far.
	Verdict = workflows.Verdict
	// WaitingTask is a task in line.
	WaitingTask = upkeep.WaitingTask
	// WorkflowPage says which workflows to read.
	WorkflowPage = workflows.WorkflowPage
)

// The kinds of actors.
const (
	ActorToken   = sqldb.ActorToken
	ActorAccount = sqldb.ActorAccount
	ActorUser    = sqldb.ActorUser
	ActorCommand = sqldb.ActorCommand
)

// What an actor has done.
const (
	AuditCreated = table.AuditCreated
	AuditChanged = table.AuditChanged
	AuditDeleted = table.AuditDeleted
)

// The engine below.
type (
	// Cipher seals what is secret.
	Cipher = sqldb.Cipher
	// CommitFault says how a commit fails.
	CommitFault = sqldb.CommitFault
	// Faults makes updates fail where a test wants them to.
	Faults = sqldb.Faults
)

// The ways in which a commit fails.
const (
	CommitSucceeds     = sqldb.CommitSucceeds
	CommitFails        = sqldb.CommitFails
	CommitVanishes     = sqldb.CommitVanishes
	CommitIsNotHeardOf = sqldb.CommitIsNotHeardOf
)

// The reasons for which an old row stays.
const (
	NeedAge         = upkeep.NeedAge
	NeedOpen        = upkeep.NeedOpen
	NeedWebhook     = upkeep.NeedWebhook
	NeedRun         = upkeep.NeedRun
	NeedMatch       = upkeep.NeedMatch
	NeedDelivery    = upkeep.NeedDelivery
	NeedWorkflowRun = upkeep.NeedWorkflowRun
	NeedSlot        = upkeep.NeedSlot
	NeedRate        = upkeep.NeedRate
	NeedLine        = upkeep.NeedLine
	NeedPrevious    = upkeep.NeedPrevious
	NeedScheduled   = upkeep.NeedScheduled
)

// EnvironmentSweep is how long after the wish to delete an environment its entry stays.
const EnvironmentSweep = upkeep.EnvironmentSweep

// CountedRows is from how many rows on those of an environment are not counted any more.
const CountedRows = upkeep.CountedRows

// DepthCounted bounds how many tasks of a kind [Rows.Health] counts.
const DepthCounted = upkeep.DepthCounted

// Errors of the engine.
var (
	ErrOutage         = sqldb.ErrOutage         // a failure of the database itself
	ErrUnknownOutcome = sqldb.ErrUnknownOutcome // a commit that was sent and got no response
	ErrSilent         = sqldb.ErrSilent         // a database that does not respond
)

// Injected returns the error of a fault that a test has placed. It is a failure of the database like a full disk.
func Injected() error { return sqldb.Injected() }

// IsPostgres reports whether url names a PostgreSQL database rather than a SQLite file.
func IsPostgres(url string) bool { return sqldb.IsPostgres(url) }

// Name names a database in a way that does not change with the credentials: host, port, database and schema, or the name of
// the file.
func Name(url string) (string, error) { return sqldb.Name(url) }

// OnBehalfOf returns a context whose transactions take turns with those of other environments. Without it they share the turns of
// the server itself.
func OnBehalfOf(ctx context.Context, env millrace.EnvironmentID) context.Context {
	return sqldb.OnBehalfOf(ctx, env)
}

// By returns a context in which the changes of transactions are recorded, in them, as those of an actor. The zero value is the server
// itself, of which nothing is recorded.
func By(ctx context.Context, a sqldb.Actor) context.Context { return sqldb.By(ctx, a) }

// ActorOf returns who makes the changes of a context.
func ActorOf(ctx context.Context) sqldb.Actor { return sqldb.ActorOf(ctx) }

// FlowLocks returns the locks of keys of a workflow.
func FlowLocks(env millrace.EnvironmentID, id millrace.WorkflowID, keys ...string) []FlowLock {
	return workflows.FlowLocks(env, id, keys...)
}

// OwnedText says what an environment has, for people.
func OwnedText(rows []Owned) string { return upkeep.OwnedText(rows) }
