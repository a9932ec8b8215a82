package locale

import (
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// Pattern finds the pattern of a key. What the table does not have is put together from a date and a time.
func (l *Data) Pattern(key string) string {
	if pattern, ok := l.Formats[key]; ok {
		return pattern
	}
	if simple := strings.NewReplacer("m2", "m1", "s2", "s1").Replace(key); simple != key && strings.Contains(key, "h") {
		return l.Pattern(simple) // beside an hour both have two digits anyway, in most languages
	}
	if base, ok := strings.CutSuffix(key, "h24"); ok {
		return strings.NewReplacer("{HH}", "{kk}", "{H}", "{kk}").Replace(l.Pattern(base + "h23"))
	}
	if zone := strings.Index(key, "z"); zone > 0 {
		return l.Pattern(key[:zone]+key[zone+2:]) + map[byte]string{'3': " {z}", '4': " {zzzz}"}[key[zone+1]]
	}
	if hour := strings.IndexByte(key, 'h'); hour > 0 && hour < len(key)-2 {
		return l.Pattern(key[:hour]) + l.glue(strings.Contains(key, "M4")) + l.Pattern(key[hour:])
	}
	for _, cycle := range []string{"h11", "h12", "h23"} {
		if base, ok := strings.CutSuffix(key, cycle); ok && base != "" {
			return l.Pattern(base)
		}
	}
	return l.plain(key)
}

// glue is the text between a date and a time. Languages with a word for it use it after the long name of a month.
func (l *Data) glue(longMonth bool) string {
	style := "medium"
	if longMonth {
		style = "long"
	}
	both, ok := strings.CutPrefix(l.Formats["ds-"+style+"ts-short"], l.Formats["ds-"+style])
	between, found := strings.CutSuffix(both, l.Formats["ts-short"])
	if !ok || !found || between == "" {
		return ", "
	}
	return between
}

// plain strings the fields of a key together.
func (l *Data) plain(key string) string {
	letters := map[string]string{
		"y1": "{y}", "y2": "{yy}", "M1": "{M}", "M2": "{MM}", "M3": "{MMM}", "M4": "{MMMM}", "M5": "{MMMMM}", "d1": "{d}",
		"d2": "{dd}", "E3": "{EEE}", "E4": "{EEEE}", "E5": "{EEEEE}", "h1": "{HH}", "h2": "{HH}", "m1": "{mm}", "m2": "{mm}", "s1": "{ss}", "s2": "{ss}",
	}
	var parts []string
	for ; len(key) >= 2; key = key[2:] {
		parts = append(parts, letters[key[:2]])
	}
	return strings.Join(parts, " ")
}

// HourCycle is the end of a key that asks for 12 or 24 hours. Languages that are used to 12 hours count the others from 1 to 24.
func (l *Data) HourCycle(options jsonata.Value) string {
	if twelve := js.Field(options, "hour12"); twelve != nil {
		switch {
		case js.IsTrue(twelve):
			return "h12"
		case strings.Contains(l.Pattern("h1m1"), "{h"):
			return "h24"
		}
		return "h23"
	}
	if cycle := js.Field(options, "hourCycle"); cycle != nil {
		return js.Text(cycle)
	}
	return ""
}
