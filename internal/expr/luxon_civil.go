package expr

import "math"

// The calendar arithmetic of JavaScript dates, on which Luxon is built: a point in time is a float64 of milliseconds since 1970, a day
// number or an hour may lie outside its range and rolls over, and anything outside ±8.64e15 ms is NaN.

const (
	msPerMinute = 60_000.0
	msPerDay    = 86_400_000.0
	maxDateMs   = 8.64e15
)

// civil is a date and time of day without a zone.
type civil struct {
	year, month, day, hour, minute, second, millisecond float64
}

// floorMod is x mod n with the sign of n.
func floorMod(x, n float64) float64 { return x - n*math.Floor(x/n) }

// dayNumber counts the days from 1970-01-01 to the given date of the proleptic Gregorian calendar; month and day may be out of range.
func dayNumber(year, month, day float64) float64 {
	year += math.Floor((month - 1) / 12)
	month = floorMod(month-1, 12) + 1
	if math.IsNaN(year+day) || math.Abs(year) > 400_000 {
		return math.NaN()
	}
	if month <= 2 {
		year--
		month += 12
	}
	era := math.Floor(year / 400)
	yearOfEra := year - era*400
	dayOfYear := math.Floor((153*(month-3)+2)/5) + day - 1
	dayOfEra := yearOfEra*365 + math.Floor(yearOfEra/4) - math.Floor(yearOfEra/100) + dayOfYear
	return era*146_097 + dayOfEra - 719_468
}

// clipTime is NaN for a time outside the range of a JavaScript date.
func clipTime(ms float64) float64 {
	if math.IsNaN(ms) || math.Abs(ms) > maxDateMs {
		return math.NaN()
	}
	return math.Trunc(ms) + 0
}

// millis is the time of c in UTC. Fractions of a unit are cut off, units out of range roll over.
func (c civil) millis() float64 {
	days := dayNumber(math.Trunc(c.year), math.Trunc(c.month), math.Trunc(c.day))
	ms := math.Trunc(c.hour)*3_600_000 + math.Trunc(c.minute)*msPerMinute + math.Trunc(c.second)*1000 + math.Trunc(c.millisecond)
	if c.year >= 0 && c.year < 100 { // Luxon loses the days that hours roll over to
		ms = floorMod(ms, msPerDay)
	}
	return clipTime(days*msPerDay + ms)
}

// civilAt is the inverse of millis; every field is NaN for a time out of range.
func civilAt(ms float64) civil {
	ms = clipTime(ms)
	if math.IsNaN(ms) {
		return civil{ms, ms, ms, ms, ms, ms, ms}
	}
	days := math.Floor(ms / msPerDay)
	rest := ms - days*msPerDay
	z := days + 719_468
	era := math.Floor(z / 146_097)
	doe := z - era*146_097
	yoe := math.Floor((doe - math.Floor(doe/1460) + math.Floor(doe/36_524) - math.Floor(doe/146_096)) / 365)
	doy := doe - (365*yoe + math.Floor(yoe/4) - math.Floor(yoe/100))
	mp := math.Floor((5*doy + 2) / 153)
	c := civil{year: yoe + era*400, month: mp + 3, day: doy - math.Floor((153*mp+2)/5) + 1}
	if c.month > 12 {
		c.month -= 12
		c.year++
	}
	c.hour = math.Floor(rest / 3_600_000)
	c.minute = math.Mod(math.Floor(rest/msPerMinute), 60)
	c.second = math.Mod(math.Floor(rest/1000), 60)
	c.millisecond = math.Mod(rest, 1000)
	return c
}

func isLeapYear(year float64) bool {
	return math.Mod(year, 4) == 0 && (math.Mod(year, 100) != 0 || math.Mod(year, 400) == 0)
}

func daysInYear(year float64) float64 {
	if isLeapYear(year) {
		return 366
	}
	return 365
}

// daysInMonth accepts a month out of range, which moves the year. It is NaN for anything that is not a whole month.
func daysInMonth(year, month float64) float64 {
	m := floorMod(month-1, 12) + 1
	switch m {
	case 2:
		if isLeapYear(year + (month-m)/12) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	case 1, 3, 5, 7, 8, 10, 12:
		return 31
	}
	return math.NaN()
}

// weekdayOf is the ISO day of the week, 1 for Monday.
func weekdayOf(year, month, day float64) float64 {
	return floorMod(dayNumber(year, month, day)+3, 7) + 1
}

func ordinalOf(year, month, day float64) float64 {
	return dayNumber(year, month, day) - dayNumber(year, 1, 1) + 1
}

// weekRule says where weeks start and which week of a year is its first.
type weekRule struct{ minDays, firstDay float64 }

// isoWeeks is the rule of ISO 8601.
func isoWeeks() weekRule { return weekRule{minDays: 4, firstDay: 1} }

// localWeekday numbers the days of a week from the first day of the rule.
func (r weekRule) localWeekday(isoDay float64) float64 {
	return math.Mod(isoDay-r.firstDay+7, 7) + 1
}

// weeksInYear is the number of weeks of a week-numbering year.
func (r weekRule) weeksInYear(weekYear float64) float64 {
	offset := func(y float64) float64 { return r.minDays - 1 - r.localWeekday(weekdayOf(y, 1, r.minDays)) }
	return (daysInYear(weekYear) - offset(weekYear) + offset(weekYear+1)) / 7
}

// weekDate is a date as week-numbering year, week and day of the week.
type weekDate struct{ year, week, weekday float64 }

// weekOf gives the week date of c.
func (r weekRule) weekOf(c civil) weekDate {
	weekday := r.localWeekday(weekdayOf(c.year, c.month, c.day))
	week := math.Floor((ordinalOf(c.year, c.month, c.day) - weekday + 14 - r.minDays) / 7)
	switch {
	case week < 1:
		return weekDate{c.year - 1, r.weeksInYear(c.year - 1), weekday}
	case week > r.weeksInYear(c.year):
		return weekDate{c.year + 1, 1, weekday}
	}
	return weekDate{c.year, week, weekday}
}

// date turns a week date into a day of a year. Weeks and days out of range roll over once, into the year before or after.
func (r weekRule) date(w weekDate) (float64, float64) {
	first := r.localWeekday(weekdayOf(w.year, 1, r.minDays))
	ordinal := w.week*7 + w.weekday - first - 7 + r.minDays
	switch {
	case ordinal < 1:
		return w.year - 1, ordinal + daysInYear(w.year-1)
	case ordinal > daysInYear(w.year):
		return w.year + 1, ordinal - daysInYear(w.year)
	}
	return w.year, ordinal
}
