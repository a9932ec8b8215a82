package syncjob

import (
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// overdue returns the error of a run that has been worked on for too long, or nil.
func (s *slice) overdue() *millrace.RunError {
	if s.point.Failing != nil || s.point.Final != nil || s.workedFor(s.r.now()) < s.r.cfg.MaxRunTime {
		return nil
	}
	reason := &millrace.RunError{Code: evaluate.CodeRunTime, Message: fmt.Sprintf("the run has worked for more than %s", s.r.cfg.MaxRunTime)}
	if c := checkpoint.Nearest(s.point.Stack); c != nil {
		if n := s.graph.ByName[c.Node]; n != nil {
			reason.Node, reason.Resource = n.Name, n.Resource()
		}
	}
	return reason
}
