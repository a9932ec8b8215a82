// Package calendar is what schedules will start in the time to come, by minute and provider: where many runs begin at once, and would
// rather be spread.
package calendar

import (
	"cmp"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
)

// Load is what will be started at one provider.
type Load struct {
	Name   string
	Counts []int // runs in each part of the time
	Total  int
}

// Busy is a minute in which several runs of a provider begin.
type Busy struct {
	Name   string
	At     millrace.Time
	Runs   int
	Spread int64 // seconds over which they would begin one by one; 0: they are few
}

// Calendar is the load of a time.
type Calendar struct {
	From  time.Time // a whole minute
	Step  time.Duration
	Loads []Load // by name
	Busy  []Busy // the busiest first
	Whole bool   // all schedules are in it
}

// Bounds of a calendar.
const (
	Parts       = 60
	maxInstants = 200_000 // that are computed
	maxBusy     = 10
	leastBusy   = 2
)

// Of computes the calendar of schedules. provider names that of a job.
func Of(schedules []millrace.SyncJobCronTrigger, provider func(millrace.SyncJobID) string, now time.Time, span time.Duration) *Calendar {
	c := &Calendar{From: now.UTC().Truncate(time.Minute), Step: span / Parts, Whole: true}
	instants, computed := map[[2]string][]time.Time{}, 0
	minutes := map[string][]int{}
	for i := range schedules {
		s := &schedules[i]
		if s.NextRunAt == 0 {
			continue
		}
		key := [2]string{s.CronExpression, s.Timezone}
		if _, known := instants[key]; !known {
			if computed > maxInstants {
				c.Whole = false
				continue
			}
			instants[key] = between(s, c.From, c.From.Add(span))
			computed += len(instants[key]) + 1
		}
		name := provider(s.SyncJobID)
		if minutes[name] == nil {
			minutes[name] = make([]int, span/time.Minute)
		}
		for _, at := range instants[key] {
			if at = at.Add(s.Offset()); at.Before(c.From.Add(span)) && !at.Before(c.From) {
				minutes[name][at.Sub(c.From)/time.Minute]++
			}
		}
	}
	for name, counts := range minutes {
		c.add(name, counts)
	}
	slices.SortFunc(c.Loads, func(a, b Load) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Busy, func(a, b Busy) int {
		return cmp.Or(-cmp.Compare(a.Runs, b.Runs), cmp.Compare(a.At, b.At), cmp.Compare(a.Name, b.Name))
	})
	c.Busy = c.Busy[:min(len(c.Busy), maxBusy)]
	return c
}

// between returns the instants of a schedule whose runs begin in a time, be it by their offset.
func between(s *millrace.SyncJobCronTrigger, from, until time.Time) []time.Time {
	cron, err := schedule.ParseCron(s.CronExpression, s.Timezone)
	if err != nil {
		return nil // an older version stored it
	}
	var out []time.Time
	longest := 24 * time.Hour // of an offset
	if s.Spread == 0 {
		longest = time.Minute
	}
	for at := cron.Next(from.Add(-longest)); !at.IsZero() && at.Before(until); at = cron.Next(at) {
		out = append(out, at)
	}
	return out
}

func (c *Calendar) add(name string, minutes []int) {
	l := Load{Name: name, Counts: make([]int, Parts)}
	for m, n := range minutes {
		l.Counts[m*Parts/len(minutes)] += n
		l.Total += n
		if n < leastBusy {
			continue
		}
		b := Busy{Name: name, At: millrace.TimeOf(c.From.Add(time.Duration(m) * time.Minute)), Runs: n}
		const many, each = 5, 30 // seconds
		if n >= many {
			b.Spread = min(int64(n)*each, int64(time.Hour/time.Second))
		}
		c.Busy = append(c.Busy, b)
	}
	c.Loads = append(c.Loads, l)
}
