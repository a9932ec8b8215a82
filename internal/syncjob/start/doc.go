// Package start makes sync job runs and stops them: for the API, for schedules and for the steps of workflows.
//
// [Prepare] checks the request, its arguments and the job's args_validation outside of any transaction, because
// expressions may take their time, and resolves mutex_key and state_key. [Start] stores the run in the transaction of its
// caller, together with its first event. A run that has to wait for another gets no task; the transaction that ends the
// other makes it.
//
// # Invariants
//
//   - What Prepare returns has been checked against the environment; nothing is stored before Start.
//   - Start may be called again with the same prepared run, as a transaction is that is repeated.
//   - A run that has ended is never stopped.
package start
