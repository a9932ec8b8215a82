package luxon

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// formatToken is a run of one letter of a format, or literal text.
type formatToken struct {
	text    string
	literal bool
}

// splitFormat splits a format into tokens. Text in quotes is literal, and so is white space.
func splitFormat(format string) []formatToken {
	var tokens []formatToken
	var run strings.Builder
	var last rune
	quoted := false
	flush := func() {
		if run.Len() > 0 {
			tokens = append(tokens, formatToken{run.String(), quoted || js.TrimSpace(run.String()) == ""})
			run.Reset()
		}
	}
	for _, r := range format {
		switch {
		case r == '\'':
			flush()
			quoted, last = !quoted, 0
			continue
		case !quoted && r != last:
			flush()
		}
		run.WriteRune(r)
		last = r
	}
	flush()
	return tokens
}

// formatter writes one date-time.
type formatter struct {
	d      dateTime
	allowZ bool // Z instead of +00:00
	simple bool // ASCII digits in every language
	weeks  calendar.WeekDate
}

// formatterFor writes d in a language, but numbers its weeks as its own language does.
func formatterFor(d dateTime, loc locale.Locale) formatter {
	return formatter{d: d.inLocale(loc), weeks: d.loc.WeekRule().WeekOf(d.civil)}
}

// format fills in the tokens of a format. Letters that mean nothing are kept.
func (f formatter) format(format string) string {
	var b strings.Builder
	for _, token := range splitFormat(format) {
		if token.literal {
			b.WriteString(token.text)
		} else {
			b.WriteString(f.token(token.text))
		}
	}
	return b.String()
}

func (f formatter) token(token string) string {
	if text, ok := f.name(token); ok {
		return text
	}
	if n, width, ok := f.number(token); ok {
		if f.simple {
			return locale.PadNumber(n, width)
		}
		return f.d.loc.Number(n, width)
	}
	if key, ok := macroKey(token); ok {
		return f.d.localized(key)
	}
	return token
}

// number is the value of a numeric token and its least number of digits.
func (f formatter) number(token string) (float64, int, bool) {
	if n, width, ok := f.clockNumber(token); ok {
		return n, width, true
	}
	c := f.d.civil
	switch token {
	case "d", "dd":
		return c.Day, len(token), true
	case "c", "E":
		return f.d.weekday(), 0, true
	case "L", "LL", "M", "MM":
		return c.Month, len(token), true
	case "y":
		return c.Year, 0, true
	case "yy":
		return lastTwo(c.Year), 2, true
	case "yyyy", "yyyyyy":
		return c.Year, len(token), true
	case "kk":
		return lastTwo(f.d.week().Year), 2, true
	case "kkkk":
		return f.d.week().Year, 4, true
	case "W", "WW":
		return f.d.week().Week, len(token), true
	case "n", "nn":
		return f.weeks.Week, len(token), true
	case "ii":
		return lastTwo(f.weeks.Year), 2, true
	case "iiii":
		return f.weeks.Year, 4, true
	case "o", "ooo":
		return f.d.ordinal(), len(token), true
	case "q", "qq":
		return f.d.quarter(), len(token), true
	}
	return 0, 0, false
}

// clockNumber is number for the time of day and the time since 1970.
func (f formatter) clockNumber(token string) (float64, int, bool) {
	c := f.d.civil
	switch token {
	case "S":
		return c.Millisecond, 0, true
	case "u", "SSS":
		return c.Millisecond, 3, true
	case "uu":
		return math.Floor(c.Millisecond / 10), 2, true
	case "uuu":
		return math.Floor(c.Millisecond / 100), 0, true
	case "s", "ss":
		return c.Second, len(token), true
	case "m", "mm":
		return c.Minute, len(token), true
	case "h", "hh":
		return math.Mod(c.Hour+11, 12) + 1, len(token), true
	case "H", "HH":
		return c.Hour, len(token), true
	case "X":
		return math.Floor(f.d.ms / 1000), 0, true
	case "x":
		return f.d.ms, 0, true
	}
	return 0, 0, false
}

// lastTwo is the number that the last two characters of a year are.
func lastTwo(year float64) float64 {
	text := jsonata.FormatNumber(year)
	return js.ParseNumber(text[max(0, len(text)-2):])
}

// name is the text of the tokens for names and zones.
func (f formatter) name(token string) (string, bool) {
	c := f.d.civil
	switch token {
	case "Z", "ZZ", "ZZZ":
		return f.offset(offsetStyle(len(token) - 1)), true
	case "ZZZZ", "ZZZZZ":
		return f.d.zone.offsetName(f.d.ms, len(token) == 5, f.d.loc), true
	case "z":
		return f.d.zone.name(), true
	case "a":
		if f.d.loc.English() {
			return [2]string{"AM", "PM"}[boolIndex(c.Hour >= 12)], true
		}
		return f.d.loc.Data().Period(int(c.Hour)), true
	case "ccc", "cccc", "ccccc":
		return f.d.weekdayName(lengthOf(token), true), true
	case "EEE", "EEEE", "EEEEE":
		return f.d.weekdayName(lengthOf(token), false), true
	case "LLL", "LLLL", "LLLLL":
		return f.d.monthName(lengthOf(token), true), true
	case "MMM", "MMMM", "MMMMM":
		return f.d.monthName(lengthOf(token), false), true
	case "G", "GG", "GGGGG":
		return f.d.era(map[int]string{1: "short", 2: "long", 5: "narrow"}[len(token)]), true
	}
	return "", false
}

func (f formatter) offset(style offsetStyle) string {
	if f.allowZ && f.d.zone.kind == zoneFixed && f.d.offset == 0 {
		return "Z"
	}
	return formatOffset(f.d.zone.offset(f.d.ms), style)
}

// lengthOf is which kind of name a run of three to five letters asks for.
func lengthOf(token string) string {
	return [3]string{"short", "long", "narrow"}[len(token)-3]
}

// monthName is the name of the month, for use with a day or alone.
func (d dateTime) monthName(length string, alone bool) string {
	return locale.NamesOf(d.nameData().Months, length, alone)[int(d.civil.Month)-1]
}

func (d dateTime) weekdayName(length string, alone bool) string {
	return locale.NamesOf(d.nameData().Weekdays, length, alone)[int(d.weekday())-1]
}

func (d dateTime) era(length string) string {
	current := d.civil.Year > 0 || d.loc.English() && d.civil.Year == 0 // the English names are off by one year
	return d.nameData().Eras[length][boolIndex(current)]
}

func (d dateTime) nameData() *locale.Data {
	if d.loc.English() {
		return d.loc.Table.Find("en-us")
	}
	return d.loc.Data()
}
