package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
)

// weekFields renames the fields of local weeks and says whose weeks are meant.
func weekFields(u units, loc locale.Locale) (calendar.WeekRule, error) {
	if !u.has("localWeekday", "localWeekNumber", "localWeekYear") {
		return calendar.ISOWeeks(), nil
	}
	if u.has("weekday", "weekNumber", "weekYear") {
		return calendar.WeekRule{}, js.ArgumentError("Cannot mix locale-based week fields with ISO-based week fields")
	}
	for from, to := range map[string]string{"localWeekday": "weekday", "localWeekNumber": "weekNumber", "localWeekYear": "weekYear"} {
		if v, ok := u[from]; ok {
			u[to] = v
			delete(u, from)
		}
	}
	return loc.WeekRule(), nil
}

// checkMix rejects fields of two calendars at once.
func checkMix(u units) error {
	gregorian := u.has("year", "month", "day")
	if (gregorian || u.has("ordinal")) && (u["weekYear"] != 0 || u["weekNumber"] != 0) {
		return js.ArgumentError("Can't mix weekYear/weekNumber units with year/month/day or ordinals")
	}
	if u.has("month", "day") && u.has("ordinal") {
		return js.ArgumentError("Can't mix ordinal dates with month/day")
	}
	return nil
}

// pick replaces v by the field if it is set.
func (u units) pick(name string, v *float64) {
	if set, ok := u[name]; ok {
		*v = set
	}
}

// time overwrites the time of day.
func (u units) time(c calendar.Civil) calendar.Civil {
	u.pick("hour", &c.Hour)
	u.pick("minute", &c.Minute)
	u.pick("second", &c.Second)
	u.pick("millisecond", &c.Millisecond)
	return c
}

// dayOfYear puts a day of a year into c, as a day of January that rolls over. There is no day before the first.
func dayOfYear(c calendar.Civil, year, ordinal float64) calendar.Civil {
	c.Year, c.Month, c.Day = year, 1, ordinal
	if !(ordinal > 0) {
		c.Day = math.NaN()
	}
	return c
}

// set replaces fields. Values out of range roll over; a day that the new month does not have becomes its last, unless the day is set too.
func (d dateTime) set(u units) (dateTime, error) {
	if !d.valid() {
		return d, nil
	}
	rule, err := weekFields(u, d.loc)
	if err != nil {
		return d, err
	}
	if err := checkMix(u); err != nil {
		return d, err
	}
	c := d.civil
	switch {
	case u.has("weekYear", "weekNumber", "weekday"):
		w := rule.WeekOf(c)
		u.pick("weekYear", &w.Year)
		u.pick("weekNumber", &w.Week)
		u.pick("weekday", &w.Weekday)
		year, ordinal := rule.Date(w)
		c = dayOfYear(c, year, ordinal)
	case u.has("ordinal"):
		year := c.Year
		u.pick("year", &year)
		c = dayOfYear(c, year, u["ordinal"])
	default:
		u.pick("year", &c.Year)
		u.pick("month", &c.Month)
		c.Day = math.Min(calendar.DaysInMonth(c.Year, c.Month), c.Day)
		u.pick("day", &c.Day)
	}
	ms, _ := fixOffset(u.time(c).Millis(), d.offset, d.zone)
	return d.movedTo(ms), nil
}

// plus adds a duration: years to days on the calendar, hours and below on the clock, fractions of the former as if on the clock.
func (d dateTime) plus(dur duration) dateTime {
	if !d.valid() {
		return d
	}
	v := dur.get
	c := d.civil
	c.Year += math.Trunc(v("years"))
	c.Month += math.Trunc(v("months")) + math.Trunc(v("quarters"))*3
	c.Day = math.Min(d.civil.Day, calendar.DaysInMonth(c.Year, c.Month)) + math.Trunc(v("days")) + math.Trunc(v("weeks"))*7
	rest := newDuration(units{}, d.loc)
	for _, unit := range durationUnits() {
		switch unit {
		case "years", "quarters", "months", "weeks", "days":
			rest.values[unit] = v(unit) - math.Trunc(v(unit))
		default:
			rest.values[unit] = v(unit)
		}
	}
	ms, _ := fixOffset(c.Millis(), d.offset, d.zone)
	return d.movedTo(ms + rest.as("milliseconds"))
}

// startOf goes back to the beginning of a year, quarter, month, week and so on.
func (d dateTime) startOf(unit string, localWeeks bool) (dateTime, error) {
	if !d.valid() {
		return d, nil
	}
	u := units{"millisecond": 0}
	switch unit {
	case "milliseconds":
		return d.set(units{})
	case "years":
		u["month"] = 1
	case "quarters":
		u["month"] = (math.Ceil(d.civil.Month/3)-1)*3 + 1
	case "weeks":
		u["weekday"] = 1
		if localWeeks {
			first := d.loc.WeekRule().FirstDay
			if d.weekday() < first {
				u["weekNumber"] = d.week().Week - 1
			}
			u["weekday"] = first
		}
	}
	for _, step := range []struct {
		field string
		unit  string
	}{{"second", "minutes"}, {"minute", "hours"}, {"hour", "days"}, {"day", "months"}} {
		if !atLeast(unit, step.unit) {
			break
		}
		u[step.field] = 0
	}
	if _, ok := u["day"]; ok {
		u["day"] = 1
	}
	return d.set(u)
}

// atLeast reports whether a unit is as large as another.
func atLeast(unit, other string) bool {
	rank := func(name string) int {
		for i, u := range durationUnits() {
			if u == name {
				return i
			}
		}
		return -1
	}
	return rank(unit) <= rank(other)
}

// endOf is the last millisecond before the next year, month and so on.
func (d dateTime) endOf(unit string, localWeeks bool) (dateTime, error) {
	if !d.valid() {
		return d, nil
	}
	next, err := d.plus(newDuration(units{unit: 1}, d.loc)).startOf(unit, localWeeks)
	if err != nil {
		return d, err
	}
	return next.plus(newDuration(units{"milliseconds": -1}, d.loc)), nil
}
