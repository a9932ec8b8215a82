package picture

import (
	"math"
	"strings"
	"time"
)

// isoTime is ISO 8601 text taken apart.
type isoTime struct {
	year, month, day     int
	hour, minute, second int
	fraction, zone       string
	hasTime              bool
}

// parseISO reads ISO 8601 text. What has the shape of a time stamp but names no
// time, like month 13, is NaN; the rest fails with D3110.
//
// A time without a zone is UTC. The reference passes the text on to Date.parse,
// which V8 reads leniently: combinations that are neither ISO 8601 nor a date
// with a Z, such as a zone without a time, are NaN here and arbitrary there.
func parseISO(text string) (float64, error) {
	t, ok := scanISO(text)
	if !ok {
		return 0, fail("D3110", text)
	}
	return t.millis(), nil
}

func scanISO(text string) (isoTime, bool) {
	t := isoTime{month: 1, day: 1}
	s := &isoScanner{rest: text}
	if !s.digits("0000", &t.year) {
		return t, false
	}
	s.digits("-10", &t.month)
	s.digits("-30", &t.day)
	t.hasTime = s.time(&t)
	if after, ok := strings.CutPrefix(s.rest, "."); ok {
		n := len(after) - len(strings.TrimLeft(after, "0123456789"))
		if n == 0 {
			return t, false
		}
		t.fraction, s.rest = after[:n], after[n:]
	}
	t.zone = s.rest
	return t, t.zone == "" || t.zone == "Z" || validZone(t.zone)
}

// validZone checks for a sign, two digits, an optional colon and two digits.
func validZone(zone string) bool {
	if zone[0] != '+' && zone[0] != '-' {
		return false
	}
	var ignored int
	s := &isoScanner{rest: strings.Replace(zone[1:], ":", "", 1)}
	return (len(zone) == 5 || len(zone) == 6 && zone[3] == ':') && s.digits("2050", &ignored) && s.rest == ""
}

type isoScanner struct{ rest string }

// digits reads fixed text: in the pattern the digits 1 to 5 allow digits up to
// themselves, 0 allows any, other characters stand for themselves. The value is
// only stored, and the text consumed, if all of it fits.
func (s *isoScanner) digits(pattern string, value *int) bool {
	if len(s.rest) < len(pattern) {
		return false
	}
	n := 0
	for i := range len(pattern) {
		p, c := pattern[i], s.rest[i]
		switch {
		case p < '0' || p > '5':
			if c != p {
				return false
			}
			continue
		case c < '0' || c > '9' || p != '0' && c > p:
			return false
		}
		n = 10*n + int(c-'0')
	}
	*value, s.rest = n, s.rest[len(pattern):]
	return true
}

func (s *isoScanner) time(t *isoTime) bool {
	trial := *s
	if trial.digits("T20", &t.hour) && trial.digits(":50", &t.minute) && trial.digits(":50", &t.second) {
		*s = trial
		return true
	}
	return false
}

func (t isoTime) millis() float64 {
	midnight := t.minute == 0 && t.second == 0 && strings.Trim(t.fraction, "0") == ""
	switch {
	case t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31,
		t.hour > 24 || t.hour == 24 && !midnight,
		!t.hasTime && (t.fraction != "" || len(t.zone) > 1):
		return math.NaN()
	}
	year := t.year
	if !t.hasTime && t.zone == "Z" && year < 100 {
		// Not ISO 8601, so V8 takes it for a date with a short year.
		if year += 1900; year < 1950 {
			year += 100
		}
	}
	ms := (t.fraction + "000")[:3]
	at := time.Date(year, time.Month(t.month), t.day, t.hour, t.minute, t.second, 0, time.UTC)
	millis := float64(at.UnixMilli()) + parseInt(ms)
	if len(t.zone) > 1 {
		hours, minutes := parseInt(t.zone[1:3]), parseInt(t.zone[len(t.zone)-2:])
		if hours > 23 {
			return math.NaN()
		}
		offset := (hours*60 + minutes) * millisPerMinute
		if t.zone[0] == '+' {
			offset = -offset
		}
		millis += offset
	}
	return millis
}
