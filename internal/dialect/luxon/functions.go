package luxon

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// Formats become regular expressions, whose size must have an end.
const (
	maxFormat   = 1000
	maxDateText = 10_000
)

// Functions parse dates, which may depend on today. Their results are objects with the fields and methods of a Luxon date-time.
func Functions() []jsonata.Func {
	l := &Dates{}
	return js.Bounded(
		jsonata.Func{Name: "dtFromIso", Params: 2, Call: l.fromISO, Volatile: true},
		jsonata.Func{Name: "dtFromFormat", Params: 3, Call: l.fromFormat, Volatile: true},
	)
}

// fromISO parses ISO 8601 in the zone of the server, and shows the time in the zone asked for.
func (l *Dates) fromISO(c *jsonata.Call) (jsonata.Value, error) {
	o := parseOptions{now: frozen(c), format: "ISO 8601", text: js.Text(c.Arg(0))}
	if err := c.Step(len(o.text) / 8); err != nil {
		return nil, err
	}
	d, err := l.resolve(l.isoOf(c.Arg(0), o.text), o)
	if err != nil {
		return nil, err
	}
	if js.IsTrue(c.Arg(1)) {
		d = d.setZone(l.zoneArgument(c.Arg(1)), false)
	}
	return d.value(nil)
}

// isoOf parses anything that has a text. Null and undefined have none.
func (l *Dates) isoOf(v jsonata.Value, text string) *instant {
	if js.IsNullish(v) {
		return nil
	}
	return l.parseISO(text)
}

// frozen is the time of the evaluation, read now because the result outlives the call.
func frozen(c *jsonata.Call) clock {
	now := float64(c.Now().UnixMilli())
	return func() float64 { return now }
}

// fromFormat parses a text by a format of tokens, or by one of the formats that have a name.
func (l *Dates) fromFormat(c *jsonata.Call) (jsonata.Value, error) {
	options := c.Arg(2)
	if _, null := options.(jsonata.Null); null {
		return nil, js.ArgumentError("Cannot read properties of null (reading 'locale')")
	}
	loc, err := locale.Locale{Table: &l.locales}.With(options)
	if err != nil {
		return nil, err
	}
	o := parseOptions{
		zone: l.zoneArgument(js.Field(options, "zone")), keep: js.IsTrue(js.Field(options, "setZone")), loc: loc, now: frozen(c), text: js.Text(c.Arg(0)),
	}
	if err := c.Step(len(o.text) / 8); err != nil {
		return nil, err
	}
	var in *instant
	switch format := c.Arg(1); format {
	case "ISO":
		o.format, in = "ISO 8601", l.isoOf(c.Arg(0), o.text)
	case "RFC2822":
		if _, ok := c.Arg(0).(string); !ok {
			return nil, js.ArgumentError("s.replace is not a function")
		}
		o.format, in = "RFC 2822", l.parseRFC2822(o.text)
	case "fromSeconds":
		return l.at(js.ParseInt(o.text)*1000, o.zone, loc, o.now).value(nil)
	default:
		if in, err = l.byTokens(c); err != nil {
			return nil, err
		}
		o.format = "format " + js.Text(format)
	}
	d, err := l.resolve(in, o)
	return d.value(err)
}

// byTokens parses with a format of the caller.
func (l *Dates) byTokens(c *jsonata.Call) (*instant, error) {
	if c.Arg(0) == nil || c.Arg(1) == nil {
		return nil, js.ArgumentError("fromFormat requires an input string and a format")
	}
	text, isText := c.Arg(0).(string)
	format, isFormat := c.Arg(1).(string)
	switch {
	case !isFormat:
		return nil, js.ArgumentError("fmt.charAt is not a function")
	case !isText:
		return nil, js.ArgumentError("input.match is not a function")
	}
	switch {
	case len(format) > maxFormat:
		return nil, js.ArgumentError("$dtFromFormat: the format is longer than %d bytes", maxFormat)
	case len(text) > maxDateText:
		return nil, nil //nolint:nilnil // nothing that a format could describe is as long
	}
	if err := c.Step(len(format) + len(text)); err != nil {
		return nil, err
	}
	loc, err := locale.Locale{Table: &l.locales}.With(c.Arg(2))
	if err != nil {
		return nil, err
	}
	return l.parseFormat(text, format, loc)
}

// Reformat shows an ISO text in a format of tokens; without a format it stays ISO.
func (l *Dates) Reformat(c *jsonata.Call, text, format string) jsonata.Value {
	o := parseOptions{now: frozen(c), text: text}
	d, err := l.resolve(l.parseISO(o.text), o)
	switch {
	case err != nil || !d.valid() && format != "":
		return "Invalid DateTime"
	case format == "":
		return d.JSON()
	}
	return formatterFor(d, d.loc).format(format)
}
