package server

import (
	"cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/trigger"
)

// environmentLimits returns what an environment may take of what all share, and what it takes on this node.
func (s *Server) environmentLimits(env millrace.EnvironmentID) httpapi.EnvironmentLimits {
	workers, taken := s.queue.Workers(), s.queue.Shares()
	limits := s.opts.Limits
	out := httpapi.EnvironmentLimits{
		WorkersPercent:  s.queue.Percent(env),
		ConditionMillis: cmp.Or(limits.ConditionTime, conditionTime).Milliseconds(),
		RunsPerEvent:    cmp.Or(limits.FanOut, trigger.DefaultFanOut),
	}
	for _, kind := range millrace.TaskKinds() {
		if workers[kind] == 0 {
			continue
		}
		share := httpapi.WorkerShare{Kind: kind, Workers: workers[kind]}
		for _, t := range taken {
			if t.Kind == kind && t.Environment == env {
				share.Busy = t.Busy
			}
		}
		out.Workers = append(out.Workers, share)
	}
	return out
}
