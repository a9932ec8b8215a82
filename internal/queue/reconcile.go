package queue

import (
	"context"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// wokenAtOnce bounds how many tasks one transaction of a reconcile pass inserts.
const wokenAtOnce = 200

// reconcile wakes every row that has work and no live task. Enqueue leaves alone what is live. Tasks that were to be hastened while
// they ran, and wait because the process died before they were, are hastened.
func (q *Queue) reconcile(ctx context.Context, _ millrace.Task) error {
	if err := q.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.Tasks().HastenMarked(ctx) }); err != nil {
		return err
	}
	var work []millrace.Task
	err := q.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		work, err = tx.Tasks().Open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for tasks := range slices.Chunk(work, wokenAtOnce) {
		if err := q.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, tasks...) }); err != nil {
			return err
		}
	}
	return nil
}
