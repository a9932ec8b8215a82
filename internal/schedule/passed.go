package schedule

import (
	"time"

	"github.com/millrace/millrace"
)

const (
	// maxFires bounds how many rows a schedule gets at once after a server was down, and with it how many runs. The
	// instants before those share one row.
	maxFires = 100
	// maxCounted bounds how many of them are counted.
	maxCounted = 5_000
)

// span is instants that share one row.
type span struct {
	first, last millrace.Time
	count       int64
	more        bool // there were more than that
}

// passed lists the instants of a schedule from the first to a time, of which the first is one that was waited for. When
// there are many, the older ones are only counted.
func passed(cron *Cron, first, until millrace.Time) (span, []millrace.Time) {
	all := collect(cron, first, until)
	var older span
	if last := all[len(all)-1]; len(all) == maxCounted {
		// An expression has at most one instant a minute, so what follows is counted whole.
		from := max(last, until.Add(-maxCounted*time.Minute))
		if next := millrace.TimeOf(cron.Next(from.Std())); next != 0 && next <= until {
			older.more = from > last
			all = append(all, collect(cron, next, until)...)
		}
	}
	n := max(len(all)-maxFires, 0)
	if n > 0 {
		older.first, older.last, older.count = all[0], all[n-1], int64(n)
	}
	return older, all[n:]
}

// collect lists at most maxCounted instants, from one of them to a time.
func collect(cron *Cron, first, until millrace.Time) []millrace.Time {
	all := []millrace.Time{first}
	for len(all) < maxCounted {
		next := millrace.TimeOf(cron.Next(all[len(all)-1].Std()))
		if next == 0 || next > until {
			break
		}
		all = append(all, next)
	}
	return all
}
