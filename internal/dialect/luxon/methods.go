package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// call is a method of a host object.
type call = func(args []jsonata.Value) (jsonata.Value, error)

// method finds a method by name.
func (d *dateTime) method(name string) call {
	for _, group := range []func(string) call{d.changing, d.writing, d.comparing, d.counting} {
		if m := group(name); m != nil {
			return m
		}
	}
	return nil
}

// value wraps the result of a method.
func (d dateTime) value(err error) (jsonata.Value, error) {
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// changing are the methods that return another date-time.
func (d *dateTime) changing(name string) call {
	switch name {
	case "plus", "minus":
		return func(a []jsonata.Value) (jsonata.Value, error) { return d.add(js.Arg(a, 0), name == "minus") }
	case "set":
		return d.setMethod
	case "startOf", "endOf":
		return func(a []jsonata.Value) (jsonata.Value, error) { return d.bound(a, name == "endOf") }
	case "setZone":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			return d.setZone(d.lux.zoneArgument(js.Arg(a, 0)), keepsLocal(js.Arg(a, 1))).value(nil)
		}
	case "toUTC":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			offset := 0.0
			if v := js.Arg(a, 0); v != nil {
				offset = js.Number(v)
			}
			return d.setZone(offsetZone(offset), keepsLocal(js.Arg(a, 1))).value(nil)
		}
	case "toLocal":
		return func([]jsonata.Value) (jsonata.Value, error) { return d.setZone(systemZone(), false).value(nil) }
	case "reconfigure":
		return func(a []jsonata.Value) (jsonata.Value, error) { return d.reconfigure(js.Arg(a, 0)) }
	case "setLocale":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			options := jsonata.NewObject(1)
			options.Set("locale", js.Arg(a, 0))
			return d.reconfigure(options)
		}
	}
	return nil
}

func keepsLocal(options jsonata.Value) bool {
	return js.IsTrue(js.Field(options, "keepLocalTime")) || js.IsTrue(js.Field(options, "keepCalendarTime"))
}

func (d *dateTime) add(v jsonata.Value, negative bool) (jsonata.Value, error) {
	if !d.valid() {
		return d, nil
	}
	dur, err := durationArgument(v)
	if err != nil {
		return nil, err
	}
	if negative {
		dur = dur.negate()
	}
	return d.plus(dur).value(nil)
}

func (d *dateTime) setMethod(a []jsonata.Value) (jsonata.Value, error) {
	if !d.valid() {
		return d, nil
	}
	u, err := fieldArgument(js.Arg(a, 0))
	if err != nil {
		return nil, err
	}
	changed, err := d.set(u)
	return changed.value(err)
}

func (d *dateTime) bound(a []jsonata.Value, end bool) (jsonata.Value, error) {
	if !d.valid() {
		return d, nil
	}
	unit, err := unitArgument(js.Arg(a, 0))
	if err != nil {
		return nil, err
	}
	localWeeks := js.IsTrue(js.Field(js.Arg(a, 1), "useLocaleWeeks"))
	find := d.startOf
	if end {
		find = d.endOf
	}
	at, err := find(unit, localWeeks)
	return at.value(err)
}

func (d *dateTime) reconfigure(options jsonata.Value) (jsonata.Value, error) {
	loc, err := d.loc.With(options)
	if !d.valid() { // which shows no names
		err = nil
	}
	return d.inLocale(loc).value(err)
}

// writing are the methods that return text.
func (d *dateTime) writing(name string) call {
	text := func(f func(options jsonata.Value) jsonata.Value) call {
		return func(a []jsonata.Value) (jsonata.Value, error) {
			if !d.valid() {
				return jsonata.Null{}, nil
			}
			return f(js.Arg(a, 0)), nil
		}
	}
	switch name {
	case "toFormat":
		return d.toFormat
	case "toLocaleString":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			return d.toLocaleString(js.Arg(a, 0), js.Arg(a, 1))
		}
	case "toJSON":
		return func([]jsonata.Value) (jsonata.Value, error) { return d.JSON(), nil }
	case "toISO":
		return text(func(o jsonata.Value) jsonata.Value { return d.toISO(isoOptionsOf(o)) })
	case "toISODate":
		return text(func(o jsonata.Value) jsonata.Value { return d.isoDate(isoOptionsOf(o).basic) })
	case "toISOTime":
		return text(func(v jsonata.Value) jsonata.Value {
			o := isoOptionsOf(v)
			if o.prefix {
				return "T" + d.isoTime(o)
			}
			return d.isoTime(o)
		})
	case "toISOWeekDate":
		return text(func(jsonata.Value) jsonata.Value { return d.technical("kkkk-'W'WW-c", true) })
	case "toRFC2822":
		return text(func(jsonata.Value) jsonata.Value { return d.technical("EEE, dd LLL yyyy HH:mm:ss ZZZ", false) })
	case "toHTTP":
		return text(func(jsonata.Value) jsonata.Value {
			return d.setZone(utcZone(), false).technical("EEE, dd LLL yyyy HH:mm:ss 'GMT'", true)
		})
	case "toSQL":
		return text(func(o jsonata.Value) jsonata.Value { return d.isoDate(false) + " " + js.Text(d.sqlTime(o)) })
	case "toSQLDate":
		return text(func(jsonata.Value) jsonata.Value { return d.isoDate(false) })
	case "toSQLTime":
		return text(d.sqlTime)
	case "toRelative", "toRelativeCalendar":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			return d.toRelative(js.Arg(a, 0), name == "toRelativeCalendar")
		}
	}
	return nil
}

