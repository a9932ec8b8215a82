package deliver

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	redeliveredAtOnce = 200                    // deliveries that one transaction looks at
	redeliveryRoom    = 5000                   // a backlog of so many is not added to, so that what happens meanwhile waits for no more
	redeliverySlice   = 250 * time.Millisecond // then the task gives its worker back
	redeliveryPoll    = time.Second            // while the backlog has no room
	redeliveryRest    = 30 * time.Second       // while its webhook takes nothing
)

// Redeliverer queues what webhooks did not get once more. It keeps nothing in memory: how far a redelivery has come is stored with
// what it has queued.
type Redeliverer struct {
	db    *store.DB
	clock func() time.Time
}

// NewRedeliverer returns a redeliverer.
func NewRedeliverer(db *store.DB, clock func() time.Time) *Redeliverer {
	return &Redeliverer{db, clock}
}

// Handle works on a task of kind redeliver. It returns nil when nothing is left to queue.
func (r *Redeliverer) Handle(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[store.RedeliveryID](task.Key)
	until := r.clock().Add(redeliverySlice)
	for {
		step, err := store.Compute(ctx, r.db, func(tx *store.Tx) (store.RedeliveryStep, error) {
			step, err := store.RedeliveriesOf(tx).Step(ctx, env, id, redeliveredAtOnce, redeliveryRoom)
			if err == nil && !step.Running {
				err = tx.Finish(ctx)
			}
			return step, err
		})
		switch {
		case err != nil || !step.Running:
			return err
		case step.Stalled:
			return millrace.RetryAfter(redeliveryRest, nil)
		case step.Waits:
			return millrace.RetryAfter(redeliveryPoll, nil)
		case ctx.Err() != nil || !r.clock().Before(until):
			return millrace.RetryAfter(0, nil)
		}
	}
}
