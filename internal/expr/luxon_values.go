package expr

import (
	"math"
	"time"

	"github.com/millrace/millrace/jsonata"
)

// durationValue is a duration as an object of expressions. Its units are fields.
type durationValue struct{ duration }

// JSON is the ISO text, null for an invalid duration.
func (v *durationValue) JSON() jsonata.Value {
	iso, ok := v.toISO()
	if !ok {
		return jsonata.Null{}
	}
	return iso
}

// Member returns a unit or a method.
func (v *durationValue) Member(name string) (jsonata.Value, bool) {
	if n, ok := v.values[name]; ok {
		return n, true
	}
	if call := v.method(name); call != nil {
		return method(name, call), true
	}
	return nil, false
}

func wrapDuration(d duration, err error) (jsonata.Value, error) {
	if err != nil {
		return nil, err
	}
	return &durationValue{d}, nil
}

func (v *durationValue) method(name string) call {
	switch name {
	case "plus", "minus":
		return func(a []jsonata.Value) (jsonata.Value, error) { return v.add(arg(a, 0), name == "minus") }
	case "negate":
		return func([]jsonata.Value) (jsonata.Value, error) { return wrapDuration(v.negate(), nil) }
	case "normalize":
		return func([]jsonata.Value) (jsonata.Value, error) { return wrapDuration(v.normalize(), nil) }
	case "shiftTo":
		return v.shiftToMethod
	case "as", "get":
		return func(a []jsonata.Value) (jsonata.Value, error) { return v.inUnit(arg(a, 0), name == "as") }
	case "toFormat":
		return v.toFormat
	case "toISO":
		return func([]jsonata.Value) (jsonata.Value, error) { return v.JSON(), nil }
	case "toMillis":
		return func([]jsonata.Value) (jsonata.Value, error) { return v.millis(), nil }
	case "toObject":
		return func([]jsonata.Value) (jsonata.Value, error) { return v.object(), nil }
	}
	return nil
}

func (v *durationValue) object() jsonata.Value {
	names := v.units()
	o := jsonata.NewObject(len(names))
	for _, name := range names {
		o.Set(name, v.values[name])
	}
	return o
}

func (v *durationValue) add(other jsonata.Value, negative bool) (jsonata.Value, error) {
	if !v.valid() {
		return v, nil
	}
	d, err := durationArgument(other)
	if err != nil {
		return nil, err
	}
	if negative {
		d = d.negate()
	}
	return wrapDuration(v.plus(d), nil)
}

func (v *durationValue) shiftToMethod(a []jsonata.Value) (jsonata.Value, error) {
	if !v.valid() {
		return v, nil
	}
	var wanted []string
	for _, item := range a {
		unit, err := unitArgument(item)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, unit)
	}
	return wrapDuration(v.shiftTo(wanted...), nil)
}

// inUnit is one unit of the duration, or all of it converted.
func (v *durationValue) inUnit(unit jsonata.Value, convert bool) (jsonata.Value, error) {
	if convert && !v.valid() {
		return math.NaN(), nil
	}
	name, err := unitArgument(unit)
	if err != nil {
		return nil, err
	}
	if convert {
		return v.as(name), nil
	}
	return v.get(name), nil
}

// toFormat writes the duration with tokens like hh:mm, after converting it to the units of the tokens.
func (v *durationValue) toFormat(a []jsonata.Value) (jsonata.Value, error) {
	if !v.valid() {
		return "Invalid Duration", nil
	}
	format, ok := arg(a, 0).(string)
	if !ok {
		return nil, argumentError("Cannot read properties of undefined (reading 'length')")
	}
	round, floor := field(arg(a, 1), "round"), field(arg(a, 1), "floor")
	return v.formatted(format, round != false && floor != false), nil
}

func (v *durationValue) formatted(format string, floor bool) string {
	unitOf := map[byte]string{'S': "milliseconds", 's': "seconds", 'm': "minutes", 'h': "hours", 'd': "days", 'w': "weeks", 'M': "months", 'y': "years"}
	tokens := splitFormat(format)
	var wanted []string
	for _, token := range tokens {
		if unit := unitOf[token.text[0]]; !token.literal && unit != "" {
			wanted = append(wanted, unit)
		}
	}
	shifted, text := v.shiftTo(wanted...), ""
	for _, token := range tokens {
		unit := unitOf[token.text[0]]
		if token.literal || unit == "" {
			text += token.text
			continue
		}
		n, width := shifted.get(unit), len(token.text)
		if floor {
			n = math.Floor(n)
		} else if fraction := len(formatNumber(roundTo(math.Abs(n), 3))) - len(formatNumber(math.Trunc(math.Abs(n)))); fraction > 0 {
			width += fraction // the width is that of the whole part
		}
		text += v.loc.number(n, width)
	}
	return text
}

// interval is the time between two date-times.
type interval struct {
	start, end *dateTime
	invalid    *invalidity
}

// until makes an interval that ends at another date-time.
func (d *dateTime) until(a []jsonata.Value) (jsonata.Value, error) {
	if !d.valid() {
		return d, nil
	}
	end, err := d.intervalEnd(arg(a, 0))
	switch {
	case err != nil:
		return nil, err
	case !end.valid():
		return &interval{invalid: invalidBecause("missing or invalid end")}, nil
	case end.ms < d.ms:
		why := "The end of an interval must be after its start, but you had start=" + d.toISO(isoDefaults()) + " and end=" + end.toISO(isoDefaults())
		return &interval{invalid: &invalidity{"end before start", why}}, nil
	}
	return &interval{start: d, end: end}, nil
}