func (d *dateTime) toFormat(a []jsonata.Value) (jsonata.Value, error) {
	if !d.valid() {
		return "Invalid DateTime", nil
	}
	format, ok := js.Arg(a, 0).(string)
	if !ok {
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'length')")
	}
	loc, err := d.loc.With(js.Arg(a, 1))
	if err != nil {
		return nil, err
	}
	return formatterFor(*d, loc).format(format), nil
}

// counting are the methods that return a number or a date.
func (d *dateTime) counting(name string) call {
	number := func(v float64) call {
		return func([]jsonata.Value) (jsonata.Value, error) { return v, nil }
	}
	switch name {
	case "toMillis", "valueOf":
		return number(d.millis())
	case "toSeconds":
		return number(d.millis() / 1000)
	case "toUnixInteger":
		return number(math.Floor(d.millis() / 1000))
	case "toJSDate":
		return func([]jsonata.Value) (jsonata.Value, error) { return &opaqueDate{calendar.ClipTime(d.millis())}, nil }
	}
	return nil
}

// comparing lists the methods that take another date-time.
func (d *dateTime) comparing(name string) call {
	switch name {
	case "diff":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			return d.difference(js.Arg(a, 0), js.Arg(a, 1), js.Arg(a, 2))
		}
	case "diffNow":
		return func(a []jsonata.Value) (jsonata.Value, error) {
			now := d.lux.at(d.now(), systemZone(), locale.Locale{}, d.now)
			return d.difference(&now, js.Arg(a, 0), js.Arg(a, 1))
		}
	case "until":
		return d.until
	case "hasSame":
		return d.hasSame
	case "equals":
		return d.equalsMethod
	}
	return nil
}

func (d *dateTime) difference(other, unit, options jsonata.Value) (jsonata.Value, error) {
	o, ok := other.(*dateTime)
	switch {
	case d.valid() && js.IsNullish(other):
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'isValid')")
	case !ok || !d.valid() || !o.valid():
		return &durationValue{d.diff(dateTime{invalid: invalidBecause("no date")}, nil, false)}, nil
	}
	var wanted []string
	switch unit := unit.(type) {
	case nil:
		wanted = []string{"milliseconds"}
	case *jsonata.Array:
		for _, item := range unit.Items() {
			name, err := unitArgument(item)
			if err != nil {
				return nil, err
			}
			wanted = append(wanted, name)
		}
		if len(wanted) == 0 {
			return nil, invalidUnit("undefined")
		}
	default:
		name, err := unitArgument(unit)
		if err != nil {
			return nil, err
		}
		wanted = []string{name}
	}
	return &durationValue{d.diff(*o, wanted, js.Field(options, "conversionAccuracy") == "longterm")}, nil
}

func (d *dateTime) hasSame(a []jsonata.Value) (jsonata.Value, error) {
	if !d.valid() {
		return false, nil
	}
	if js.IsNullish(js.Arg(a, 0)) {
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'isValid')")
	}
	ms, z := js.Number(js.Arg(a, 0)), systemZone()
	if o, ok := js.Arg(a, 0).(*dateTime); ok {
		z = o.zone
	}
	unit, err := unitArgument(js.Arg(a, 1))
	if err != nil {
		return nil, err
	}
	here, localWeeks := d.setZone(z, true), js.IsTrue(js.Field(js.Arg(a, 2), "useLocaleWeeks"))
	start, err := here.startOf(unit, localWeeks)
	if err != nil {
		return nil, err
	}
	end, err := here.endOf(unit, localWeeks)
	if err != nil {
		return nil, err
	}
	return start.millis() <= ms && ms <= end.millis(), nil
}

func (d *dateTime) equalsMethod(a []jsonata.Value) (jsonata.Value, error) {
	o, ok := js.Arg(a, 0).(*dateTime)
	switch {
	case !d.valid():
		return false, nil
	case js.IsNullish(js.Arg(a, 0)):
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'isValid')")
	case !ok:
		return nil, nil //nolint:nilnil // comparing with anything else is undefined
	}
	return d.equals(*o), nil
}
