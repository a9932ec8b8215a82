package locale

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
	cldr "golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Relative is "in 2 days" or "2 days ago" in the language. The style is empty for long; in calendar terms it may be "tomorrow".
func (l Locale) Relative(count float64, unit, style string, calendar bool) (string, error) {
	if l.English() {
		return englishRelative(count, unit, style, calendar)
	}
	forms := l.Data().Relative[strings.TrimSuffix(unit, "s")]
	amount := math.Abs(count)
	var word string
	if calendar && relativeForm(forms, style, jsonata.FormatNumber(count), &word) {
		return word, nil
	}
	var pair [2]string
	if !relativeForm(forms, style, pluralForm(l.Name(), amount), &pair) && !relativeForm(forms, style, "other", &pair) {
		return "", js.ArgumentError("Invalid unit argument for format() '%s'", unit)
	}
	direction := pair[0]
	if math.Signbit(count) {
		direction = pair[1]
	}
	return strings.ReplaceAll(direction, "{0}", l.grouped(amount)), nil
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
	return map[cldr.Form]string{
		cldr.Other: "other", cldr.Zero: "zero", cldr.One: "one", cldr.Two: "two", cldr.Few: "few",
		cldr.Many: "many",
	}[form]
}

// englishRelative has words of its own, which differ from those of the CLDR.
func englishRelative(count float64, unit, style string, calendar bool) (string, error) {
	short := map[string]string{
		"years": "yr.", "quarters": "qtr.", "months": "mo.", "weeks": "wk.", "days": "day", "hours": "hr.",
		"minutes": "min.", "seconds": "sec.",
	}
	single := strings.TrimSuffix(unit, "s")
	if calendar {
		if word, ok := englishCalendarWord(count, unit); ok {
			return word, nil
		}
	}
	past, amount := math.Signbit(count), math.Abs(count)
	word := unit
	_, known := short[unit]
	switch {
	case !known && (style != "" || amount == 1):
		return "", js.ArgumentError("Cannot read properties of undefined (reading '0')")
	case style != "" && (unit != "days" || amount == 1):
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
