// Package sqldb runs units of work on SQLite or PostgreSQL. It knows transactions and not what is stored in them: tables, rows and
// migrations are the business of the packages beside it, and only these import it.
//
// On SQLite there is one connection that writes. The first caller becomes the leader and commits for all that wait, each in a
// savepoint of its own; reads use a pool of read-only connections. On PostgreSQL every update is a transaction of its own, repeated
// when the database requests it. Environments take turns at both. A commit without a response is an [ErrUnknownOutcome], never a
// success and never a failure.
package sqldb
