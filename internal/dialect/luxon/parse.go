package luxon

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
)

// parseUnit is how one token of a format reads its part of a text.
type parseUnit struct {
	pattern string // without a group around it
	key     byte   // the letter of the token; zero for literal text
	names   []string
	first   float64 // the number of the first name
	offset  bool    // the pattern has groups for hours and minutes
	century bool    // a year of two digits is completed
	text    bool    // digits of a fraction
}

// parsed is what the tokens of one letter read. The last token of a letter wins.
type parsed struct {
	number float64
	text   string
}

// parseFormat reads a text by a format. It returns nil if the text does not fit.
func (l *Dates) parseFormat(text, format string, loc locale.Locale) (*instant, error) {
	loc.Table = &l.locales
	var pattern strings.Builder
	var parts []parseUnit
	pattern.WriteString("(?i)^")
	for _, token := range expandMacros(splitFormat(format), loc) {
		unit := unitFor(token, loc)
		pattern.WriteString("(" + unit.pattern + ")")
		parts = append(parts, unit)
	}
	pattern.WriteString("$")
	re, err := regexp.Compile(pattern.String())
	if err != nil {
		return nil, fmt.Errorf("format %q: %w", format, err)
	}
	groups := re.FindStringSubmatch(text)
	if groups == nil {
		return nil, nil //nolint:nilnil // nothing found is not an error
	}
	found, order := readGroups(parts, groups[1:])
	_, meridiem := found['a']
	if _, hour := found['H']; meridiem && hour {
		return nil, js.ArgumentError("Can't include meridiem when specifying 24-hour format")
	}
	return l.instantOf(found, order), nil
}

func readGroups(parts []parseUnit, groups []string) (map[byte]parsed, []byte) {
	found := map[byte]parsed{}
	var order []byte
	for _, unit := range parts {
		if unit.key != 0 {
			if _, again := found[unit.key]; !again {
				order = append(order, unit.key)
			}
			found[unit.key] = unit.read(groups)
		}
		groups = groups[1:]
		if unit.offset {
			groups = groups[2:]
		}
	}
	return found, order
}

func (u parseUnit) read(groups []string) parsed {
	text := groups[0]
	switch {
	case u.offset:
		return parsed{number: signedOffset(groups[1], groups[2])}
	case u.names != nil:
		for i, name := range u.names {
			if plainName(name) == plainName(text) {
				return parsed{number: float64(i) + u.first}
			}
		}
		return parsed{number: u.first - 1}
	case u.text:
		return parsed{text: text}
	case u.century:
		return parsed{number: untruncateYear(parseDigits(text))}
	}
	return parsed{number: parseDigits(text)}
}

// plainName returns the form in which names are compared: without dots and case, with one kind of space.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "\u00a0", " ").Replace(name))
}

// parseDigits reads the digits of any numbering system.
func parseDigits(text string) float64 {
	n := 0.0
	for _, r := range text {
		n = n*10 + digitValue(r)
	}
	return n
}

func digitValue(r rune) float64 {
	if r >= '0' && r <= '9' {
		return float64(r - '0')
	}
	if i := strings.IndexRune(locale.ChineseDigits, r); i >= 0 {
		return float64(i / len("〇"))
	}
	for _, zero := range locale.NumberingZeros() {
		if r >= zero && r <= zero+9 {
			return float64(r - zero)
		}
	}
	return 0
}

// instantOf turns the values of the letters into fields and a zone.
func (l *Dates) instantOf(found map[byte]parsed, order []byte) *instant {
	in := &instant{fields: units{}}
	if v, ok := found['z']; ok {
		z := l.zones.named(v.text)
		in.zone = &z
	}
	if v, ok := found['Z']; ok {
		if in.zone == nil {
			z := offsetZone(v.number)
			in.zone = &z
		}
		in.offset = &v.number
	}
	field := map[byte]string{
		'S': "millisecond", 's': "second", 'm': "minute", 'h': "hour", 'H': "hour", 'd': "day", 'o': "ordinal", 'L': "month", 'M': "month",
		'y': "year", 'E': "weekday", 'c': "weekday", 'W': "weekNumber", 'k': "weekYear",
	}
	for _, key := range order {
		if name := field[key]; name != "" {
			in.fields[name] = found[key].number
		}
	}
	if v, ok := found['q']; ok {
		in.fields["month"] = (v.number-1)*3 + 1
	}
	if v, ok := found['u']; ok {
		in.fields["millisecond"] = fractionMillis(v.text)
	}
	if hour, ok := found['h']; ok {
		if half, ok := found['a']; ok && hour.number < 12 && half.number == 1 {
			in.fields["hour"] = hour.number + 12
		} else if ok && hour.number == 12 && half.number == 0 {
			in.fields["hour"] = 0
		}
	}
	if era, ok := found['G']; ok && era.number == 0 && in.fields["year"] != 0 {
		in.fields["year"] = -in.fields["year"]
	}
	return in
}

