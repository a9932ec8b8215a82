package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace/internal/store"
)

// The pace at which values are sealed again: small transactions, so that others need not wait, with pauses in between. After a pass
// that found nothing there is another one now and then, because nodes that have not been started again still use the old key.
const (
	resealAtOnce = 100
	resealPause  = 20 * time.Millisecond
	resealAgain  = 10 * time.Minute
	resealReport = 10 * time.Second
)

// Reseal seals with the key that encrypts what other keys have sealed, until ctx ends. Where it has come is kept in memory only: a
// process that begins anew finds by their marks the values that are left. It does nothing when there is one key.
func (s *Storage) Reseal(ctx context.Context, logger *slog.Logger) {
	if len(s.Keys.IDs()) < 2 {
		return
	}
	for {
		pause := resealAgain
		if n, err := s.resealAll(ctx, logger); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "seal again", slog.String("err", err.Error()))
			pause = resealReport
		} else if n > 0 {
			pause = 0 // what others had locked
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// Left returns how many values are still to be sealed with the new key, as far as this process knows.
func (s *Storage) Left() int64 { return s.left.Load() }

// resealAll is one pass. It returns how many values it has sealed again.
func (s *Storage) resealAll(ctx context.Context, logger *slog.Logger) (int, error) {
	if newest, err := s.isNewest(ctx); err != nil || !newest {
		return 0, err // a node that was started later decides
	}
	prefix, not := s.Keys.Others()
	seals := store.Seals{Prefix: prefix, Not: not}
	owned, err := s.DB.CountSeals(ctx, seals)
	if err != nil {
		return 0, err
	}
	left := int64(0)
	for _, o := range owned {
		left += o.Rows
	}
	s.left.Store(left)
	total, failed, mark, began := 0, 0, store.ResealMark{}, time.Now() //nolint:forbidigo // for lines of the log only
	for left > 0 {
		done, next, err := s.DB.Reseal(ctx, seals, mark, resealAtOnce)
		if err != nil {
			return total, err
		}
		if done.First != nil {
			logger.WarnContext(ctx, "cannot be sealed again", slog.String("err", done.First.Error()))
		}
		mark, total, failed = next, total+done.Rows, failed+done.Failed
		s.left.Store(max(0, left-int64(total)))
		if done.Done {
			break
		}
		if time.Since(began) > resealReport {
			logger.InfoContext(ctx, "sealing with the new encryption key", slog.Int("values", total), slog.Int64("left", s.Left()))
			began = time.Now() //nolint:forbidigo // as above
		}
		if !sleep(ctx, resealPause) {
			return total, ctx.Err()
		}
	}
	if total > 0 {
		logger.InfoContext(ctx, "sealed with the new encryption key; millrace keys status says whether the old one may go",
			slog.Int("values", total), slog.Int("failed", failed))
	}
	return total, nil
}

// isNewest reports whether this process encrypts with the key that the last start of any node has put first.
func (s *Storage) isNewest(ctx context.Context) (bool, error) {
	checks, data, err := s.DB.KeyChecks(ctx)
	if err != nil || len(checks) == 0 {
		return false, err
	}
	return s.Keys.IsCurrent(checks[len(checks)-1].Value, data), nil
}
