// Package locale knows how languages write dates, numbers and distances in time. The facts are those of the Unicode CLDR 48.
package locale

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/jsonata"
)

// lines has one line for each language: its name in lower case, a space, and a JSON object with names and patterns.
//
//go:embed locales.txt
var lines string

// tagPattern matches what browsers accept as the name of a language.
var tagPattern = regexp.MustCompile(`^(?:[A-Za-z]{2,3}|[A-Za-z]{5,8})(?:-[A-Za-z0-9]{1,8})*$`)

// Data is what is known about one language.
type Data struct {
	name     string
	Digits   string                                `json:"digits"` // zero to nine, unless they are ASCII
	Minus    string                                `json:"minus"`
	Group    [3]string                             // separator, digits before the first one, digits of the groups further left
	Decimal  string                                `json:"decimal"`
	Months   map[string][]string                   `json:"months"`   // by long, short, narrow, and the same with Alone
	Weekdays map[string][]string                   `json:"weekdays"` // likewise, from Monday
	Periods  []string                              `json:"periods"`  // for each hour, or one for each half of the day
	Eras     map[string][]string                   `json:"eras"`
	Week     [2]float64                            `json:"week"` // first day, days in the first week
	GMT      []string                              `json:"gmt"`  // how an offset of 5 hours east and west is written
	UTC      [2]string                             `json:"utc"`  // short, long
	Formats  map[string]string                     `json:"formats"`
	Relative map[string]map[string]json.RawMessage `json:"relative"`
}

// English reports whether the language is a kind of English.
func (d *Data) English() bool { return strings.HasPrefix(d.name, "en") }

// GMTOffset writes an offset for people, like GMT+5:30.
func (d *Data) GMTOffset(offset float64, long bool) string {
	east, west := strings.TrimRight(d.GMT[0], "5\u200e"), strings.TrimRight(d.GMT[1], "5\u200e")
	prefix := east
	if offset < 0 {
		offset, prefix = -offset, west
	}
	seconds := int(offset*60 + 0.5)
	h, m, s := seconds/3600, seconds/60%60, seconds%60
	var text string
	switch {
	case long:
		text = fmt.Sprintf("%02d:%02d", h, m)
	case m == 0 && s == 0:
		text = strconv.Itoa(h)
	default:
		text = fmt.Sprintf("%d:%02d", h, m)
	}
	if s != 0 {
		text += fmt.Sprintf(":%02d", s)
	}
	return prefix + text
}

// NamesOf returns names for formatting, or for standing alone if alone is set.
func NamesOf(names map[string][]string, length string, alone bool) []string {
	if alone && names[length+"Alone"] != nil {
		return names[length+"Alone"]
	}
	return names[length]
}

// Period is AM or PM in the language, for an hour.
func (d *Data) Period(hour int) string {
	if len(d.Periods) == 24 {
		return d.Periods[hour]
	}
	return d.Periods[hour/12]
}

// Table finds and decodes languages. Each is decoded once, when it is first used.
type Table struct {
	mu    sync.Mutex
	cache map[string]*Data
}

// Find returns the best data for a language tag: its own, that of the language without the region, or American English.
func (t *Table) Find(tag string) *Data {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, _, _ := strings.Cut(strings.ToLower(tag), "-u-")
	switch {
	case strings.HasPrefix(key, "zh-hant"):
		key = "zh-tw"
	case key == "en":
		key = "en-us"
	case key == "no" || strings.HasPrefix(key, "no-"):
		key = "nb"
	}
	for {
		if d := t.decode(key); d != nil {
			return d
		}
		cut := strings.LastIndexByte(key, '-')
		if cut < 0 {
			return t.decode("en-us")
		}
		if key = key[:cut]; key == "en" {
			key = "en-us"
		}
	}
}

func (t *Table) decode(key string) *Data {
	if d, ok := t.cache[key]; ok {
		return d
	}
	_, line, found := strings.Cut("\n"+lines, "\n"+key+" ")
	if !found {
		return nil
	}
	line, _, _ = strings.Cut(line, "\n")
	d := &Data{name: key}
	if err := json.Unmarshal([]byte(line), d); err != nil {
		return nil // a test decodes every line
	}
	if t.cache == nil {
		t.cache = map[string]*Data{}
	}
	t.cache[key] = d
	return d
}

