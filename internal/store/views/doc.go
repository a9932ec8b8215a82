// Package views answers what the dashboard asks and nothing else does: what needs attention, how much happened lately, what an id
// belongs to. Every query reads a bounded number of rows, whatever the tables hold.
package views
