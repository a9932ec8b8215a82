package luxon

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// clock tells the time of the evaluation, in milliseconds.
type clock func() float64

// Dates is what all date-times of the process share.
type Dates struct {
	zones   zoneTable
	locales locale.Table
}

// invalidity says why a date-time, duration or interval is invalid. The words are part of results.
type invalidity struct {
	reason      string
	explanation jsonata.Value // text or null
}

func invalidBecause(reason string) *invalidity {
	return &invalidity{reason: reason, explanation: jsonata.Null{}}
}

// invalidInput is for numbers that are no time at all; its explanation is undefined.
func invalidInput() *invalidity { return &invalidity{reason: "invalid input"} }

func unsupportedZone(z zone) *invalidity {
	return &invalidity{"unsupported zone", `the zone "` + z.name() + `" is not supported`}
}

func outOfRange(unit string, value float64) *invalidity {
	return &invalidity{"unit out of range", fmt.Sprintf("you specified %s (of type number) as a %s, which is invalid", jsonata.FormatNumber(value), unit)}
}

// dateTime is a point in time as seen in a zone and a language, with the semantics of Luxon 3.5, whose date-times existing mappings are
// written against. It is immutable. The fields of an invalid one are NaN or null.
type dateTime struct { //nolint:recvcheck // calculations work on copies; as a value of expressions it is a pointer, which has an identity
	ms      float64
	zone    zone
	loc     locale.Locale
	offset  float64
	civil   calendar.Civil
	invalid *invalidity
	lux     *Dates
	now     clock
}

// at makes a date-time.
func (l *Dates) at(ms float64, z zone, loc locale.Locale, now clock) dateTime {
	loc.Table = &l.locales
	d := dateTime{ms: ms, zone: z, loc: loc, lux: l, now: now}
	switch {
	case math.IsNaN(ms):
		return d.because(invalidInput())
	case !z.valid():
		return d.because(unsupportedZone(z))
	}
	return d.moved(ms, z.offset(ms))
}

// invalid makes a date-time that is none.
func (l *Dates) invalid(why *invalidity, now clock) dateTime {
	return dateTime{ms: now(), zone: systemZone(), loc: locale.Locale{Table: &l.locales}, invalid: why, lux: l, now: now}
}

func (d dateTime) valid() bool { return d.invalid == nil }

func (d dateTime) because(why *invalidity) dateTime {
	d.invalid = why
	return d
}

// moved is d at another time, with a known offset.
func (d dateTime) moved(ms, offset float64) dateTime {
	if !d.valid() {
		return d
	}
	if math.IsNaN(ms) {
		return d.because(invalidInput())
	}
	d.ms, d.offset, d.civil = ms, offset, calendar.At(ms+offset*calendar.MsPerMinute)
	if math.IsNaN(d.civil.Year) {
		return d.because(invalidInput())
	}
	return d
}

// movedTo is d at another time in the same zone.
func (d dateTime) movedTo(ms float64) dateTime { return d.moved(ms, d.zone.offset(ms)) }

// millis is NaN for an invalid date-time.
func (d dateTime) millis() float64 {
	if !d.valid() {
		return math.NaN()
	}
	return d.ms
}

// fixOffset finds the time in UTC that local is in the zone, given a guess of the offset, which also decides between the two times a clock
// shows when it is set back. A local time that a clock skips is taken as if it had not been set forward yet.
func fixOffset(local, guess float64, z zone) (float64, float64) {
	utc := local - guess*calendar.MsPerMinute
	second := z.offset(utc)
	if second == guess {
		return utc, guess
	}
	utc -= (second - guess) * calendar.MsPerMinute
	third := z.offset(utc)
	if second == third {
		return utc, second
	}
	return local - math.Min(second, third)*calendar.MsPerMinute, math.Max(second, third)
}

// setZone is the same time seen in another zone, or with keepLocal the same time on the clock.
func (d dateTime) setZone(z zone, keepLocal bool) dateTime {
	switch {
	case z.equals(d.zone):
		return d
	case !z.valid():
		return d.lux.invalid(unsupportedZone(z), d.now)
	}
	ms := d.ms
	if keepLocal {
		local := calendar.Civil{Year: math.NaN()}
		if d.valid() {
			local = d.civil
		}
		ms, _ = fixOffset(local.Millis(), z.offset(d.ms), z)
	}
	d.zone = z
	return d.moved(ms, z.offset(ms))
}

func (d dateTime) inLocale(loc locale.Locale) dateTime {
	d.loc = loc
	return d
}

// orNaN hides the fields of an invalid date-time.
func (d dateTime) orNaN(v float64) float64 {
	if !d.valid() {
		return math.NaN()
	}
	return v
}

func (d dateTime) year() float64    { return d.orNaN(d.civil.Year) }
func (d dateTime) month() float64   { return d.orNaN(d.civil.Month) }
func (d dateTime) quarter() float64 { return d.orNaN(math.Ceil(d.civil.Month / 3)) }

func (d dateTime) week() calendar.WeekDate {
	if !d.valid() {
		return calendar.WeekDate{Year: math.NaN(), Week: math.NaN(), Weekday: math.NaN()}
	}
	return calendar.ISOWeeks().WeekOf(d.civil)
}

func (d dateTime) weekday() float64 {
	return d.orNaN(calendar.WeekdayOf(d.civil.Year, d.civil.Month, d.civil.Day))
}

func (d dateTime) ordinal() float64 {
	return d.orNaN(calendar.OrdinalOf(d.civil.Year, d.civil.Month, d.civil.Day))
}

// inDST compares the offset with those of January and May, as summer time is nowhere else to be seen.
func (d dateTime) inDST() bool {
	if !d.valid() || d.zone.kind == zoneFixed {
		return false
	}
	offsetIn := func(month, day float64) float64 {
		c := d.civil
		c.Month, c.Day = month, math.Min(day, calendar.DaysInMonth(c.Year, month))
		ms, _ := fixOffset(c.Millis(), d.offset, d.zone)
		return d.zone.offset(ms)
	}
	return d.offset > offsetIn(1, 1) || d.offset > offsetIn(5, d.civil.Day)
}

// equals is true for the same time in the same zone and language.
func (d dateTime) equals(o dateTime) bool {
	return d.valid() && o.valid() && d.ms == o.ms && d.zone.equals(o.zone) &&
		d.loc.Name() == o.loc.Name() && d.loc.Numbering == o.loc.Numbering && d.loc.Calendar == o.loc.Calendar
}