// Locale is how a date-time shows itself. The zero value is American English. It is comparable.
type Locale struct {
	tag       string // as given; empty means the default
	Numbering string // a numbering system, if one was asked for
	Calendar  string // carried along, but only the Gregorian calendar is written
	Table     *Table
}

// Name is the locale field of a date-time.
func (l Locale) Name() string {
	if l.tag == "" {
		return "en-US"
	}
	return l.tag
}

// Data is what is known about the language.
func (l Locale) Data() *Data { return l.Table.Find(l.Name()) }

// English reports whether names are the fixed English ones of the format tokens.
func (l Locale) English() bool {
	lower := strings.ToLower(l.Name())
	return (lower == "en" || lower == "en-us") && (l.Numbering == "" || l.Numbering == "latn")
}

// WeekRule is where weeks start in the language's country.
func (l Locale) WeekRule() calendar.WeekRule {
	week := l.Data().Week
	return calendar.WeekRule{FirstDay: week[0], MinDays: week[1]}
}

// NumberingZeros are the zeros of the numbering systems that can be asked for by name. The other digits follow them.
func NumberingZeros() map[string]rune {
	return map[string]rune{
		"arab": 0x660, "arabext": 0x6f0, "bali": 0x1b50, "beng": 0x9e6, "deva": 0x966, "fullwide": 0xff10, "gujr": 0xae6,
		"khmr": 0x17e0, "knda": 0xce6, "laoo": 0xed0, "limb": 0x1946, "mlym": 0xd66, "mong": 0x1810, "mymr": 0x1040, "orya": 0xb66,
		"tamldec": 0xbe6, "telu": 0xc66, "thai": 0xe50, "tibt": 0xf20,
	}
}

// ChineseDigits are the digits of the one system whose digits do not follow each other.
const ChineseDigits = "〇一二三四五六七八九"

// NumberingDigits are the digits of a numbering system other than the ASCII ones.
func NumberingDigits(system string) (string, bool) {
	if system == "hanidec" {
		return ChineseDigits, true
	}
	zero, ok := NumberingZeros()[system]
	if !ok {
		return "", false
	}
	digits := make([]rune, 10)
	for i := range digits {
		digits[i] = zero + rune(i)
	}
	return string(digits), true
}

// digits are the ten digits of the locale, empty for ASCII.
func (l Locale) digits() string {
	if l.Numbering != "" {
		digits, _ := NumberingDigits(l.Numbering)
		return digits
	}
	return l.Data().Digits
}

// grouped writes a number with separators between thousands, as the language does.
func (l Locale) grouped(n float64) string {
	group, text := l.Data().Group, jsonata.FormatNumber(n)
	whole, decimals, _ := strings.Cut(text, ".")
	first, size := 3, int(js.ParseNumber(group[2]))
	if len(whole) >= first+int(js.ParseNumber(group[1])) {
		for at := len(whole) - first; at > 0; at -= size {
			whole = whole[:at] + "\x00" + whole[at:]
		}
	}
	if decimals != "" {
		whole += "." + decimals
	}
	return strings.ReplaceAll(l.localize(whole), "\x00", group[0])
}

// Number writes n with at least width digits before the point and at most three after it.
func (l Locale) Number(n float64, width int) string {
	text := PadNumber(RoundTo(n, 3), width)
	if l.digits() == "" {
		return text
	}
	return l.localize(text)
}

// localize replaces the characters of a number by those of the language.
func (l Locale) localize(text string) string {
	data, digits := l.Data(), []rune(l.digits())
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9' && len(digits) > 0:
			b.WriteRune(digits[r-'0'])
		case r == '-' && data.Minus != "":
			b.WriteString(data.Minus)
		case r == '.' && data.Decimal != "":
			b.WriteString(data.Decimal)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// With applies the members locale, numberingSystem and outputCalendar of an options object.
func (l Locale) With(options jsonata.Value) (Locale, error) {
	if v := js.Field(options, "locale"); js.IsTrue(v) {
		l.tag = js.Text(v)
	}
	if v := js.Field(options, "numberingSystem"); js.IsTrue(v) {
		l.Numbering = js.Text(v)
	}
	if v := js.Field(options, "outputCalendar"); js.IsTrue(v) {
		l.Calendar = js.Text(v)
	}
	return l, l.check()
}

// check rejects what is not a language tag. An unknown language is accepted and shown as English.
func (l Locale) check() error {
	if !tagPattern.MatchString(l.Name()) {
		return js.ArgumentError("Incorrect locale information provided")
	}
	return nil
}
