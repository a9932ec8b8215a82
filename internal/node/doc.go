// Package node is what one process has on its machine: the lock on the database file, its name among the processes that share a
// PostgreSQL, the list of databases that its data directory has been used with, and the space that is left on the disk.
//
// The locks end with the process, however it ends; the names and the list are files that survive it. An interrupted write of either
// leaves whole lines.
package node
