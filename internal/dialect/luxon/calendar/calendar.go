// Package calendar is the arithmetic of JavaScript dates, on which Luxon is built: a point in time is a float64 of milliseconds
// since 1970, a day number or an hour may lie outside its range and rolls over, and anything outside ±8.64e15 ms is NaN.
package calendar

import "math"

// Lengths in milliseconds, and the distance from 1970 of the last time that a date can be.
const (
	MsPerMinute = 60_000.0
	MsPerDay    = 86_400_000.0
	maxDateMs   = 8.64e15
)

// Civil is a date and time of day without a zone.
type Civil struct {
	Year, Month, Day, Hour, Minute, Second, Millisecond float64
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

// ClipTime is NaN for a time outside the range of a JavaScript date.
func ClipTime(ms float64) float64 {
	if math.IsNaN(ms) || math.Abs(ms) > maxDateMs {
		return math.NaN()
	}
	return math.Trunc(ms) + 0
}

// Millis is the time of c in UTC. Fractions of a unit are cut off, units out of range roll over.
func (c Civil) Millis() float64 {
	days := dayNumber(math.Trunc(c.Year), math.Trunc(c.Month), math.Trunc(c.Day))
	ms := math.Trunc(c.Hour)*3_600_000 + math.Trunc(c.Minute)*MsPerMinute + math.Trunc(c.Second)*1000 + math.Trunc(c.Millisecond)
	if c.Year >= 0 && c.Year < 100 { // Luxon loses the days that hours roll over to
		ms = floorMod(ms, MsPerDay)
	}
	return ClipTime(days*MsPerDay + ms)
}

// At is the inverse of millis; every field is NaN for a time out of range.
func At(ms float64) Civil {
	ms = ClipTime(ms)
	if math.IsNaN(ms) {
		return Civil{ms, ms, ms, ms, ms, ms, ms}
	}
	days := math.Floor(ms / MsPerDay)
	rest := ms - days*MsPerDay
	z := days + 719_468
	era := math.Floor(z / 146_097)
	doe := z - era*146_097
	yoe := math.Floor((doe - math.Floor(doe/1460) + math.Floor(doe/36_524) - math.Floor(doe/146_096)) / 365)
	doy := doe - (365*yoe + math.Floor(yoe/4) - math.Floor(yoe/100))
	mp := math.Floor((5*doy + 2) / 153)
	c := Civil{Year: yoe + era*400, Month: mp + 3, Day: doy - math.Floor((153*mp+2)/5) + 1}
	if c.Month > 12 {
		c.Month -= 12
		c.Year++
	}
	c.Hour = math.Floor(rest / 3_600_000)
	c.Minute = math.Mod(math.Floor(rest/MsPerMinute), 60)
	c.Second = math.Mod(math.Floor(rest/1000), 60)
	c.Millisecond = math.Mod(rest, 1000)
	return c
}

// IsLeapYear reports whether a year has 366 days.
func IsLeapYear(year float64) bool {
	return math.Mod(year, 4) == 0 && (math.Mod(year, 100) != 0 || math.Mod(year, 400) == 0)
}

// DaysInYear is 365 or 366.
func DaysInYear(year float64) float64 {
	if IsLeapYear(year) {
		return 366
	}
	return 365
}

// DaysInMonth accepts a month out of range, which moves the year. It is NaN for anything that is not a whole month.
func DaysInMonth(year, month float64) float64 {
	m := floorMod(month-1, 12) + 1
	switch m {
	case 2:
		if IsLeapYear(year + (month-m)/12) {
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

// WeekdayOf is the ISO day of the week, 1 for Monday.
func WeekdayOf(year, month, day float64) float64 {
	return floorMod(dayNumber(year, month, day)+3, 7) + 1
}

// OrdinalOf is the day of the year, 1 for the first of January.
func OrdinalOf(year, month, day float64) float64 {
	return dayNumber(year, month, day) - dayNumber(year, 1, 1) + 1
}

// WeekRule says where weeks start and which week of a year is its first.
type WeekRule struct{ MinDays, FirstDay float64 }

// ISOWeeks is the rule of ISO 8601.
func ISOWeeks() WeekRule { return WeekRule{MinDays: 4, FirstDay: 1} }

// localWeekday numbers the days of a week from the first day of the rule.
func (r WeekRule) localWeekday(isoDay float64) float64 {
	return math.Mod(isoDay-r.FirstDay+7, 7) + 1
}

// WeeksInYear is the number of weeks of a week-numbering year.
func (r WeekRule) WeeksInYear(weekYear float64) float64 {
	offset := func(y float64) float64 { return r.MinDays - 1 - r.localWeekday(WeekdayOf(y, 1, r.MinDays)) }
	return (DaysInYear(weekYear) - offset(weekYear) + offset(weekYear+1)) / 7
}

// WeekDate is a date as week-numbering year, week and day of the week.
type WeekDate struct{ Year, Week, Weekday float64 }

// WeekOf gives the week date of c.
func (r WeekRule) WeekOf(c Civil) WeekDate {
	weekday := r.localWeekday(WeekdayOf(c.Year, c.Month, c.Day))
	week := math.Floor((OrdinalOf(c.Year, c.Month, c.Day) - weekday + 14 - r.MinDays) / 7)
	switch {
	case week < 1:
		return WeekDate{c.Year - 1, r.WeeksInYear(c.Year - 1), weekday}
	case week > r.WeeksInYear(c.Year):
		return WeekDate{c.Year + 1, 1, weekday}
	}
	return WeekDate{c.Year, week, weekday}
}

// Date turns a week date into a day of a year. Weeks and days out of range roll over once, into the year before or after.
func (r WeekRule) Date(w WeekDate) (float64, float64) {
	first := r.localWeekday(WeekdayOf(w.Year, 1, r.MinDays))
	ordinal := w.Week*7 + w.Weekday - first - 7 + r.MinDays
	switch {
	case ordinal < 1:
		return w.Year - 1, ordinal + DaysInYear(w.Year-1)
	case ordinal > DaysInYear(w.Year):
		return w.Year + 1, ordinal - DaysInYear(w.Year)
	}
	return w.Year, ordinal
}
