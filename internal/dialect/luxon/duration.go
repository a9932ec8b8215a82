package luxon

import (
	"math"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// duration is a length of time in calendar units, none of which is converted until asked.
type duration struct {
	values   units
	loc      locale.Locale
	longterm bool // years of 365.2425 days instead of 365
	invalid  *invalidity
}

func newDuration(values units, loc locale.Locale) duration { return duration{values: values, loc: loc} }

func (d duration) valid() bool { return d.invalid == nil }

// get is zero for a unit the duration does not have.
func (d duration) get(unit string) float64 {
	if !d.valid() {
		return math.NaN()
	}
	return d.values[unit]
}

// units lists what the duration has, from large to small.
func (d duration) units() []string {
	var names []string
	for _, unit := range durationUnits() {
		if d.values.has(unit) {
			names = append(names, unit)
		}
	}
	return names
}

// ratio is how many of the smaller unit the larger one has. A casual month has 30 days and 4 weeks, a year 365 days and 52 weeks.
func (d duration) ratio(large, small string) float64 {
	if large == small {
		return 1
	}
	switch large {
	case "years", "quarters", "months":
		return d.calendarRatio(large, small)
	case "weeks":
		return onClock(7, small)
	}
	return onClock(1, small) / onClock(1, large)
}

// onClock converts days. It multiplies step by step, because the last digit of the result shows.
func onClock(days float64, unit string) float64 {
	switch unit {
	case "hours":
		return days * 24
	case "minutes":
		return days * 24 * 60
	case "seconds":
		return days * 24 * 60 * 60
	case "milliseconds":
		return days * 24 * 60 * 60 * 1000
	}
	return days
}

func (d duration) calendarRatio(large, small string) float64 {
	const yearDays, monthDays = 146_097.0 / 400, 146_097.0 / 4800
	of := func(year, quarter, month float64) float64 {
		return map[string]float64{"years": year, "quarters": quarter, "months": month}[large]
	}
	switch months := of(12, 3, 1); {
	case small == "quarters":
		return months / 3
	case small == "months":
		return months
	case small == "weeks" && !d.longterm:
		return of(52, 13, 4)
	case !d.longterm:
		return onClock(of(365, 91, 30), small)
	case small == "weeks":
		return of(yearDays, yearDays/4, monthDays) / 7
	case large == "quarters":
		return onClock(yearDays, small) / 4
	}
	return onClock(of(yearDays, 0, monthDays), small)
}

// millis is the length, with months and years converted.
func (d duration) millis() float64 {
	if !d.valid() {
		return math.NaN()
	}
	sum := d.values["milliseconds"]
	for _, unit := range slices.Backward(durationUnits()[:8]) {
		if v := d.values[unit]; v != 0 && !math.IsNaN(v) {
			sum += v * d.ratio(unit, "milliseconds")
		}
	}
	return sum
}

func (d duration) withValues(values units) duration {
	d.values = values
	return d
}

func (d duration) plus(o duration) duration {
	if !d.valid() {
		return d
	}
	sum := units{}
	for _, unit := range durationUnits() {
		if d.values.has(unit) || o.values.has(unit) {
			sum[unit] = o.get(unit) + d.get(unit)
		}
	}
	return d.withValues(sum)
}

func (d duration) negate() duration {
	if !d.valid() {
		return d
	}
	negated := units{}
	for unit, v := range d.values {
		if negated[unit] = -v; v == 0 {
			negated[unit] = 0
		}
	}
	return d.withValues(negated)
}

// as is the length in one unit.
func (d duration) as(unit string) float64 {
	if !d.valid() {
		return math.NaN()
	}
	return d.shiftTo(unit).get(unit)
}

// shiftTo expresses the duration in other units; only the last may have a fraction.
func (d duration) shiftTo(wanted ...string) duration {
	if !d.valid() || len(wanted) == 0 {
		return d
	}
	built, waiting := units{}, units{}
	var last string
	for _, unit := range durationUnits() {
		own, present := d.values[unit]
		if !slices.Contains(wanted, unit) {
			if present {
				waiting[unit] = own
			}
			continue
		}
		last = unit
		carried := 0.0
		for _, larger := range durationUnits() {
			if v, ok := waiting[larger]; ok {
				carried += d.ratio(larger, unit) * v
				waiting[larger] = 0
			}
		}
		carried += own
		whole := math.Trunc(carried)
		built[unit] = whole
		waiting[unit] = (carried*1000 - whole*1000) / 1000
	}
	for _, unit := range durationUnits() {
		switch v := waiting[unit]; {
		case v == 0:
		case unit == last:
			built[last] += v
		default:
			built[last] += v / d.ratio(last, unit)
		}
	}
	return d.withValues(built).normalize()
}

// normalize carries what is too much of a unit into the next larger one, and fractions into the next smaller one, so that all parts have
// the sign of the whole.
func (d duration) normalize() duration {
	if !d.valid() {
		return d
	}
	names, v := d.units(), units{}
	for _, unit := range names {
		v[unit] = d.values[unit]
	}
	sign := 1.0
	if d.millis() < 0 {
		sign = -1
	}
	for i := len(names) - 1; i > 0; i-- {
		small, large := names[i], names[i-1]
		per := d.ratio(large, small)
		rollUp := math.Floor(v[small] * sign / per)
		v[large] += rollUp * sign
		v[small] -= rollUp * per * sign
	}
	for i := 1; i < len(names); i++ {
		large, small := names[i-1], names[i]
		fraction := math.Mod(v[large], 1)
		v[large] -= fraction
		v[small] += fraction * d.ratio(large, small)
	}
	return d.withValues(v)
}

// toISO writes the duration like P1DT2H.
func (d duration) toISO() (string, bool) {
	if !d.valid() {
		return "", false
	}
	var b strings.Builder
	part := func(v float64, mark string) {
		b.WriteString(jsonata.FormatNumber(v) + mark)
	}
	b.WriteString("P")
	if v := d.get("years"); v != 0 {
		part(v, "Y")
	}
	if m, q := d.get("months"), d.get("quarters"); m != 0 || q != 0 {
		part(m+q*3, "M")
	}
	if v := d.get("weeks"); v != 0 {
		part(v, "W")
	}
	if v := d.get("days"); v != 0 {
		part(v, "D")
	}
	h, m, s, ms := d.get("hours"), d.get("minutes"), d.get("seconds"), d.get("milliseconds")
	if h != 0 || m != 0 || s != 0 || ms != 0 {
		b.WriteString("T")
	}
	if h != 0 {
		part(h, "H")
	}
	if m != 0 {
		part(m, "M")
	}
	if s != 0 || ms != 0 {
		part(locale.RoundTo(s+ms/1000, 3), "S")
	}
	if b.Len() == 1 {
		b.WriteString("T0S")
	}
	return b.String(), true
}
