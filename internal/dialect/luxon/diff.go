package luxon

import (
	"math"
	"slices"

	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
)

// diff is the time between two date-times in the given units.
func (d dateTime) diff(o dateTime, wanted []string, longterm bool) duration {
	if !d.valid() || !o.valid() {
		return duration{invalid: invalidBecause("created by diffing an invalid DateTime"), loc: d.loc}
	}
	earlier, later := o, d
	swapped := o.ms > d.ms
	if swapped {
		earlier, later = d, o
	}
	result := duration{loc: d.loc, longterm: longterm}.between(earlier, later, wanted)
	if swapped {
		return result.negate()
	}
	return result
}

// between walks from the earlier date-time towards the later one in the calendar units, and expresses the rest in the units of the clock,
// or as a fraction of the smallest calendar unit if there are none of those.
func (t duration) between(earlier, later dateTime, wanted []string) duration {
	w := walk{from: earlier, to: later, cursor: earlier, reached: units{}}
	for _, unit := range []string{"years", "quarters", "months", "weeks", "days"} {
		if slices.Contains(wanted, unit) {
			w.step(unit)
		}
	}
	rest := later.millis() - w.cursor.millis()
	var clock []string
	for _, unit := range wanted {
		switch unit {
		case "hours", "minutes", "seconds", "milliseconds":
			clock = append(clock, unit)
		}
	}
	if len(clock) > 0 {
		return t.withValues(units{"milliseconds": rest}).shiftTo(clock...).plus(t.withValues(w.reached))
	}
	if w.last == "" {
		return t.withValues(units{})
	}
	if w.highWater.millis() < later.millis() {
		w.highWater, w.highIsCursor = w.cursor.plus(newDuration(units{w.last: 1}, earlier.loc)), false
	}
	if !w.highIsCursor {
		w.reached[w.last] += rest / (w.highWater.millis() - w.cursor.millis())
	}
	return t.withValues(w.reached)
}

// walk is the state of between.
type walk struct {
	from, to, cursor, highWater dateTime
	highIsCursor                bool // highWater is the cursor itself, not a step past it
	reached                     units
	last                        string
}

func (w *walk) at() dateTime { return w.from.plus(newDuration(w.reached, w.from.loc)) }

// step goes as far as it can in whole units. highWater is one unit past that.
func (w *walk) step(unit string) {
	w.last = unit
	w.reached[unit] = unitsBetween(unit, w.cursor, w.to)
	w.highWater = w.at()
	w.highIsCursor = false
	if !(w.highWater.millis() > w.to.millis()) {
		w.cursor, w.highIsCursor = w.highWater, true
		return
	}
	w.reached[unit]--
	w.cursor = w.at()
	if w.cursor.millis() > w.to.millis() { // happens between zones
		w.highWater = w.cursor
		w.reached[unit]--
		w.cursor = w.at()
	}
}

// unitsBetween counts units by the calendar alone.
func unitsBetween(unit string, a, b dateTime) float64 {
	switch unit {
	case "years":
		return b.year() - a.year()
	case "quarters":
		return b.quarter() - a.quarter() + (b.year()-a.year())*4
	case "months":
		return b.month() - a.month() + (b.year()-a.year())*12
	}
	days := math.Floor((midnight(b) - midnight(a)) / calendar.MsPerDay)
	if unit == "weeks" {
		return (days - math.Mod(days, 7)) / 7
	}
	return days
}

// midnight is the day of a date-time as a time in UTC.
func midnight(d dateTime) float64 {
	c := d.civil
	return calendar.Civil{Year: c.Year, Month: c.Month, Day: c.Day}.Millis()
}
