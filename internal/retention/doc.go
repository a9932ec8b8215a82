// Package retention removes rows: those whose time is over, those of a customer whose account was deleted, and those of an
// environment that is being deleted.
//
// Every transaction looks at a bounded number of rows and removes some of them, then pauses, so that other work comes first; a task
// yields after pruneSlice. How far an erasure has come is a row, so a crash costs nothing. How far a pass over old rows has come is
// kept in memory: losing it merely rescans rows that are still needed.
package retention
