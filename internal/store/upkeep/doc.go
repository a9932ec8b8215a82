// Package upkeep keeps the rows of tasks, and what looks across all tables: which rows are old, which belong to a customer or an
// environment that is erased, and how much there is.
package upkeep
