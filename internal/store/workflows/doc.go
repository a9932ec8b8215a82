// Package workflows keeps the rows that lead from an event to a workflow run: events with their batches, decisions, workflows with
// their versions, workflow runs, and what flow control counts.
//
// An event is decided about once for each workflow: (event, workflow) is the key of a decision.
package workflows
