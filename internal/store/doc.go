// Package store keeps all state of Millrace in one database: SQLite inside the process, or PostgreSQL.
//
// Everything goes through View and Update. Update is one unit of work over rows and tasks: what a stage changes and
// the task that wakes the next stage are committed together, so a crash leaves both or neither. DB itself has no
// query methods; rows exist only through the handles of a Tx, one for each noun: tx.Webhooks().Get(ctx, env, id). The packages
// below keep the rows, each of one theme; sqldb is the engine, and table what their tables have in common.
//
// On SQLite there is one connection that writes, and updates that wait for it share a commit: each runs in a
// savepoint of its own, so one that fails takes nothing else with it. Reads use a separate pool of read-only
// connections. On PostgreSQL every update is a transaction of its own, repeated when the database requests it.
//
// Conventions: ids are made in Go; times are microseconds since 1970 UTC and 0 means "not yet"; absent texts are
// empty, so that no column is null and both databases sort alike; documents are kept as the text they came in, so
// the order of their keys survives; secrets are sealed with the cipher given to Open. Lists use keyset cursors.
package store
