package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// relativeOptions say how the distance of two date-times is put into words.
type relativeOptions struct {
	units    []string // tried from large to small
	forced   bool     // use the first unit however small the distance
	calendar bool     // count days and months begun instead of elapsed, and say "yesterday"
	fraction bool     // show two decimals
	style    string   // empty for long
}

// relative puts the time from base to d into words.
func (d dateTime) relative(base dateTime, o relativeOptions) (string, error) {
	for _, unit := range o.units {
		count, err := d.distance(base, unit, o.calendar)
		if err != nil {
			return "", err
		}
		if o.forced || math.Abs(count) >= 1 {
			return d.loc.Relative(o.round(count), unit, o.style, o.calendar)
		}
	}
	zero := 0.0
	if base.millis() > d.millis() {
		zero = math.Copysign(0, -1)
	}
	return d.loc.Relative(zero, o.units[len(o.units)-1], o.style, o.calendar)
}

func (o relativeOptions) round(count float64) float64 {
	if o.fraction {
		return math.Trunc(count*100) / 100
	}
	return math.Trunc(count)
}

func (d dateTime) distance(base dateTime, unit string, calendar bool) (float64, error) {
	name, err := durationUnit(unit)
	if err != nil {
		return 0, err
	}
	if !calendar {
		return d.diff(base, []string{name}, false).get(name), nil
	}
	to, err := d.startOf(name, false)
	if err != nil {
		return 0, err
	}
	from, err := base.startOf(name, false)
	if err != nil {
		return 0, err
	}
	return to.diff(from, []string{name}, false).get(name), nil
}

// toRelative implements the methods toRelative and toRelativeCalendar.
func (d dateTime) toRelative(options jsonata.Value, calendar bool) (jsonata.Value, error) {
	if !d.valid() {
		return jsonata.Null{}, nil
	}
	base, ok := js.Field(options, "base").(*dateTime)
	if !ok {
		now := d.lux.at(d.now(), d.zone, locale.Locale{}, d.now)
		base = &now
	}
	o := relativeOptions{calendar: calendar, units: []string{"years", "months", "days"}}
	round := js.Field(options, "round")
	o.fraction = round != nil && !js.IsTrue(round) && !calendar
	style := js.Field(options, "style")
	if style != nil && style != "long" {
		o.style = js.Text(style) + " "
	}
	end := d
	if !calendar {
		o.units = append(o.units, "hours", "minutes", "seconds")
		end = d.plus(newDuration(units{"milliseconds": padding(d, *base, options)}, d.loc))
	}
	switch unit := js.Field(options, "unit").(type) {
	case string:
		o.units, o.forced = []string{unit}, true
	case *jsonata.Array:
		if calendar {
			return nil, js.ArgumentError("unit.toLowerCase is not a function")
		}
		o.units = nil
		for _, item := range unit.Items() {
			o.units = append(o.units, js.Text(item))
		}
		if len(o.units) == 0 {
			return nil, js.ArgumentError("Invalid unit argument for format()")
		}
	}
	var err error
	if end.loc, err = end.loc.With(options); err != nil {
		return nil, err
	}
	return end.relative(*base, o)
}

// padding moves a date-time away from the base, so that what is nearly a day away counts as one.
func padding(d, base dateTime, options jsonata.Value) float64 {
	pad := js.Field(options, "padding")
	if !js.IsTrue(pad) {
		return 0
	}
	if d.millis() < base.millis() {
		return -js.Number(pad)
	}
	return js.Number(pad)
}
