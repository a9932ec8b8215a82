package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

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
	end, err := d.intervalEnd(js.Arg(a, 0))
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
		end := d.lux.invalid(invalidInput(), d.now)
		if ms := js.Number(v); js.TypeOf(v) == "object" && !math.IsNaN(ms) {
			end = d.lux.at(ms, systemZone(), locale.Locale{}, d.now)
		}
		return &end, nil
	}
	return nil, js.ArgumentError("Unknown datetime argument: %s, of type %s", js.Text(v), js.TypeOf(v))
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
