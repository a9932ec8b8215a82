package luxon

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// instant is what a parser found in a text: fields, and possibly a zone with the offset that was written.
type instant struct {
	fields units
	zone   *zone
	offset *float64
}

// parseOptions are the options of the parsing functions.
type parseOptions struct {
	zone   zone
	keep   bool // stay in the zone that the text names
	loc    locale.Locale
	now    clock
	format string // what the text should have been, for explanations
	text   string
}

// resolve turns what a parser found into a date-time. Nothing found is "unparsable".
func (l *Dates) resolve(in *instant, o parseOptions) (dateTime, error) {
	if in == nil || len(in.fields) == 0 && in.zone == nil {
		why := &invalidity{"unparsable", `the input "` + o.text + `" can't be parsed as ` + o.format}
		return l.invalid(why, o.now), nil
	}
	z := o.zone
	if in.zone != nil {
		z = *in.zone
	}
	d, err := l.build(in.fields, z, in.offset, o)
	if err != nil || o.keep {
		return d, err
	}
	return d.setZone(o.zone, false), nil
}

// build makes a date-time of fields. What is larger than the largest field given is taken from now, what is smaller is the first.
func (l *Dates) build(u units, z zone, offset *float64, o parseOptions) (dateTime, error) {
	if !z.valid() {
		return l.invalid(unsupportedZone(z), o.now), nil
	}
	loc := o.loc
	loc.Table = &l.locales
	rule, err := weekFields(u, loc)
	if err != nil {
		return dateTime{}, err
	}
	if err := checkMix(u); err != nil {
		return dateTime{}, err
	}
	guess := z.offset(o.now())
	if offset != nil {
		guess = *offset
	}
	today := calendar.At(o.now() + guess*calendar.MsPerMinute)
	dated := u.has("year", "month", "day")
	local, invalid := l.complete(u, today, rule)
	if invalid != nil {
		return l.invalid(invalid, o.now), nil
	}
	ms, final := fixOffset(local.Millis(), guess, z)
	d := l.at(ms, z, loc, o.now).moved(ms, final)
	if weekday := u["weekday"]; weekday != 0 && dated && weekday != d.weekday() {
		iso := d.toISO(isoDefaults())
		why := "you can't specify both a weekday of " + jsonata.FormatNumber(weekday) + " and a date of " + iso
		return l.invalid(&invalidity{"mismatched weekday", why}, o.now), nil
	}
	if !d.valid() {
		return l.invalid(d.invalid, o.now), nil
	}
	return d, nil
}

// complete fills the gaps of the fields and checks their ranges.
func (l *Dates) complete(u units, today calendar.Civil, rule calendar.WeekRule) (calendar.Civil, *invalidity) {
	useWeek := u["weekYear"] != 0 || u["weekNumber"] != 0 || u["weekday"] != 0 && !u.has("year", "month", "day")
	now := units{
		"year": today.Year, "month": today.Month, "day": today.Day, "hour": today.Hour, "minute": today.Minute, "second": today.Second,
		"millisecond": today.Millisecond,
	}
	names := []string{"year", "month", "day"}
	switch {
	case useWeek:
		w := rule.WeekOf(today)
		now["weekYear"], now["weekNumber"], now["weekday"] = w.Year, w.Week, w.Weekday
		names = []string{"weekYear", "weekNumber", "weekday"}
	case u.has("ordinal"):
		now["ordinal"] = calendar.OrdinalOf(today.Year, today.Month, today.Day)
		names = []string{"year", "ordinal"}
	}
	first := units{"month": 1, "day": 1, "weekNumber": 1, "weekday": 1, "ordinal": 1}
	found := false
	for _, name := range append(names, "hour", "minute", "second", "millisecond") {
		switch {
		case u.has(name):
			found = true
		case found:
			u[name] = first[name]
		default:
			u[name] = now[name]
		}
	}
	c := u.time(calendar.Civil{Year: u["year"], Month: u["month"], Day: u["day"]})
	switch {
	case useWeek:
		year, ordinal := rule.Date(calendar.WeekDate{Year: u["weekYear"], Week: u["weekNumber"], Weekday: u["weekday"]})
		return dayOfYear(c, year, ordinal), firstInvalid(checkWeek(u, rule), checkTime(c))
	case u.has("ordinal"):
		return dayOfYear(c, c.Year, u["ordinal"]), firstInvalid(checkOrdinal(u), checkTime(c))
	}
	return c, firstInvalid(checkDate(c), checkTime(c))
}

func firstInvalid(a, b *invalidity) *invalidity {
	if a != nil {
		return a
	}
	return b
}

func within(v, low, high float64) bool { return js.IsWhole(v) && v >= low && v <= high }

func checkWeek(u units, rule calendar.WeekRule) *invalidity {
	switch {
	case !js.IsWhole(u["weekYear"]):
		return outOfRange("weekYear", u["weekYear"])
	case !within(u["weekNumber"], 1, rule.WeeksInYear(u["weekYear"])):
		return outOfRange("week", u["weekNumber"])
	case !within(u["weekday"], 1, 7):
		return outOfRange("weekday", u["weekday"])
	}
	return nil
}

func checkOrdinal(u units) *invalidity {
	switch {
	case !js.IsWhole(u["year"]):
		return outOfRange("year", u["year"])
	case !within(u["ordinal"], 1, calendar.DaysInYear(u["year"])):
		return outOfRange("ordinal", u["ordinal"])
	}
	return nil
}

func checkDate(c calendar.Civil) *invalidity {
	switch {
	case !js.IsWhole(c.Year):
		return outOfRange("year", c.Year)
	case !within(c.Month, 1, 12):
		return outOfRange("month", c.Month)
	case !within(c.Day, 1, calendar.DaysInMonth(c.Year, c.Month)):
		return outOfRange("day", c.Day)
	}
	return nil
}

// checkTime accepts 24:00:00.000, which is the next day's midnight.
func checkTime(c calendar.Civil) *invalidity {
	midnight := c.Hour == 24 && c.Minute == 0 && c.Second == 0 && c.Millisecond == 0
	switch {
	case !within(c.Hour, 0, 23) && !midnight:
		return outOfRange("hour", c.Hour)
	case !within(c.Minute, 0, 59):
		return outOfRange("minute", c.Minute)
	case !within(c.Second, 0, 59):
		return outOfRange("second", c.Second)
	case !within(c.Millisecond, 0, 999):
		return outOfRange("millisecond", c.Millisecond)
	}
	return nil
}
