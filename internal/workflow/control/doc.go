// Package control decides when the runs of a workflow begin, and which do not: idempotency keys, debounce, rate limits, concurrency
// and delays.
//
// What it counts are rows: runs that wait, slots that runs hold, times that a rate limit has given away, keys that were seen. It
// reads them under the locks of the keys that it decides about (store.FlowLocks), so that decisions about one key come one after
// the other, also from several processes. A decision, the run and all that it changes about other runs are one transaction, so a
// crash leaves nothing half decided.
package control
