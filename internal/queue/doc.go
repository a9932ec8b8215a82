// Package queue runs durable tasks on River. It is the one package that knows River: claiming, retries, timers,
// leader election and rescue are River's, the rows that tasks point at are ours.
//
// A task is inserted in the transaction of the rows that it belongs to and completed in the transaction that stores
// its effect, so a crash repeats it or not, but never loses it. At most one live task exists for a kind and key. Each
// kind has a queue of its own with its own limit of workers, so that one kind cannot starve another.
//
// Environments share the workers of a kind. An environment has as many tasks with River as it may have workers; what comes
// beyond that waits in its line (store.WaitingTask), in which accounts take turns, and is given to River as its tasks end. So
// River's table stays short, whatever floods it, and no order among its jobs is needed. Each process counts what it has
// inserted and what it works; what others have worked it finds out by looking.
//
// What a handler returns decides what follows: nil ends the task, an error repeats it with growing waits,
// millrace.RetryAfter repeats it after that while without counting a failure, millrace.Permanent gives it up. A commit whose
// outcome is unknown repeats it at once: the handler reads what is there, and a task that was completed stays completed.
//
// After a crash: on SQLite, where one process owns the database, tasks that were running start again at once. On
// PostgreSQL every node writes a heartbeat, and the tasks of a node that has been silent for deadAfter are given to the
// others; a node that follows a dead one in the same place gives them back at once, and a task that a node was given
// without learning of it is free again after that time. A reconcile pass every reconcilePer wakes every row that has work and no
// live task, so even a task that was deleted by hand costs that delay only.
package queue
