package deliver

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const commitTimeout = 5 * time.Second

// result is a delivery as it is to be written, with the attempt that made it so; none when it was cancelled.
type result struct {
	delivery millrace.Delivery
	attempt  *millrace.Attempt
}

// commit writes what was done. With end it also completes the task, and reports true, if there is nothing left to do.
// It does so even while the process is being stopped: what was sent should not be sent again.
func (s *slice) commit(ctx context.Context, end bool) (bool, error) {
	if len(s.done) == 0 && !end {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	ended := false
	err := s.pump.db.Update(ctx, func(tx *store.Tx) error {
		ended = false
		// First of all: this is the fence, and it takes the lock on the webhook's row.
		if err := tx.SaveWebhookProgress(ctx, &s.webhook); err != nil {
			return err
		}
		for i := range s.done {
			if err := write(ctx, tx, &s.done[i]); err != nil {
				return err
			}
		}
		if !end {
			return nil
		}
		var err error
		ended, err = s.complete(ctx, tx)
		return err
	})
	if err != nil {
		return false, err
	}
	s.done, s.since = nil, s.pump.sender.clock()
	return ended, nil
}

func write(ctx context.Context, tx *store.Tx, r *result) error {
	if r.attempt != nil {
		if err := tx.InsertAttempt(ctx, r.attempt); err != nil {
			return err
		}
	}
	return tx.UpdateDelivery(ctx, &r.delivery)
}

// complete finishes the task under the lock on the webhook's row, if the webhook is inactive or its backlog empty.
func (s *slice) complete(ctx context.Context, tx *store.Tx) (bool, error) {
	current, err := tx.Webhook(ctx, s.webhook.EnvironmentID, s.webhook.ID)
	if err != nil {
		return false, err
	}
	progress := s.webhook
	forgetFailures(&progress)
	if current.IsActive {
		left, err := tx.Backlog(ctx, s.webhook.ID, 1)
		if err != nil || len(left) > 0 {
			return false, err
		}
		// Whoever queues the next delivery compares these two to see whether a pump is at work. They differ when
		// deliveries at the end of the backlog were cancelled.
		progress.SentSequence = current.NextSequence
	}
	if progress.SentSequence != s.webhook.SentSequence || progress.Attempt != s.webhook.Attempt {
		if err := tx.SaveWebhookProgress(ctx, &progress); err != nil {
			return false, err
		}
	}
	return true, tx.Finish(ctx)
}
