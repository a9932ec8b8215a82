package luxon

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// units holds numbers by the name of a unit: the fields of a date-time, or the parts of a duration.
type units map[string]float64

func (u units) has(names ...string) bool {
	for _, name := range names {
		if _, ok := u[name]; ok {
			return true
		}
	}
	return false
}

// unitValue converts a unit's value, which may be written as text.
func unitValue(v jsonata.Value) (float64, error) {
	f := js.Number(v)
	if _, isBool := v.(bool); isBool || v == "" || math.IsNaN(f) {
		return 0, js.ArgumentError("Invalid unit value %s", js.Text(v))
	}
	return f, nil
}

// readUnits converts the members of an object; null and undefined members count as absent.
func readUnits(o *jsonata.Object, unit func(string) (string, error)) (units, error) {
	out := units{}
	for key, v := range o.All() {
		if js.IsNullish(v) {
			continue
		}
		name, err := unit(key)
		if err != nil {
			return nil, err
		}
		if out[name], err = unitValue(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func invalidUnit(name string) error {
	return js.ArgumentError("Invalid unit %s", name)
}

// fieldUnit is the name of a date-time's field, for any case and number.
func fieldUnit(name string) (string, error) {
	switch lower := strings.ToLower(name); lower {
	case "year", "month", "day", "hour", "minute", "quarter", "second", "millisecond", "weekday", "ordinal":
		return lower, nil
	case "years", "months", "days", "hours", "minutes", "quarters", "seconds", "milliseconds", "weekdays":
		return strings.TrimSuffix(lower, "s"), nil
	case "weeknumber", "weeksnumber", "weeknumbers":
		return "weekNumber", nil
	case "weekyear", "weekyears":
		return "weekYear", nil
	case "localweekday", "localweekdays":
		return "localWeekday", nil
	case "localweeknumber", "localweeknumbers":
		return "localWeekNumber", nil
	case "localweekyear", "localweekyears":
		return "localWeekYear", nil
	}
	return "", invalidUnit(name)
}

// durationUnit is the plural name of a unit of durations.
func durationUnit(name string) (string, error) {
	lower := strings.ToLower(name)
	for _, unit := range durationUnits() {
		if lower == unit || lower+"s" == unit {
			return unit, nil
		}
	}
	return "", invalidUnit(name)
}

// durationUnits are the units of durations from large to small.
func durationUnits() []string {
	return []string{"years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"}
}

// unitArgument reads the name of a unit from an argument of a method.
func unitArgument(v jsonata.Value) (string, error) {
	switch v := v.(type) {
	case string:
		return durationUnit(v)
	case nil, jsonata.Null:
		return "", invalidUnit(js.Text(v))
	}
	if !js.IsTrue(v) {
		return "", invalidUnit(js.Text(v))
	}
	return "", js.ArgumentError("unit.toLowerCase is not a function")
}
