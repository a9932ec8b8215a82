package picture

import (
	"math"
	"time"
)

const (
	millisPerMinute = 60 * 1000
	millisPerHour   = 60 * millisPerMinute
	millisPerDay    = 24 * millisPerHour
	maxMillis       = 8.64e15 // JavaScript dates end here
)

// date is a UTC instant taken apart. All fields are NaN for a time that
// JavaScript's Date cannot hold.
type date struct {
	millis                    float64
	year, month, day, weekday float64 // month 0-11, weekday 0 (Sunday) to 6
	hour, minute, second, ms  float64
}

func newDate(millis float64) date {
	if math.IsNaN(millis) || math.Abs(millis) > maxMillis {
		nan := math.NaN()
		return date{nan, nan, nan, nan, nan, nan, nan, nan, nan}
	}
	t := time.UnixMilli(int64(millis)).UTC()
	return date{
		millis: math.Trunc(millis),
		year:   float64(t.Year()), month: float64(t.Month() - 1), day: float64(t.Day()),
		weekday: float64(t.Weekday()),
		hour:    float64(t.Hour()), minute: float64(t.Minute()), second: float64(t.Second()),
		ms: float64(t.Nanosecond() / int(time.Millisecond)),
	}
}

// utc is Date.UTC for a date: years 0 to 99 mean 1900 to 1999, months and days
// may overflow, and what is out of range is NaN.
func utc(year, month, day float64) float64 {
	year, month, day = math.Trunc(year), math.Trunc(month), math.Trunc(day)
	if year >= 0 && year <= 99 {
		year += 1900
	}
	year += math.Floor(month / 12)
	month = math.Mod(math.Mod(month, 12)+12, 12)
	if math.IsNaN(year+month+day) || math.Abs(year) > 400000 || math.Abs(day) > 1e9 {
		return math.NaN()
	}
	first := time.Date(int(year), time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC)
	return clip(float64(first.Unix())*1000 + (day-1)*millisPerDay)
}

func clip(millis float64) float64 {
	if !(math.Abs(millis) <= maxMillis) {
		return math.NaN()
	}
	return math.Trunc(millis)
}

// utcTime adds a time of day, whose fields may overflow, to a date.
func utcTime(year, month, day, hour, minute, second, ms float64) float64 {
	offset := math.Trunc(hour)*millisPerHour + math.Trunc(minute)*millisPerMinute
	offset = offset + math.Trunc(second)*1000 + math.Trunc(ms)
	return clip(utc(year, month, day) + offset)
}

// firstWeek returns the Monday of the week with the first Thursday of a month;
// of a year, if the month is January.
func firstWeek(year, month float64) float64 {
	first := utc(year, month, 1)
	weekday := newDate(first).weekday
	if weekday == 0 {
		weekday = 7
	}
	if weekday > 4 {
		return first + (8-weekday)*millisPerDay
	}
	return first - (weekday-1)*millisPerDay
}

// weekNumber counts weeks in the period that starts with a month: first, next
// and previous are the starts of the first week of it and of its neighbours.
// Only beyond most weeks it can belong to the next period.
func weekNumber(today, first, next, previous, most float64) float64 {
	weeks := func(start float64) float64 { return (today-start)/(7*millisPerDay) + 1 }
	week := weeks(first)
	switch {
	case week > most && today >= next:
		week = 1
	case week < 1:
		week = weeks(previous)
	}
	return math.Floor(week)
}

func (d date) weekOfYear() float64 {
	return weekNumber(utc(d.year, d.month, d.day),
		firstWeek(d.year, 0), firstWeek(d.year+1, 0), firstWeek(d.year-1, 0), 52)
}

func (d date) weekOfMonth() float64 {
	return weekNumber(utc(d.year, d.month, d.day),
		firstWeek(d.year, d.month), firstWeek(d.neighbour(1)), firstWeek(d.neighbour(-1)), 4)
}

// neighbour returns the next (1) or previous (-1) month with its year.
func (d date) neighbour(by float64) (float64, float64) {
	switch month := d.month + by; {
	case month > 11:
		return d.year + 1, 0
	case month < 0:
		return d.year - 1, 11
	default:
		return d.year, month
	}
}

// weekYear is the year that the ISO week of the date belongs to.
func (d date) weekYear() float64 {
	switch {
	case d.millis < firstWeek(d.year, 0):
		return d.year - 1
	case d.millis >= firstWeek(d.year+1, 0):
		return d.year + 1
	}
	return d.year
}

// weekMonth is the month that the week of the date belongs to.
func (d date) weekMonth() float64 {
	month := d.month
	nextYear, next := d.neighbour(1)
	switch {
	case d.millis < firstWeek(d.year, d.month):
		_, month = d.neighbour(-1)
	case d.millis >= firstWeek(nextYear, next):
		month = next
	}
	return month + 1
}

// component returns an integer component of the date by its letter, and 0 for a
// letter that has another meaning.
func (d date) component(letter uint16) float64 {
	switch letter {
	case 'Y':
		return d.year
	case 'M':
		return d.month + 1
	case 'D':
		return d.day
	case 'd':
		return (utc(d.year, d.month, d.day)-utc(d.year, 0, 1))/millisPerDay + 1
	case 'F':
		if d.weekday == 0 {
			return 7
		}
		return d.weekday
	case 'W':
		return d.weekOfYear()
	case 'w':
		return d.weekOfMonth()
	case 'X':
		return d.weekYear()
	case 'x':
		return d.weekMonth()
	case 'H':
		return d.hour
	case 'h':
		if math.Mod(d.hour, 12) == 0 {
			return 12
		}
		return math.Mod(d.hour, 12)
	case 'm':
		return d.minute
	case 's':
		return d.second
	case 'f':
		return d.ms
	}
	return 0
}

func monthNames() []string {
	return []string{
		"January", "February", "March", "April", "May", "June", "July", "August",
		"September", "October", "November", "December",
	}
}

func dayNames() []string {
	return []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
}
