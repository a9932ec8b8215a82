package queue

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

func (q *Queue) openWork(ctx context.Context) ([]millrace.Task, error) {
	var work []millrace.Task
	err := q.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		work, err = tx.OpenWork(ctx)
		return err
	})
	return work, err
}

func (q *Queue) wake(ctx context.Context, tasks []millrace.Task) error {
	return q.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, tasks...) })
}