func (d *dateTime) intervalEnd(v jsonata.Value) (*dateTime, error) {
	switch v := v.(type) {
	case *dateTime:
		return v, nil
	case *jsonata.Object:
		u, err := fieldArgument(v)
		if err != nil {
			return nil, err
		}
		end, err := d.lux.build(u, systemZone(), nil, parseOptions{now: d.now})
		return &end, err
	case float64, *opaqueDate, *date:
		end := d.lux.invalid(invalidBecause("invalid input"), d.now)
		if ms := toNumber(v); jsTypeOf(v) == "object" && !math.IsNaN(ms) {
			end = d.lux.at(ms, systemZone(), locale{}, d.now)
		}
		return &end, nil
	}
	return nil, argumentError("Unknown datetime argument: %s, of type %s", textOf(v), jsTypeOf(v))
}

// JSON shows the two ends.
func (i *interval) JSON() jsonata.Value {
	o := jsonata.NewObject(4)
	for _, name := range []string{"s", "e", "invalid", "isLuxonInterval"} {
		if v, _ := i.Member(name); v != nil {
			o.Set(name, v)
		}
	}
	return o
}

// Member returns a field.
func (i *interval) Member(name string) (jsonata.Value, bool) {
	switch name {
	case "s", "e":
		if i.invalid != nil {
			return nil, true
		}
		if name == "s" {
			return &bareDateTime{i.start}, true
		}
		return &bareDateTime{i.end}, true
	case "invalid":
		return i.invalid.value(), true
	case "isLuxonInterval":
		return true, true
	}
	return nil, false
}

func (i *invalidity) value() jsonata.Value {
	if i == nil {
		return jsonata.Null{}
	}
	o := jsonata.NewObject(2)
	o.Set("reason", i.reason)
	o.Set("explanation", i.explanation)
	return o
}

// bareDateTime is an end of an interval, which has none of the methods of a date-time.
type bareDateTime struct{ d *dateTime }

// JSON is the ISO text.
func (b *bareDateTime) JSON() jsonata.Value { return b.d.JSON() }

// Number is the time in milliseconds.
func (b *bareDateTime) Number() float64 { return b.d.millis() }

// Member returns one of the few fields.
func (b *bareDateTime) Member(name string) (jsonata.Value, bool) {
	switch name {
	case "ts":
		return b.d.ms, true
	case "o":
		return b.d.offset, true
	case "c":
		o := jsonata.NewObject(7)
		for _, unit := range []string{"year", "month", "day", "hour", "minute", "second", "millisecond"} {
			v, _ := b.d.number(unit)
			o.Set(unit, v)
		}
		return o, true
	case "invalid", "weekData", "localWeekData":
		return jsonata.Null{}, true
	case "isLuxonDateTime":
		return true, true
	}
	return nil, false
}

// opaqueDate is what toJSDate returns: a date that expressions can only pass on.
type opaqueDate struct{ ms float64 }

// JSON is the ISO text in UTC, null for an invalid date.
func (o *opaqueDate) JSON() jsonata.Value {
	if math.IsNaN(o.ms) {
		return jsonata.Null{}
	}
	d := dateTime{ms: o.ms, zone: utcZone(), civil: civilAt(o.ms)}
	return d.toISO(isoDefaults())
}

// Number is the time in milliseconds.
func (o *opaqueDate) Number() float64 { return o.ms }

// String is what the date looks like as text.
func (o *opaqueDate) String() string {
	if math.IsNaN(o.ms) {
		return "Invalid Date"
	}
	return time.UnixMilli(int64(o.ms)).UTC().Format("Mon Jan 02 2006 15:04:05") + " GMT+0000 (Coordinated Universal Time)"
}

// Member returns nothing: the methods of a date are not its own members.
func (o *opaqueDate) Member(string) (jsonata.Value, bool) { return nil, false }

// date is a date of the scope, with the methods that dates from outside have.
type date struct{ opaqueDate }

// NewDate makes a value of the scope that behaves like a JavaScript date: it serialises as ISO text in UTC with milliseconds, and has
// methods such as toISOString() and getTime().
func NewDate(t time.Time) jsonata.Value {
	return &date{opaqueDate{float64(t.UnixMilli())}}
}

// Member returns a method. The local ones work in UTC, the zone of the server.
func (d *date) Member(name string) (jsonata.Value, bool) {
	c := civilAt(d.ms)
	var result jsonata.Value
	switch name {
	case "toISOString":
		result = d.JSON()
	case "getTime":
		result = d.ms
	case "getFullYear", "getUTCFullYear":
		result = c.year
	case "getMonth", "getUTCMonth":
		result = c.month - 1
	case "getDate", "getUTCDate":
		result = c.day
	case "getUTCHours":
		result = c.hour
	case "getUTCMinutes":
		result = c.minute
	case "getUTCSeconds":
		result = c.second
	case "getUTCMilliseconds":
		result = c.millisecond
	default:
		return nil, false
	}
	return method(name, func([]jsonata.Value) (jsonata.Value, error) { return result, nil }), true
}
