package luxon

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// A dateTime is an object to expressions: its fields and methods are members.

// JSON is the ISO text, null for an invalid date-time.
func (d *dateTime) JSON() jsonata.Value {
	if !d.valid() {
		return jsonata.Null{}
	}
	return d.toISO(isoDefaults())
}

// Number lets expressions that expect a number see the milliseconds.
func (d *dateTime) Number() float64 { return d.millis() }

// Member returns a field or a method.
func (d *dateTime) Member(name string) (jsonata.Value, bool) {
	if v, ok := d.number(name); ok {
		return v, true
	}
	if v, ok := d.label(name); ok {
		return v, true
	}
	if call := d.method(name); call != nil {
		return js.Method(name, call), true
	}
	return nil, false
}

// Names lists the members.
func (d *dateTime) Names() []string {
	return []string{
		"year", "quarter", "month", "day", "hour", "minute", "second", "millisecond", "weekYear", "weekNumber", "weekday", "ordinal",
		"monthShort", "monthLong", "weekdayShort", "weekdayLong", "offset", "offsetNameShort", "offsetNameLong", "zoneName",
		"daysInMonth", "daysInYear", "weeksInWeekYear", "isInLeapYear", "isInDST", "isOffsetFixed", "isValid", "invalidReason",
		"invalidExplanation", "locale", "numberingSystem", "outputCalendar", "zone",
		"plus", "minus", "set", "startOf", "endOf", "setZone", "setLocale", "reconfigure", "toUTC", "toLocal",
		"toFormat", "toISO", "toISODate", "toISOTime", "toISOWeekDate", "toRFC2822", "toHTTP", "toSQL", "toSQLDate", "toSQLTime",
		"toJSDate", "toMillis", "toSeconds", "toUnixInteger", "toRelative", "toRelativeCalendar", "toLocaleString",
		"diff", "diffNow", "until", "hasSame", "equals", "valueOf",
	}
}

func (d *dateTime) number(name string) (float64, bool) {
	switch name {
	case "year":
		return d.year(), true
	case "quarter":
		return d.quarter(), true
	case "month":
		return d.month(), true
	case "day":
		return d.orNaN(d.civil.Day), true
	case "hour":
		return d.orNaN(d.civil.Hour), true
	case "minute":
		return d.orNaN(d.civil.Minute), true
	case "second":
		return d.orNaN(d.civil.Second), true
	case "millisecond":
		return d.orNaN(d.civil.Millisecond), true
	case "weekYear":
		return d.week().Year, true
	case "weekNumber":
		return d.week().Week, true
	case "weekday":
		return d.weekday(), true
	case "ordinal":
		return d.ordinal(), true
	case "offset":
		return d.orNaN(d.offset), true
	case "daysInYear":
		return d.orNaN(calendar.DaysInYear(d.civil.Year)), true
	case "weeksInWeekYear":
		return d.orNaN(calendar.ISOWeeks().WeeksInYear(d.week().Year)), true
	}
	return 0, false
}

// label is a field that is not a number, or not always one.
func (d *dateTime) label(name string) (jsonata.Value, bool) {
	switch name {
	case "isInLeapYear":
		return d.valid() && calendar.IsLeapYear(d.civil.Year), true
	case "isInDST":
		return d.inDST(), true
	case "isValid":
		return d.valid(), true
	case "daysInMonth":
		if !d.valid() {
			return nil, true
		}
		return calendar.DaysInMonth(d.civil.Year, d.civil.Month), true
	case "invalidReason":
		if d.valid() {
			return jsonata.Null{}, true
		}
		return d.invalid.reason, true
	case "invalidExplanation":
		if d.valid() {
			return jsonata.Null{}, true
		}
		return d.invalid.explanation, true
	}
	text, ok := d.text(name)
	if ok && (text == "" || !d.valid()) {
		return jsonata.Null{}, true
	}
	return text, ok
}

// text is a field that an invalid date-time does not have. Empty means null.
func (d *dateTime) text(name string) (jsonata.Value, bool) {
	show := func(f func() string) (jsonata.Value, bool) {
		if !d.valid() {
			return "", true
		}
		return f(), true
	}
	switch name {
	case "monthShort", "monthLong":
		return show(func() string {
			return d.monthName(map[string]string{"monthShort": "short", "monthLong": "long"}[name], true)
		})
	case "weekdayShort", "weekdayLong":
		return show(func() string {
			return d.weekdayName(map[string]string{"weekdayShort": "short", "weekdayLong": "long"}[name], true)
		})
	case "offsetNameShort", "offsetNameLong":
		return show(func() string { return d.zone.offsetName(d.ms, name == "offsetNameLong", d.loc) })
	case "zone", "zoneName":
		return d.zone.name(), true
	case "isOffsetFixed":
		return d.zone.kind == zoneFixed, true
	case "locale":
		return d.loc.Name(), true
	case "numberingSystem":
		return d.loc.Numbering, true
	case "outputCalendar":
		return d.loc.Calendar, true
	}
	return nil, false
}

// durationArgument reads what can be added to a date-time or a duration.
func durationArgument(v jsonata.Value) (duration, error) {
	switch v := v.(type) {
	case float64:
		ms, err := unitValue(v)
		return newDuration(units{"milliseconds": ms}, locale.Locale{}), err
	case *jsonata.Object:
		u, err := readUnits(v, durationUnit)
		return newDuration(u, locale.Locale{}), err
	case *jsonata.Array:
		if v.Len() > 0 {
			return duration{}, invalidUnit("0")
		}
		return newDuration(units{}, locale.Locale{}), nil
	case *dateTime:
		return duration{}, invalidUnit("ts")
	case *durationValue:
		return duration{}, invalidUnit("toObject")
	case jsonata.Null:
		return duration{}, js.ArgumentError("Duration.fromObject: argument expected to be an object, got null")
	}
	return duration{}, js.ArgumentError("Unknown duration argument %s of type %s", js.Text(v), js.TypeOf(v))
}

// fieldArgument reads the fields for the method set. Only objects have any.
func fieldArgument(v jsonata.Value) (units, error) {
	switch v := v.(type) {
	case *jsonata.Object:
		return readUnits(v, fieldUnit)
	case *jsonata.Array:
		if v.Len() > 0 {
			return nil, invalidUnit("0")
		}
	case string:
		if v != "" {
			return nil, invalidUnit("0")
		}
	case jsonata.Host:
		return nil, invalidUnit("ts")
	}
	return units{}, nil
}

// zoneArgument reads a zone: its name, its offset in minutes, or nothing for the zone of the server.
func (l *Dates) zoneArgument(v jsonata.Value) zone {
	switch v := v.(type) {
	case nil, jsonata.Null:
		return systemZone()
	case string:
		return l.zones.parse(v)
	case float64:
		return offsetZone(v)
	}
	return zone{kind: zoneInvalid, id: js.Text(v)}
}
