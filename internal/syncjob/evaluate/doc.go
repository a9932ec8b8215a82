// Package evaluate computes what comes of the records of a sync job run: the bodies that are to be sent, in their order,
// the batches whose records have requests of their own, the lines of the log, and the problems that arise on the way.
//
// An [Evaluation] belongs to one step of a run: a page that came, a record that is visited, a spool that is emptied. Nodes
// that work on whole batches run in [Evaluation.Batch]; the nodes below a single record run in [Evaluation.Enter], which
// also says which requests and changes of the state that record needs.
//
// # Invariants
//
//   - It makes no request and writes nothing. It reads the database only for get_state nodes, through ReadState.
//   - It can be thrown away and done again as long as nothing of it is frozen.
//   - A [Problem] is of the job, its data or a provider, and is handled as the run's error_handling says. An error is ours,
//     except [ErrStop], after which the run must fail because of Fatal.
package evaluate
