// Package syncjob executes sync job runs: it walks the graph of a run's nodes, fetches page after page from a
// provider, transforms the records and sends them, in order, to webhooks that must respond with 200 before the next page
// is fetched.
//
// A run is worked on in slices of some seconds, one task each ([Runner.Slice]). Between slices, and after a crash, a
// run is nothing but its row: the checkpoint says where in the graph it stands, and the frozen deliveries are those
// that are still to be delivered.
//
// # Invariants
//
//   - A body is frozen before it is sent, in the transaction that moves the checkpoint past the page it comes from.
//     What is frozen is never computed again: a repeated delivery has the same bytes and the same id, which follows
//     from the run and its sequence number.
//   - Deliveries are sent one at a time in the order of their sequence numbers, which have no gaps. The 200 removes
//     the frozen body in one transaction with the attempt. Nothing is fetched while a delivery is pending.
//   - sync_job_run:started is delivered before the first fetch, and the end of a run is itself its last delivery: the
//     row becomes completed or failed in the transaction of that delivery's 200.
//   - Every transaction is fenced by the epoch that the slice raised when it began, so a process that was paused
//     cannot write any more. A run that was stopped meanwhile looks the same and is left alone.
//   - No network call happens inside a transaction, and no slice sleeps: one that must wait gives its worker back.
//
// # The state of runs
//
// get_state nodes read with the record's context, before its requests. update_state and delete_state nodes are entries of the
// same list as the requests of a record, in the order of the graph, so that a cursor written behind a request moves when that
// request is done. What they change is kept beside the checkpoint, where the run itself sees it, and is stored by the
// next freeze together with the checkpoint that has passed the node.
//
// # What a crash costs
//
// A crash repeats at most one fetched page, if it was not frozen yet, and at most one delivery, if its 200 was not
// written down yet. Nothing is lost, because the checkpoint never moves without the deliveries of what it passes.
//
// # What is retried
//
// Temporary failures of a provider a few times with growing pauses, then they are handled as the run's
// error_handling says. Rate limits forever. A webhook that does not respond parks the run: it keeps its one page and goes
// on in order when the webhook responds. Our own failures are errors of the task, which the queue repeats.
package syncjob
