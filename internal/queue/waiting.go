package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const (
	takenAtOnce = 16              // tasks that one transaction takes from the line: each costs an insert into River
	lookEvery   = time.Second     // for lines that other processes have written, and for tasks that these have worked
	lookAlone   = 5 * time.Second // the same while this is the only process
)

// lines takes tasks from the lines as workers become free, until ctx ends.
func (q *Queue) lines(ctx context.Context) {
	for _, r := range q.rooms {
		q.background.Go(func() { q.serve(ctx, r) })
	}
	q.background.Go(func() { q.look(ctx) })
}

// serve takes the tasks of one kind.
func (q *Queue) serve(ctx context.Context, r *room) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
		}
		for again := true; again; {
			vacancies := r.vacancies()
			again = len(vacancies) > 0
			for _, v := range vacancies {
				v.tasks = min(v.tasks, takenAtOnce)
				if err := q.take(ctx, r, v); err != nil && !q.pause(ctx, err) {
					return
				}
			}
		}
	}
}

// pause waits a moment after an error, and reports false when it was the end.
func (q *Queue) pause(ctx context.Context, err error) bool {
	q.complain(ctx, err)
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// take gives River some tasks from the line of an environment. Those of all environments are taken in the server's own name:
// where an environment has many updates waiting, its tasks must not hold up those of others.
func (q *Queue) take(ctx context.Context, r *room, v vacancy) error {
	type result struct {
		turn int64
		n    int
	}
	got, err := store.Compute(ctx, q.cfg.DB, func(tx *store.Tx) (result, error) {
		waiting, err := tx.Tasks().TakeWaiting(ctx, r.kind, v.env, v.tasks)
		if err != nil || len(waiting) == 0 {
			return result{}, err
		}
		tasks := make([]millrace.Task, len(waiting))
		for i := range waiting {
			tasks[i] = waiting[i].Task
		}
		out := result{waiting[len(waiting)-1].Turn, len(waiting)}
		return out, q.insert(ctx, tx, q.admission(tx, nil), tasks)
	})
	if err != nil {
		return err
	}
	r.taken(v, got.turn, got.n < v.tasks)
	return nil
}

// look finds lines that this process does not know of, and tasks that it still counts although others have worked them.
func (q *Queue) look(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last := time.Time{}
	for {
		now := time.Now() //nolint:forbidigo // how often to look
		if q.others.Load() || now.Sub(last) >= lookAlone {
			last = now
			if err := errors.Join(q.cfg.DB.LoadWeights(ctx), q.lookOnce(ctx)); err != nil {
				q.complain(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (q *Queue) lookOnce(ctx context.Context) error {
	return q.cfg.DB.View(ctx, func(tx *store.Tx) error {
		lines, err := tx.Tasks().Lines(ctx)
		if err != nil {
			return err
		}
		for _, t := range lines {
			if r := q.rooms[t.Kind]; r != nil {
				r.found(t.Environment)
			}
		}
		for _, r := range q.rooms {
			known := r.known()
			if len(known) == 0 {
				continue
			}
			gone, err := tx.Tasks().NotReady(ctx, known)
			if err != nil {
				return err
			}
			r.forget(gone...)
		}
		return nil
	})
}

func (q *Queue) complain(ctx context.Context, err error) {
	if ctx.Err() == nil {
		q.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "tasks in line", slog.String("err", err.Error()))
	}
}
