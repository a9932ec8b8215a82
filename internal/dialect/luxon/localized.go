package luxon

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// A localized format is looked up by a key that names its fields and their styles: y1M3d1 is a numeric year, a short month and a numeric
// day. The styles are 1 numeric, 2 two digits, 3 short, 4 long, 5 narrow.

// macroKey is the key of a format token that means a whole localized format.
func macroKey(token string) (string, bool) {
	const longDate = "E4y1M4d1"
	key, ok := map[string]string{
		"D": "y1M1d1", "DD": "y1M3d1", "DDD": "y1M4d1", "DDDD": longDate,
		"t": "h1m1", "tt": "h1m1s1", "ttt": "h1m1s1z3", "tttt": "h1m1s1z4",
		"T": "h1m1h23", "TT": "h1m1s1h23", "TTT": "h1m1s1z3h23", "TTTT": "h1m1s1z4h23",
		"f": "y1M1d1h1m1", "ff": "y1M3d1h1m1", "fff": "y1M4d1h1m1z3", "ffff": longDate + "h1m1z4",
		"F": "y1M1d1h1m1s1", "FF": "y1M3d1h1m1s1", "FFF": "y1M4d1h1m1s1z3", "FFFF": longDate + "h1m1s1z4",
	}[token]
	return key, ok
}

// fieldPattern matches a field of a localized pattern.
var fieldPattern = regexp.MustCompile(`\{(\w+)\}`)

// localized writes the date-time in the format of its language. Browsers replace narrow spaces, but only where they know the zone.
func (d dateTime) localized(key string) string {
	text := fieldPattern.ReplaceAllStringFunc(d.loc.Data().Pattern(key), func(field string) string {
		return d.localizedField(field[1 : len(field)-1])
	})
	if !d.zone.substituted() {
		text = strings.ReplaceAll(text, "\u202f", " ")
	}
	return text
}

func (d dateTime) localizedField(field string) string {
	f := formatterFor(d, d.loc)
	switch field {
	case "y", "yy":
		year := d.civil.Year
		if year <= 0 { // there is no year 0 in the calendar of people
			year = 1 - year
		}
		if field == "yy" {
			return d.loc.Number(lastTwo(year), 2)
		}
		return d.loc.Number(year, 0)
	case "K", "KK":
		return d.loc.Number(math.Mod(d.civil.Hour, 12), len(field))
	case "k", "kk":
		return d.loc.Number(math.Mod(d.civil.Hour+23, 24)+1, len(field))
	case "z", "zzzz":
		return d.localizedZone(field == "zzzz")
	case "EEEEwithDate":
		return d.weekdayName("withDate", false)
	}
	return f.token(field)
}

// localizedZone names the zone. Offsets of whole hours are zones of their own to browsers, others keep their name.
func (d dateTime) localizedZone(long bool) string {
	switch {
	case d.zone.kind != zoneFixed:
		return d.zone.offsetName(d.ms, long, d.loc)
	case d.zone.substituted():
		return d.zone.name()
	}
	return d.loc.Data().GMTOffset(d.zone.fixed, long)
}

// substituted tells whether browsers have no zone for this one, so that its time is written as one of UTC.
func (z zone) substituted() bool {
	hours := z.fixed / 60
	return z.kind == zoneFixed && (hours == 0 || !js.IsWhole(hours) || hours < -12 || hours > 14)
}

// formatKey reads the options of a localized format.
func formatKey(options jsonata.Value, l *locale.Data) (string, error) {
	var key strings.Builder
	dateStyle, timeStyle := js.Field(options, "dateStyle"), js.Field(options, "timeStyle")
	var dated, timed bool
	for _, f := range []struct{ name, letter, styles string }{
		{"weekday", "E", "345"},
		{"year", "y", "12"},
		{"month", "M", "12345"},
		{"day", "d", "12"},
		{"hour", "h", "12"},
		{"minute", "m", "12"},
		{"second", "s", "12"},
		{"timeZoneName", "z", "34"},
	} {
		v := js.Field(options, f.name)
		if v == nil {
			continue
		}
		if dateStyle != nil || timeStyle != nil {
			return "", js.ArgumentError("Can't set option %s when %s is used", f.name, styleName(dateStyle))
		}
		style := slices.Index([]string{"", "numeric", "2-digit", "short", "long", "narrow"}, js.Text(v))
		digit := strconv.Itoa(style)
		if style < 1 || !strings.Contains(f.styles, digit) {
			return "", js.ArgumentError("Value %s out of range for Intl.DateTimeFormat options property %s", js.Text(v), f.name)
		}
		timed = timed || strings.ContainsAny(f.letter, "hms")
		dated = dated || strings.ContainsAny(f.letter, "EyMd")
		if f.letter == "z" && !dated && !timed {
			key.WriteString("y1M1d1")
		}
		key.WriteString(f.letter + digit)
	}
	if dateStyle != nil {
		key.WriteString("ds-" + js.Text(dateStyle))
	}
	if timeStyle != nil {
		key.WriteString("ts-" + js.Text(timeStyle))
	}
	if key.Len() == 0 {
		return "y1M1d1", nil
	}
	if js.Field(options, "hour") != nil {
		key.WriteString(l.HourCycle(options))
	}
	return key.String(), nil
}

func styleName(dateStyle jsonata.Value) string {
	if dateStyle != nil {
		return "dateStyle"
	}
	return "timeStyle"
}

// toLocaleString writes the date-time in its language with the options of Intl.DateTimeFormat.
func (d dateTime) toLocaleString(options, language jsonata.Value) (string, error) {
	if !d.valid() {
		return "Invalid DateTime", nil
	}
	loc, err := d.loc.With(language)
	if err != nil {
		return "", err
	}
	if v := js.Field(options, "timeZone"); v != nil {
		z := d.lux.zones.named(js.Text(v))
		if !z.valid() {
			return "", js.ArgumentError("Invalid time zone specified: %s", js.Text(v))
		}
		d = d.setZone(z, false)
	}
	if js.IsNullish(options) {
		return d.inLocale(loc).localized("y1M1d1"), nil
	}
	key, err := formatKey(options, loc.Data())
	if err != nil {
		return "", err
	}
	return d.inLocale(loc).localized(key), nil
}
