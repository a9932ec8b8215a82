package syncjob

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
)

// begin starts a run: the row becomes running, and its webhook hears that. Nothing is fetched before it has answered.
// That the run was created was told by whoever created it.
func (s *slice) begin(ctx context.Context) error {
	next := *s.run
	next.StartedAt, next.Status = s.r.now(), millrace.RunRunning
	s.run = &next
	s.point.Started = true
	s.setBase()
	if len(s.plan) == 0 {
		s.point.Stack = startWalk(s.graph.starts)
	}
	out, err := s.lifecycle(millrace.EventRunStarted, s.run)
	if err != nil {
		return err
	}
	return s.freeze(ctx, change{out: []output{out}, emit: []string{millrace.EventRunStarted}})
}

// lifecycle returns the delivery of an event of the run to its own webhook.
func (s *slice) lifecycle(event string, run *millrace.SyncJobRun) (output, error) {
	payload, err := s.runPayload(run)
	if err != nil {
		return output{}, err
	}
	return output{event: event, webhook: run.WebhookID, payload: payload}, nil
}

// fail makes a run fail: what it has brought so far is sent, its error events are walked, and then it ends.
func (s *slice) fail(ctx context.Context, e *evaluation, reason millrace.RunError) error {
	s.failing(reason)
	return s.freeze(ctx, e.change())
}

// finish freezes the last delivery of a run. Its answer makes the row final; without anybody to tell, the row is final
// at once.
func (s *slice) finish(ctx context.Context, e *evaluation, status millrace.RunStatus) error {
	last := &final{Status: status, FinishedAt: s.r.now()}
	event := millrace.EventRunCompleted
	if status == millrace.RunFailed {
		event = millrace.EventRunFailed
		raw, err := json.Marshal(s.point.Failing)
		if err != nil {
			return fmt.Errorf("encode run error: %w", err)
		}
		last.Error = raw
	}
	s.point.Final = last
	shown := *s.run
	s.applyFinal(&shown)
	out, err := s.lifecycle(event, &shown)
	if err != nil {
		return err
	}
	if status == millrace.RunFailed {
		out.line = &millrace.RunLog{
			Level: millrace.LogError, Message: s.point.Failing.Message, Node: s.point.Failing.Node, Detail: last.Error,
		}
	}
	return s.freeze(ctx, change{out: []output{out}, counts: e.counts, lines: e.lines})
}

// rateLimited tells that the run waits for the third party, once for each time that it begins to wait.
func (s *slice) rateLimited(e *evaluation) (change, error) {
	ch := e.change()
	ch.status = millrace.RunRateLimited
	if s.run.Status == millrace.RunRateLimited {
		return ch, nil
	}
	shown := *s.run
	shown.Status, shown.RetryAt = millrace.RunRateLimited, s.point.NotBefore
	out, err := s.lifecycle(millrace.EventRunRateLimited, &shown)
	if err != nil {
		return change{}, err
	}
	if out.line, err = e.limitLine(until(s.point.NotBefore, s.r.now())); err != nil {
		return change{}, err
	}
	ch.out = append(ch.out, out)
	ch.emit = []string{millrace.EventRunRateLimited}
	return ch, nil
}
