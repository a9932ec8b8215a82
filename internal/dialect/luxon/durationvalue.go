package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
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
		return js.Method(name, call), true
	}
	return nil, false
}

// Names lists the units of the duration and its methods.
func (v *durationValue) Names() []string {
	return append(v.units(), "toObject", "as", "plus", "minus", "shiftTo", "normalize", "negate", "toFormat", "toISO", "toMillis", "get")
}

func (v *durationValue) method(name string) call {
	switch name {
	case "plus", "minus":
		return func(a []jsonata.Value) (jsonata.Value, error) { return v.add(js.Arg(a, 0), name == "minus") }
	case "negate":
		return func([]jsonata.Value) (jsonata.Value, error) { return &durationValue{v.negate()}, nil }
	case "normalize":
		return func([]jsonata.Value) (jsonata.Value, error) { return &durationValue{v.normalize()}, nil }
	case "shiftTo":
		return v.shiftToMethod
	case "as", "get":
		return func(a []jsonata.Value) (jsonata.Value, error) { return v.inUnit(js.Arg(a, 0), name == "as") }
	case "toFormat":
		return v.toFormat
	case "toISO", "toJSON":
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
	return &durationValue{v.plus(d)}, nil
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
	return &durationValue{v.shiftTo(wanted...)}, nil
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
	format, ok := js.Arg(a, 0).(string)
	if !ok {
		return nil, js.ArgumentError("Cannot read properties of undefined (reading 'length')")
	}
	return v.formatted(format, js.Arg(a, 1)), nil
}

// formatted rounds down unless the options say otherwise. With options that are not about that, the width is the one of the whole part.
func (v *durationValue) formatted(format string, options jsonata.Value) string {
	down := js.Field(options, "round") != false && js.Field(options, "floor") != false
	wholeWidth := false
	if o, ok := options.(*jsonata.Object); ok {
		_, hasFloor := o.Get("floor")
		wholeWidth = o.Len() > boolIndex(hasFloor)
	}
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
		if down {
			n = math.Floor(n)
		}
		if wholeWidth {
			size := math.Abs(locale.RoundTo(n, 3))
			width += len(jsonata.FormatNumber(size)) - len(jsonata.FormatNumber(math.Trunc(size)))
		}
		text += v.loc.Number(n, width)
	}
	return text
}
