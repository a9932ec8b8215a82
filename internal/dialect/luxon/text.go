package luxon

import (
	"math"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// isoOptions are the options of the ISO formats.
type isoOptions struct {
	basic          bool // without separators
	noSeconds      bool // unless they are not zero
	noMillis       bool
	noOffset       bool
	zoneInBrackets bool
	prefix         bool // a T before a time alone
}

func isoDefaults() isoOptions { return isoOptions{} }

// isoOptionsOf reads an options argument. Anything but an object means the defaults.
func isoOptionsOf(v jsonata.Value) isoOptions {
	format, includeOffset := js.Field(v, "format"), js.Field(v, "includeOffset")
	return isoOptions{
		basic:          format != nil && format != "extended",
		noSeconds:      js.IsTrue(js.Field(v, "suppressSeconds")),
		noMillis:       js.IsTrue(js.Field(v, "suppressMilliseconds")),
		noOffset:       includeOffset != nil && !js.IsTrue(includeOffset),
		zoneInBrackets: js.IsTrue(js.Field(v, "extendedZone")),
		prefix:         js.IsTrue(js.Field(v, "includePrefix")),
	}
}

// toISO is the ISO text of a date-time, and "null" for an invalid one.
func (d dateTime) toISO(o isoOptions) string {
	if !d.valid() {
		return "null"
	}
	return d.isoDate(o.basic) + "T" + d.isoTime(o)
}

// isoDate has six digits and a sign for years that do not fit into four.
func (d dateTime) isoDate(basic bool) string {
	text, width, dash := "", 4, "-"
	if d.civil.Year > 9999 || d.civil.Year < 0 {
		width = 6
		if d.civil.Year >= 0 {
			text = "+"
		}
	}
	if basic {
		dash = ""
	}
	return text + locale.PadNumber(d.civil.Year, width) + dash + locale.PadNumber(d.civil.Month, 2) + dash + locale.PadNumber(d.civil.Day, 2)
}

func (d dateTime) isoTime(o isoOptions) string {
	colon, c := ":", d.civil
	if o.basic {
		colon = ""
	}
	text := locale.PadNumber(c.Hour, 2) + colon + locale.PadNumber(c.Minute, 2)
	if c.Millisecond != 0 || c.Second != 0 || !o.noSeconds {
		text += colon + locale.PadNumber(c.Second, 2)
		if c.Millisecond != 0 || !o.noMillis {
			text += "." + locale.PadNumber(c.Millisecond, 3)
		}
	}
	if !o.noOffset {
		text += d.isoOffset(o)
	}
	if o.zoneInBrackets {
		text += "[" + d.zone.ianaName() + "]"
	}
	return text
}

func (d dateTime) isoOffset(o isoOptions) string {
	if d.zone.kind == zoneFixed && d.offset == 0 && !o.zoneInBrackets {
		return "Z"
	}
	sign, offset := "+", d.offset
	if offset < 0 {
		sign, offset = "-", -offset
	}
	return sign + locale.PadNumber(math.Trunc(offset/60), 2) + ":" + locale.PadNumber(math.Trunc(math.Mod(offset, 60)), 2)
}

// technical formats for machines: in English, whatever the locale, and with Z for UTC if allowed.
func (d dateTime) technical(format string, allowZ bool) jsonata.Value {
	if !d.valid() {
		return jsonata.Null{}
	}
	f := formatter{d: d.inLocale(locale.Locale{Table: d.loc.Table}), allowZ: allowZ, simple: true}
	return f.format(format)
}

// sqlTime is the time for a database, followed by the offset, by the name of the zone, or by neither.
func (d dateTime) sqlTime(options jsonata.Value) jsonata.Value {
	includeOffset, space := js.Field(options, "includeOffset"), js.Field(options, "includeOffsetSpace")
	includeZone := js.IsTrue(js.Field(options, "includeZone"))
	format := "HH:mm:ss.SSS"
	if withOffset := includeOffset == nil || js.IsTrue(includeOffset); includeZone || withOffset {
		if space == nil || js.IsTrue(space) {
			format += " "
		}
		if includeZone {
			format += "z"
		} else {
			format += "ZZ"
		}
	}
	return d.technical(format, true)
}
