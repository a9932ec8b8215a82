// Package schedule starts sync job runs at the instants of schedules.
//
// A schedule is a cron expression on the wall clock of a time zone ([Cron]) with what a run is started with. Every node
// has a [Ticker]. It fires a schedule under the lock of the schedule's row, in one transaction: each instant that has
// passed gets a row, a run is made or a reason is stored why none was, and the schedule moves to its next instant.
//
// # Invariants
//
//   - Schedule and instant are the key: an instant has one row and at most one run, however many nodes fire it.
//   - No leader is elected. A schedule whose row is locked is left to the holder of the lock, so that the schedules of a
//     node that dies are fired by the others at once.
//   - Environments take turns, so that one with many schedules at one instant does not make the others late.
//
// # After a pause
//
// When no server fired schedules for a while, several instants of a schedule may have passed. They are handled in one
// transaction, by catch_up:
//
//   - none: an instant that is late by more than a grace period is missed. The others run, as if there had been no pause.
//   - one: the last instant decides, and the earlier ones are coalesced into its run. If it gets no run, because of
//     overlap or an error, they share its outcome.
//   - all: every instant is decided on its own, the oldest first.
//
// Only the last maxFires instants get rows of their own. The older ones share one row, which says how many they are, and
// get no run: they are missed, or coalesced with catch_up one. Overlap is decided after catch_up, for each instant that would
// get a run: skip it, queue it behind the open run (at most one waits), or allow it.
package schedule
