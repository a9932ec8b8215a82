// Package plan compiles the resources of a sync job into the graph that a run walks, and says what is wrong with a job
// before it is saved. It reads JSON and returns values: it touches no database and makes no request.
//
// [Check] and [Warn] are for who saves a job, [Build] is for who runs one. Both go the same way, so that a job that
// was accepted can be run:
//
//	resources -> spec (one element in the words of the node graph) -> Node (compiled) -> Graph (related, in order)
//
// A legacy list of resources is translated into specs of the node graph first, so that there is one executor.
//
// [Scope] is what the expressions and placeholders of a node see while the graph is walked.
//
// # Invariants
//
//   - A graph, its nodes and their expressions are immutable once built, and may be used by several goroutines.
//   - A check finds everything that is wrong at once, each at its path; it does not stop at the first failure.
//   - The graph of a job with failures is not walked.
//   - Scopes are immutable: a method returns a changed copy that shares what did not change.
package plan
