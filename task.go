package millrace

import (
	"strings"
	"time"
)

// TaskKind names what a task does. The hops of the data, in order, then housekeeping.
type TaskKind string

// The kinds of tasks. A task only says which row to look at; the row holds the truth.
const (
	TaskInbound  TaskKind = "inbound"  // Key = BatchID: make events of what providers sent
	TaskMatch    TaskKind = "match"    // Key = BatchID: decide which workflows the events of a batch wake
	TaskWorkflow TaskKind = "workflow" // Key = WorkflowRunID: run the steps of a workflow run
	TaskConnect  TaskKind = "connect"  // Key = TaskKey of an IntegratedAccountID: the actions of an account that is being connected
	TaskSlice    TaskKind = "slice"    // Key = TaskKey of a SyncJobRunID: some seconds of a sync job run
	TaskPump     TaskKind = "pump"     // Key = TaskKey of a WebhookID: send the backlog of a webhook, in order
	TaskRefresh  TaskKind = "refresh"  // Key = TaskKey of an IntegratedAccountID: ask for the next pair of tokens of an account
	// TaskAction runs the actions of an account that are due. Key = TaskKey of an IntegratedAccountID.
	TaskAction TaskKind = "action"
	// TaskDisconnect goes on with the deletion of an account. Key = TaskKey of a DisconnectionID.
	TaskDisconnect TaskKind = "disconnect"

	TaskRedeliver TaskKind = "redeliver" // Key = TaskKey of a redelivery: queue what a webhook did not get once more
	TaskErase     TaskKind = "erase"     // Key = ErasureID, or an environment: remove what is stored about a customer, or all of it
	TaskPrune     TaskKind = "prune"     // Key = "": remove rows that are kept for a time only
	TaskReconcile TaskKind = "reconcile" // Key = "": wake rows that have work and no live task
)

// TaskKinds returns all kinds in the order of the data's path.
func TaskKinds() []TaskKind {
	return []TaskKind{TaskInbound, TaskMatch, TaskWorkflow, TaskConnect, TaskSlice, TaskPump, TaskRefresh, TaskAction, TaskDisconnect, TaskRedeliver, TaskErase, TaskPrune, TaskReconcile}
}

// TaskKey is the key of a task about a row whose id is unique in its environment only.
func TaskKey[ID ~string](env EnvironmentID, id ID) string { return string(env) + "/" + string(id) }

// ParseTaskKey returns what TaskKey was made of. Keys that earlier versions stored name no environment.
func ParseTaskKey[ID ~string](key string) (EnvironmentID, ID) {
	env, id, scoped := strings.Cut(key, "/")
	if !scoped {
		return "", ID(key)
	}
	return EnvironmentID(env), ID(id)
}

// Task is a row in the queue: "look at this row", now or later. At most one live task exists for a kind and key;
// enqueueing a second one while the first waits or runs does nothing.
type Task struct {
	Kind TaskKind
	Key  string
	At   time.Time // zero: now
	Wake bool      // when such a task waits for later, run it now

	// Environment and Account say whose share of the workers the task uses, so that no environment, and within one no account,
	// starves another. Empty: housekeeping, or of no account.
	Environment EnvironmentID
	Account     IntegratedAccountID

	Traceparent string // of the request that it follows from; empty: none, or of several

	// Set on tasks that the queue hands to a handler.
	ID      int64
	Attempt int // from 1
}

// environmentKeys is what the keys of tasks begin with that erase a whole environment.
const environmentKeys = "environment/"

// EraseEnvironmentTask returns the task that removes the rows of an environment that is being deleted.
func EraseEnvironmentTask(id EnvironmentID) Task {
	return Task{Kind: TaskErase, Key: environmentKeys + string(id)}
}

// ErasedEnvironment returns the environment that a task is to erase, if it is about a whole one.
func (t *Task) ErasedEnvironment() (EnvironmentID, bool) {
	id, ok := strings.CutPrefix(t.Key, environmentKeys)
	return EnvironmentID(id), ok
}

// ConnectTask returns the task that takes an account through the actions of its connection now.
func ConnectTask(v *IntegratedAccount) Task {
	return Task{Kind: TaskConnect, Key: TaskKey(v.EnvironmentID, v.ID), Environment: v.EnvironmentID, Account: v.ID, Wake: true}
}

// ActionTask returns the task that runs the actions of an account when they are due.
func ActionTask(v *IntegratedAccount) Task {
	return Task{
		Kind: TaskAction, Key: TaskKey(v.EnvironmentID, v.ID), At: v.ActionAt.Std(), Wake: true, Environment: v.EnvironmentID, Account: v.ID,
	}
}

// SliceTask returns the task that works on a sync job run now.
func SliceTask(run *SyncJobRun) Task {
	return Task{Kind: TaskSlice, Key: TaskKey(run.EnvironmentID, run.ID), Environment: run.EnvironmentID, Account: run.IntegratedAccountID, Traceparent: run.Traceparent}
}
