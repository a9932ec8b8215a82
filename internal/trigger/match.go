// Package trigger decides which workflows an event wakes: the second hop of the data.
//
// A match task names a batch of events of one environment that were stored together. For every event and every workflow of
// its environment that listens to it, the workflow's run_if is evaluated and one decision row is stored: matched,
// not_matched, error or limit, with the version of the workflow. A match also stores the workflow run and the task
// that starts it. In the same transaction, the flow control of a workflow (control.Arrive) may say of a match that its run
// begins later, that there is none, or that another event's stands for it.
//
// Most batches are matched in one transaction, which also ends their task. A batch with more to decide is matched in chunks
// that take milliseconds, so that those of other environments get their turn between them, and its row says how far that has
// come. Workflow after workflow decides about all events of the batch: workflows are many, events few.
//
// Nothing is lost in a crash: the batch stays until its decisions are stored. Nothing happens twice: event and
// workflow are the key of the decision and of the run, and the run's id follows from them.
package trigger

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
)

const (
	// maxDepth bounds how many workflow runs may lead to an event, so that a workflow that causes its own trigger ends.
	maxDepth = 8
	// DefaultFanOut bounds how many workflow runs an event may cause, directly or through events of those runs.
	DefaultFanOut = 10_000
	// workTime is how long a batch is worked on before its task gives its worker back.
	workTime = 250 * time.Millisecond
)

// MatcherConfig is what a matcher needs; only DB is required.
type MatcherConfig struct {
	DB     *store.DB
	Clock  func() time.Time // nil: time.Now
	Budget *expr.Budget     // nil: conditions may take any share of the time
	FanOut int64            // how many workflow runs an event may cause; 0: DefaultFanOut
	// Observe receives the decisions that were stored, those of one outcome at a time; may be nil.
	Observe observe.Observer
}

// Matcher decides about events.
type Matcher struct{ cfg MatcherConfig }

// NewMatcher returns a matcher.
func NewMatcher(cfg MatcherConfig) *Matcher {
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of the injected clock
	}
	if cfg.FanOut == 0 {
		cfg.FanOut = DefaultFanOut
	}
	return &Matcher{cfg}
}

// Match decides about the events of the batch that a task names, or about some of them: what is left comes next time.
func (m *Matcher) Match(ctx context.Context, task millrace.Task) error {
	began := m.cfg.Clock()
	id := millrace.BatchID(task.Key)
	w, err := m.open(ctx, id)
	if err != nil {
		return err
	}
	if w == nil {
		return m.end(ctx, id)
	}
	for {
		c, err := w.decide(ctx)
		if err != nil {
			return err
		}
		done, err := w.save(ctx, c)
		switch {
		case err != nil || done:
			return err
		case c.wait > 0:
			return millrace.RetryAfter(c.wait, nil)
		case m.cfg.Clock().Sub(began) > workTime:
			return millrace.RetryAfter(0, nil)
		}
	}
}

// end ends the task of a batch of which nothing is left to be matched.
func (m *Matcher) end(ctx context.Context, id millrace.BatchID) error {
	return m.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Events().FinishBatch(ctx, id); err != nil {
			return err
		}
		return tx.Finish(ctx)
	})
}
