package qs

import (
	"strings"
	"unicode/utf16"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// queryWriter writes an object as a query string.
type queryWriter struct {
	call           *jsonata.Call
	arrayFormat    string // indices, brackets, repeat or comma
	encode         bool
	valuesOnly     bool // encode values but not names
	skipNulls      bool
	bareNulls      bool // a null is its name without an equals sign
	dots           bool // a.b instead of a[b]
	encodeDots     bool // dots within names become %2E
	emptyArrays    bool // an empty array is name[]
	bracketSingles bool // with the comma format, an array of one gets brackets
	plusSpaces     bool // a space is a plus sign, and parentheses are not escaped
	latin1         bool
	out            []string
	only           []jsonata.Value // if not nil, the keys to write, at every level
	onlySet        bool
}

// stringifyFunction implements $stringifyQuery(object, options).
func stringifyFunction(c *jsonata.Call) (jsonata.Value, error) {
	if err := js.Visit(c, c.Arg(1)); err != nil {
		return nil, err
	}
	options := optionsOf(c.Arg(1))
	w := queryWriter{call: c}
	if err := w.configure(options); err != nil {
		return nil, err
	}
	if !js.IsComposite(c.Arg(0)) {
		return "", nil
	}
	if err := w.members(js.Entries(c.Arg(0)), w.topLevelName); err != nil {
		return nil, err
	}
	joined := strings.Join(w.out, options.text("delimiter", "&"))
	if joined == "" {
		return "", nil
	}
	return w.prefix(options) + joined, nil
}

// configure reads the options. They fail as in the library that defines them: only some are checked.
func (w *queryWriter) configure(options options) error {
	for _, name := range []string{"allowEmptyArrays", "encodeDotInKeys", "commaRoundTrip"} {
		if err := options.mustBeBool(name); err != nil {
			return err
		}
	}
	charset, err := options.charset()
	if err != nil {
		return err
	}
	format := options.text("format", "RFC3986")
	if format != "RFC1738" && format != "RFC3986" {
		return js.ArgumentError("Unknown format option provided.")
	}
	w.latin1 = charset == latin1
	w.plusSpaces = format == "RFC1738"
	w.arrayFormat = options.arrayFormat()
	w.encode = options.flag("encode", true)
	w.valuesOnly = options.flag("encodeValuesOnly", false)
	w.skipNulls = options.flag("skipNulls", false)
	w.bareNulls = options.flag("strictNullHandling", false)
	w.encodeDots = options.flag("encodeDotInKeys", false)
	w.dots = options.dots(w.encodeDots)
	w.emptyArrays = options.flag("allowEmptyArrays", false)
	w.bracketSingles = w.arrayFormat == "comma" && options.flag("commaRoundTrip", false)
	if list, ok := options.get("filter").(*jsonata.Array); ok {
		w.only, w.onlySet = list.Items(), true
	}
	return nil
}

func (w *queryWriter) prefix(options options) string {
	prefix := ""
	if options.flag("addQueryPrefix", false) {
		prefix = "?"
	}
	if options.flag("charsetSentinel", false) {
		if w.latin1 {
			return prefix + latin1Sentinel + options.text("delimiter", "&")
		}
		return prefix + utf8Sentinel + options.text("delimiter", "&")
	}
	return prefix
}

func (w *queryWriter) topLevelName(key string) string { return key }

// members writes the members of an object or array; name makes the name of each.
func (w *queryWriter) members(o *jsonata.Object, name func(key string) string) error {
	if !w.onlySet {
		for key, v := range o.All() {
			if err := w.member(name(key), v); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range w.only {
		if js.IsNullish(key) {
			continue
		}
		v, _ := o.Get(js.Text(key))
		if err := w.member(name(js.Text(key)), v); err != nil {
			return err
		}
	}
	return nil
}

func (w *queryWriter) member(name string, v jsonata.Value) error {
	if _, isNull := v.(jsonata.Null); isNull && w.skipNulls {
		return nil
	}
	return w.value(name, v, w.encode)
}

// value writes one value under its name. encode tells whether it still has to be encoded.
func (w *queryWriter) value(name string, v jsonata.Value, encode bool) error {
	if err := w.call.Step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil, *jsonata.Function:
		return nil
	case jsonata.Null:
		if w.bareNulls {
			return w.add(w.format(w.name(name, encode)))
		}
		return w.pair(name, "", encode)
	case *jsonata.Array:
		return w.array(name, v)
	case *jsonata.Object, js.Enumerable:
		return w.members(js.Entries(v), func(key string) string { return w.nested(name, key) })
	}
	return w.pair(name, js.Text(v), encode)
}

func (w *queryWriter) pair(name, value string, encode bool) error {
	if err := w.call.Step((len(name) + len(value)) / 16); err != nil {
		return err
	}
	if encode {
		value = w.escape(value)
	}
	return w.add(w.format(w.name(name, encode)) + "=" + w.format(value))
}

func (w *queryWriter) add(part string) error {
	w.out = append(w.out, part)
	return w.call.Grow(len(part))
}

func (w *queryWriter) name(name string, encode bool) string {
	if encode && !w.valuesOnly {
		return w.escape(name)
	}
	return name
}

// nested is the name of a member of an object.
func (w *queryWriter) nested(name, key string) string {
	if w.encodeDots {
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	if !w.dots {
		return name + "[" + key + "]"
	}
	if w.encodeDots {
		key = strings.ReplaceAll(key, ".", "%2E")
	}
	return name + "." + key
}

func (w *queryWriter) array(name string, a *jsonata.Array) error {
	if w.encodeDots {
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	if w.bracketSingles && a.Len() == 1 {
		name += "[]"
	}
	switch {
	case a.Len() == 0 && w.emptyArrays:
		return w.add(name + "[]")
	case w.arrayFormat == "comma":
		return w.commaArray(name, a)
	}
	return w.members(js.Indexed(a.Items()), func(key string) string {
		switch w.arrayFormat {
		case "brackets":
			return name + "[]"
		case "repeat":
			return name
		}
		return name + "[" + key + "]"
	})
}

// commaArray writes the items as one value. With valuesOnly the commas between encoded items stay unchanged.
func (w *queryWriter) commaArray(name string, a *jsonata.Array) error {
	if a.Len() == 0 {
		return nil
	}
	items := a.Items()
	encode := w.encode
	if w.valuesOnly && encode {
		encode = false
		items = make([]jsonata.Value, a.Len())
		for i, item := range a.Items() {
			items[i] = item
			if !js.IsNullish(item) {
				items[i] = w.escape(js.Text(item))
			}
		}
	}
	if err := js.GrowText(w.call, len(items), items...); err != nil {
		return err
	}
	if text := js.Join(items, ","); text != "" {
		return w.value(name, text, encode)
	}
	if w.skipNulls {
		return nil
	}
	return w.value(name, jsonata.Null{}, encode)
}

func (w *queryWriter) format(s string) string {
	if w.plusSpaces {
		return strings.ReplaceAll(s, "%20", "+")
	}
	return s
}

// escape percent-encodes everything but unreserved characters.
func (w *queryWriter) escape(s string) string {
	if w.latin1 {
		return escapeLatin1(s)
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isUnreserved(c) || (w.plusSpaces && (c == '(' || c == ')')) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strings.IndexByte("-._~", c) >= 0
}

// escapeLatin1 encodes Latin-1 characters as one byte and others as numeric character references.
func escapeLatin1(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		switch {
		case unit < 0x80 && (isUnreserved(byte(unit)) && unit != '~' || strings.IndexByte("@*+/", byte(unit)) >= 0):
			b.WriteByte(byte(unit))
		case unit < 0x100:
			b.WriteByte('%')
			b.WriteByte(hex[unit>>4])
			b.WriteByte(hex[unit&15])
		default:
			b.WriteString("%26%23" + jsonata.FormatNumber(float64(unit)) + "%3B")
		}
	}
	return b.String()
}
