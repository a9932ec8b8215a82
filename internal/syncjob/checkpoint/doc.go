// Package checkpoint is where a sync job run stands: the stack of requests and records that it is working through, with
// everything that a slice of the run needs to go on besides the run's row and its frozen deliveries.
//
// A [Point] is encoded into the run's row with every page. A list of records that is longer than [MaxInline] is a part of
// its own beside the row: it is written once and the point refers to it by number.
//
// # Invariants
//
//   - A point that is encoded and read again is the same: a crash after any page costs nothing that the point holds.
//   - A part is never changed. A list that grows becomes a new part, and the old one is dropped.
//   - A point refers to at most one page for each request that is under way, and to what spools have collected.
package checkpoint
