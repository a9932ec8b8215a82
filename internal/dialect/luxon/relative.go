package luxon

import (
	"encoding/json"
	"math"
	"strings"

	cldr "golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/millrace/millrace/internal/dialect/js"
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
			return d.loc.relative(o.round(count), unit, o)
		}
	}
	zero := 0.0
	if base.millis() > d.millis() {
		zero = math.Copysign(0, -1)
	}
	return d.loc.relative(zero, o.units[len(o.units)-1], o)
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

// relative is "in 2 days" or "2 days ago" in the language.
func (l locale) relative(count float64, unit string, o relativeOptions) (string, error) {
	if l.english() {
		return englishRelative(count, unit, o)
	}
	forms := l.data().Relative[strings.TrimSuffix(unit, "s")]
	amount := math.Abs(count)
	var word string
	if o.calendar && relativeForm(forms, o.style, jsonata.FormatNumber(count), &word) {
		return word, nil
	}
	var pair [2]string
	if !relativeForm(forms, o.style, pluralForm(l.name(), amount), &pair) && !relativeForm(forms, o.style, "other", &pair) {
		return "", js.ArgumentError("Invalid unit argument for format() '%s'", unit)
	}
	return strings.ReplaceAll(pair[boolIndex(math.Signbit(count))], "{0}", l.grouped(amount)), nil
}

// relativeForm decodes a form, in the style asked for if that differs from the long one.
func relativeForm(forms map[string]json.RawMessage, style, name string, into any) bool {
	for _, key := range []string{style + name, name} {
		if raw, ok := forms[key]; ok && json.Unmarshal(raw, into) == nil {
			return true
		}
	}
	return false
}

// pluralForm is the CLDR plural category of a number.
func pluralForm(tag string, amount float64) string {
	whole, decimals, _ := strings.Cut(jsonata.FormatNumber(amount), ".")
	digits := []byte(whole + decimals)
	for i := range digits {
		digits[i] -= '0'
	}
	form := cldr.Cardinal.MatchPlural(language.Make(tag), int(js.ParseNumber(whole)), len(decimals), len(decimals), int(js.ParseNumber(decimals)),
		int(js.ParseNumber(decimals)))
	return map[cldr.Form]string{cldr.Other: "other", cldr.Zero: "zero", cldr.One: "one", cldr.Two: "two", cldr.Few: "few",
		cldr.Many: "many"}[form]
}

// englishRelative has words of its own, which differ from those of the CLDR.
func englishRelative(count float64, unit string, o relativeOptions) (string, error) {
	short := map[string]string{"years": "yr.", "quarters": "qtr.", "months": "mo.", "weeks": "wk.", "days": "day", "hours": "hr.",
		"minutes": "min.", "seconds": "sec."}
	single := strings.TrimSuffix(unit, "s")
	if o.calendar {
		if word, ok := englishCalendarWord(count, unit); ok {
			return word, nil
		}
	}
	past, amount := math.Signbit(count), math.Abs(count)
	word := unit
	_, known := short[unit]
	switch {
	case !known && (o.style != "" || amount == 1):
		return "", js.ArgumentError("Cannot read properties of undefined (reading '0')")
	case o.style != "" && (unit != "days" || amount == 1):
		word = short[unit]
	case amount == 1:
		word = single
	}
	if past {
		return jsonata.FormatNumber(amount) + " " + word + " ago", nil
	}
	return "in " + jsonata.FormatNumber(amount) + " " + word, nil
}

func englishCalendarWord(count float64, unit string) (string, bool) {
	if unit == "hours" || unit == "minutes" || unit == "seconds" || !(math.Abs(count) <= 1) {
		return "", false
	}
	if unit == "days" {
		return [3]string{"yesterday", "today", "tomorrow"}[int(count)+1], true
	}
	return [3]string{"last ", "this ", "next "}[int(count)+1] + strings.TrimSuffix(unit, "s"), true
}

// toRelative implements the methods toRelative and toRelativeCalendar.
func (d dateTime) toRelative(options jsonata.Value, calendar bool) (jsonata.Value, error) {
	if !d.valid() {
		return jsonata.Null{}, nil
	}
	base, ok := js.Field(options, "base").(*dateTime)
	if !ok {
		now := d.lux.at(d.now(), d.zone, locale{}, d.now)
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
	if end.loc, err = end.loc.with(options); err != nil {
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
