// Package badcommit does what transactions must not do, for the test that looks for it.
package badcommit

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

type slice struct {
	run     *millrace.SyncJobRun
	runs    []*millrace.SyncJobRun
	seen    map[string]int
	n       int
	webhook millrace.Webhook
	done    chan int
}

func (s *slice) update(ctx context.Context, db *store.DB) error {
	var token string
	var err error
	more := []string{}
	other := &s.webhook
	err = db.Update(ctx, func(tx *store.Tx) error {
		s.run, err = tx.SyncJobRuns().Claim(ctx, "", "") // bad
		token = "t"                                      // bad
		s.n++                                            // bad
		more[0] = "x"                                    // bad
		other.Attempt = 1                                // bad
		s.done <- 1                                      // bad
		delete(s.seen, "x")                              // bad
		w := &s.webhook
		w.Attempt = 2 // bad
		for _, run := range s.runs {
			run.Sequence++ // bad
		}
		if err := s.save(ctx, tx); err != nil {
			return err
		}
		f := &firing{s, tx}
		f.fire()
		copied := s.webhook
		copied.Attempt = 3
		local := 0
		local++
		next := *s.run
		next.Sequence = 5
		for _, run := range s.runs {
			run = &next
			_ = run
		}
		//commit:allow the test of the check
		token = "allowed"
		token = "not allowed" //commit:allow // bad
		tx.AfterCommit(func() { token = "after" })
		return nil
	})
	_, _ = token, err
	return db.View(ctx, func(tx *store.Tx) error { return s.load(ctx, tx) })
}

func (s *slice) save(_ context.Context, tx *store.Tx) error {
	s.n = 6 // bad
	fill(tx, s.run)
	return nil
}

func fill(tx *store.Tx, run *millrace.SyncJobRun) {
	run.UpdatedAt = tx.Now() // bad
	run = nil
	_ = run
}

func (s *slice) load(context.Context, *store.Tx) error {
	s.n = 7 // only a view comes here
	return nil
}

type firing struct {
	*slice
	tx *store.Tx
}

func (f *firing) fire() {
	f.n = 8 // bad
}