// unitFor says how a token reads. Letters that mean nothing here stand for themselves.
func unitFor(token formatToken, loc locale.Locale) parseUnit {
	if token.literal {
		return parseUnit{pattern: regexp.QuoteMeta(token.text)}
	}
	key := token.text[0]
	if least, most, ok := digitCount(token.text); ok {
		unit := parseUnit{pattern: digitPattern(loc, least, most), key: key}
		unit.century = token.text == "yy" || token.text == "kk"
		unit.text = key == 'u'
		return unit
	}
	if names, first := unitNames(token.text, loc); names != nil {
		return parseUnit{pattern: namesPattern(names), key: key, names: names, first: first}
	}
	two, oneOrTwo := digitPattern(loc, 2, 2), digitPattern(loc, 1, 2)
	switch token.text {
	case "Z", "ZZ":
		return parseUnit{pattern: "([+-]" + oneOrTwo + ")(?::(" + two + "))?", key: key, offset: true}
	case "ZZZ":
		return parseUnit{pattern: "([+-]" + oneOrTwo + ")(" + two + ")?", key: key, offset: true}
	case "z":
		return parseUnit{pattern: "[a-z_+-/]{1,256}?", key: key, text: true}
	case " ": // a space of a localized format, which may be of another kind in the text
		return parseUnit{pattern: `[\t\v\f \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}]`}
	}
	return parseUnit{pattern: regexp.QuoteMeta(token.text)}
}

// digitCount is how many digits a numeric token takes.
func digitCount(token string) (int, int, bool) {
	switch token {
	case "M", "L", "d", "H", "h", "m", "q", "s", "uu", "W":
		return 1, 2, true
	case "MM", "LL", "dd", "HH", "hh", "mm", "qq", "ss", "WW":
		return 2, 2, true
	case "y":
		return 1, 6, true
	case "yy", "kk":
		return 2, 4, true
	case "yyyy", "kkkk":
		return 4, 4, true
	case "yyyyy":
		return 4, 6, true
	case "yyyyyy":
		return 6, 6, true
	case "o", "S":
		return 1, 3, true
	case "ooo", "SSS":
		return 3, 3, true
	case "u":
		return 1, 9, true
	case "uuu", "E", "c":
		return 1, 1, true
	}
	return 0, 0, false
}

func digitPattern(loc locale.Locale, least, most int) string {
	class := `\d`
	if digits, ok := locale.NumberingDigits(loc.Numbering); ok {
		class = "[" + digits + "]"
	}
	return fmt.Sprintf("%s{%d,%d}", class, least, most)
}

// unitNames are the names a token accepts, and the number of the first.
func unitNames(token string, loc locale.Locale) ([]string, float64) {
	data := dateTime{loc: loc}.nameData()
	switch token {
	case "G":
		return data.Eras["short"], 0
	case "GG":
		return data.Eras["long"], 0
	case "MMM", "MMMM":
		return locale.NamesOf(data.Months, lengthOf(token), false), 1
	case "LLL", "LLLL":
		return locale.NamesOf(data.Months, lengthOf(token), true), 1
	case "EEE", "EEEE": // Luxon reads these as standing alone, and those of c with a date
		return locale.NamesOf(data.Weekdays, lengthOf(token), true), 1
	case "cccc":
		if names := data.Weekdays["withDate"]; names != nil {
			return names, 1
		}
		return locale.NamesOf(data.Weekdays, "long", false), 1
	case "ccc":
		return locale.NamesOf(data.Weekdays, "short", false), 1
	case "a":
		if loc.English() {
			return []string{"AM", "PM"}, 0
		}
		return []string{data.Period(9), data.Period(19)}, 0
	}
	return nil, 0
}

// namesPattern accepts any of the names, with or without their dots.
func namesPattern(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		name = strings.ReplaceAll(regexp.QuoteMeta(name), `\.`, `\.?`)
		quoted[i] = strings.NewReplacer(" ", "[ \u00a0]", "\u00a0", "[ \u00a0]").Replace(name)
	}
	return strings.Join(quoted, "|")
}

// expandMacros replaces the tokens of localized formats by those of their fields.
func expandMacros(tokens []formatToken, loc locale.Locale) []formatToken {
	var out []formatToken
	for _, token := range tokens {
		key, ok := macroKey(token.text)
		if token.literal || !ok {
			out = append(out, token)
			continue
		}
		pattern, rest := loc.Data().Pattern(key), 0
		for _, at := range fieldPattern.FindAllStringSubmatchIndex(pattern, -1) {
			out = appendText(out, pattern[rest:at[0]])
			out = append(out, formatToken{text: fieldToken(pattern[at[2]:at[3]], key)})
			rest = at[1]
		}
		out = appendText(out, pattern[rest:])
	}
	return out
}

// appendText adds the text between two fields. White space alone matches any white space.
func appendText(tokens []formatToken, text string) []formatToken {
	switch {
	case text == "":
		return tokens
	case js.TrimSpace(text) == "":
		return append(tokens, formatToken{text: " "})
	}
	return append(tokens, formatToken{text: text, literal: true})
}

// fieldToken is the token that reads a field of a localized format. It accepts the style that was asked for, whatever the language writes.
func fieldToken(field, key string) string {
	style := func(letter string) int { return int(key[strings.Index(key, letter)+1] - '0') }
	switch field[0] {
	case 'y':
		return "yyyyy"
	case 'M', 'L':
		return strings.Repeat("M", style("M"))
	case 'E', 'c':
		return strings.Repeat("E", style("E"))
	case 'h', 'K':
		return "h"
	case 'H', 'k':
		return "H"
	case 'z':
		return map[int]string{3: "ZZZ", 4: "ZZZZZ"}[style("z")]
	}
	return field[:1]
}
