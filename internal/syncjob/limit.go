package syncjob

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// workedFor returns for how long slices have worked on the run. The time in which it waits for a third party's limit, for a
// webhook that does not answer, or for a worker, does not count.
func (s *slice) workedFor() time.Duration { return s.worked + until(s.r.now(), s.began) }

// overdue returns the error of a run that has been worked on for too long, or nil.
func (s *slice) overdue() *millrace.RunError {
	if s.point.Failing != nil || s.point.Final != nil || s.workedFor() < s.r.cfg.MaxRunTime {
		return nil
	}
	reason := &millrace.RunError{Code: codeRunTime, Message: fmt.Sprintf("the run has worked for more than %s", s.r.cfg.MaxRunTime)}
	if c := nearestCall(s.point.Stack); c != nil {
		if n := s.graph.byName[c.Node]; n != nil {
			reason.Node, reason.Resource = n.name, n.resource()
		}
	}
	return reason
}

// failing makes the run fail: from here on only its error events are walked. What was collected and is not delivered by
// that is named in the reason, so that it is not lost without a word.
func (s *slice) failing(reason millrace.RunError) {
	if lost := s.collected(); lost != "" {
		reason.Message += "; not sent were " + lost
	}
	s.point.Failing = &reason
	s.point.Stack, s.point.NotBefore = nil, 0
	if len(s.plan) == 0 {
		s.point.Stack = startWalk(s.graph.errors)
	}
}

// collected describes what spools hold.
func (s *slice) collected() string {
	counts := map[string]int{}
	for _, f := range s.point.Stack {
		if f.Call == nil {
			continue
		}
		for name, c := range f.Call.Spools {
			for _, v := range c {
				counts[name] += len(v.items)
			}
		}
	}
	var names []string
	for name, n := range counts {
		if n > 0 {
			names = append(names, fmt.Sprintf("%d records that the spool %q had collected", n, name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
