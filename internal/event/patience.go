package event

import (
	"time"

	"github.com/millrace/millrace"
)

// How often it is looked whether the workflows on an event have ended.
const (
	lookSoon = time.Second
	lookLate = 15 * time.Second
)

// Patience returns after which time it is looked again whether the workflows on an event have ended, which began at a time and may take no
// longer than a limit. 0: they have had their time, also when the clock is before that by more than the limit.
func Patience(now, began millrace.Time, limit time.Duration) time.Duration {
	passed := now.Std().Sub(began.Std())
	if passed >= limit || passed < -limit {
		return 0
	}
	return min(max(passed/8, lookSoon), lookLate)
}
