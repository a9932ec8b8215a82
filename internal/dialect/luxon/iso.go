package luxon

import (
	"math"
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
)

// The patterns of ISO 8601 texts. They share the groups of the time: hour, minute, second, fraction, Z, offset hours, offset minutes, zone.
const (
	isoTimePart = `(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,30}))?)?)?` +
		`(?:(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?(?:\[([A-Za-z_+-]+(?::?/[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)?)?)\])?)?`
	isoTimeTail = `(?:T` + isoTimePart + `)?$`
)

var (
	isoDate    = regexp.MustCompile(`^([+-]\d{6}|\d{4})(?:-?(\d\d)(?:-?(\d\d))?)?` + isoTimeTail)
	isoWeek    = regexp.MustCompile(`^(\d{4})-?W(\d\d)(?:-?(\d))?` + isoTimeTail)
	isoOrdinal = regexp.MustCompile(`^(\d{4})-?(\d{3})` + isoTimeTail)
	isoTime    = regexp.MustCompile(`^` + isoTimePart + `$`)

	rfc2822 = regexp.MustCompile(`^(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s)?(\d{1,2})\s(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s` +
		`(\d{2,4})\s(\d\d):(\d\d)(?::(\d\d))?\s(?:(UT|GMT|[ECMP][SD]T)|([Zz])|(?:([+-]\d\d)(\d\d)))$`)
	rfcComment = regexp.MustCompile(`\([^()]*\)|[\n\t]`)
	rfcSpaces  = regexp.MustCompile(`\s\s+`)
)

// number adds a field if the text has it.
func (u units) number(name, digits string) {
	if digits != "" {
		u[name] = js.ParseInt(digits)
	}
}

// fraction is milliseconds from the digits after the point, cut off with the errors of floating point.
func fractionMillis(digits string) float64 {
	return math.Floor(js.ParseDecimal("0."+digits) * 1000)
}

// parseISO reads a date, a week date, a day of a year or a time of today.
func (l *Dates) parseISO(text string) *instant {
	if m := isoDate.FindStringSubmatch(text); m != nil {
		u := units{"month": 1, "day": 1}
		u.number("year", m[1])
		u.number("month", m[2])
		u.number("day", m[3])
		return l.isoTimeOf(u, m[4:])
	}
	if m := isoWeek.FindStringSubmatch(text); m != nil {
		u := units{}
		u.number("weekYear", m[1])
		u.number("weekNumber", m[2])
		u.number("weekday", m[3])
		return l.isoTimeOf(u, m[4:])
	}
	if m := isoOrdinal.FindStringSubmatch(text); m != nil {
		u := units{}
		u.number("year", m[1])
		u.number("ordinal", m[2])
		return l.isoTimeOf(u, m[3:])
	}
	if m := isoTime.FindStringSubmatch(text); m != nil {
		return l.isoTimeOf(units{}, m[1:])
	}
	return nil
}

// isoTimeOf reads the groups of isoTimePart.
func (l *Dates) isoTimeOf(u units, m []string) *instant {
	u["hour"], u["minute"], u["second"] = 0, 0, 0
	u.number("hour", m[0])
	u.number("minute", m[1])
	u.number("second", m[2])
	if m[3] != "" {
		u["millisecond"] = fractionMillis(m[3])
	}
	in := &instant{fields: u}
	switch { // the name wins, and the offset beside it is not even compared
	case m[7] != "":
		z := l.zones.named(m[7])
		in.zone = &z
	case m[4] != "" || m[5] != "":
		z := offsetZone(signedOffset(m[5], m[6]))
		in.zone = &z
	}
	return in
}

// parseRFC2822 reads the date of a mail. The words of American zones mean fixed offsets.
func (l *Dates) parseRFC2822(text string) *instant {
	text = rfcSpaces.ReplaceAllString(rfcComment.ReplaceAllString(text, " "), " ")
	m := rfc2822.FindStringSubmatch(js.TrimSpace(text))
	if m == nil {
		return nil
	}
	u := units{}
	if m[1] != "" {
		u["weekday"] = float64(strings.Index("MonTueWedThuFriSatSun", m[1])/3 + 1)
	}
	u.number("day", m[2])
	u["month"] = float64(strings.Index("JanFebMarAprMayJunJulAugSepOctNovDec", m[3])/3 + 1)
	u.number("year", m[4])
	if len(m[4]) == 2 {
		u["year"] = untruncateYear(u["year"])
	}
	u.number("hour", m[5])
	u.number("minute", m[6])
	u.number("second", m[7])
	z := offsetZone(signedOffset(m[10], m[11]))
	if zone := m[8]; zone != "" {
		z = offsetZone(mailZone(zone))
	}
	return &instant{fields: u, zone: &z}
}

// mailZone is the offset of a zone of RFC 822. UT has none that Luxon knows.
func mailZone(name string) float64 {
	switch name {
	case "UT":
		return math.NaN()
	case "GMT":
		return 0
	}
	hours := float64(strings.IndexByte("ECMP", name[0]) + 5)
	if name[1] == 'D' {
		hours--
	}
	return -hours * 60
}

// untruncateYear guesses the century of a year with two digits.
func untruncateYear(year float64) float64 {
	switch {
	case year > 99:
		return year
	case year > 60:
		return 1900 + year
	}
	return 2000 + year
}
