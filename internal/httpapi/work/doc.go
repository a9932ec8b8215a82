// Package work has the handlers of what is done with connections: workflows, sync jobs, their runs and schedules, events, and
// the log.
package work
