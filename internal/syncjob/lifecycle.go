package syncjob

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// begin starts a run: the row becomes running, and its webhook is notified. Nothing is fetched before it has responded.
// The event that the run was created comes from where it was created.
func (s *slice) begin(ctx context.Context) error {
	next := *s.run
	next.StartedAt, next.Status = s.r.now(), millrace.RunRunning
	s.run = &next
	s.point.Started = true
	s.setBase(s.account)
	if len(s.plan) == 0 {
		s.point.Stack = startWalk(s.graph.Starts)
	}
	out, err := s.lifecycle(millrace.EventRunStarted, s.run)
	if err != nil {
		return err
	}
	return s.freeze(ctx, change{out: []evaluate.Output{out}, emit: []string{millrace.EventRunStarted}})
}

// lifecycle returns the delivery of an event of the run to its own webhook.
func (s *slice) lifecycle(event string, run *millrace.SyncJobRun) (evaluate.Output, error) {
	payload, err := s.runPayload(run)
	if err != nil {
		return evaluate.Output{}, err
	}
	return evaluate.Output{Event: event, Webhook: run.WebhookID, Payload: payload}, nil
}

// fail makes a run fail: what it has brought so far is sent, its error events are walked, and then it ends.
func (s *slice) fail(ctx context.Context, e *evaluate.Evaluation, reason millrace.RunError) error {
	s.failing(reason)
	return s.freeze(ctx, changeOf(e))
}

// finish freezes the last delivery of a run. Its response makes the row final; without a webhook that wants it,
// the row is final at once.
func (s *slice) finish(ctx context.Context, e *evaluate.Evaluation, status millrace.RunStatus) error {
	last := &checkpoint.Final{Status: status, FinishedAt: s.r.now()}
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
		out.Line = &millrace.RunLog{
			Level: millrace.LogError, Message: s.point.Failing.Message, Node: s.point.Failing.Node, Detail: last.Error,
		}
	}
	return s.freeze(ctx, change{out: []evaluate.Output{out}, counts: e.Counts, lines: e.Lines})
}

// rateLimited tells that the run waits for the provider, once for each time that it begins to wait.
func (s *slice) rateLimited(e *evaluate.Evaluation) (change, error) {
	ch := changeOf(e)
	ch.status = millrace.RunRateLimited
	if s.run.Status == millrace.RunRateLimited {
		return ch, nil
	}
	shown := *s.run
	shown.Status = millrace.RunRateLimited
	s.waits(&shown)
	out, err := s.lifecycle(millrace.EventRunRateLimited, &shown)
	if err != nil {
		return change{}, err
	}
	if out.Line, err = e.LimitLine(until(s.point.NotBefore, s.r.now())); err != nil {
		return change{}, err
	}
	ch.out = append(ch.out, out)
	ch.emit = []string{millrace.EventRunRateLimited}
	return ch, nil
}
