// Package syncjobs keeps the rows of sync jobs, their templates, schedules and runs, and what runs keep: checkpoints, state, log.
//
// Progress of a run is fenced: it is written on the condition that no other slice has claimed the run since.
package syncjobs
