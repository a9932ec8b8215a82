package luxon

import (
	"math"
	"time"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/jsonata"
)

// opaqueDate is what toJSDate returns: a date that expressions can only pass on.
type opaqueDate struct{ ms float64 }

// JSON is the ISO text in UTC, null for an invalid date.
func (o *opaqueDate) JSON() jsonata.Value {
	if math.IsNaN(o.ms) {
		return jsonata.Null{}
	}
	d := dateTime{ms: o.ms, zone: utcZone(), civil: calendar.At(o.ms)}
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
	c := calendar.At(d.ms)
	var result jsonata.Value
	switch name {
	case "toISOString", "toJSON":
		result = d.JSON()
	case "getTime":
		result = d.ms
	case "getFullYear", "getUTCFullYear":
		result = c.Year
	case "getMonth", "getUTCMonth":
		result = c.Month - 1
	case "getDate", "getUTCDate":
		result = c.Day
	case "getUTCHours":
		result = c.Hour
	case "getUTCMinutes":
		result = c.Minute
	case "getUTCSeconds":
		result = c.Second
	case "getUTCMilliseconds":
		result = c.Millisecond
	default:
		return nil, false
	}
	return js.Method(name, func([]jsonata.Value) (jsonata.Value, error) { return result, nil }), true
}
