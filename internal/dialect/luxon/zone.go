package luxon

import (
	_ "embed"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must work on machines without a zone database

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/internal/dialect/luxon/calendar"
	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// zoneNames lists the zones a browser knows, grouped by what English calls them: "standard;abbreviation;daylight;abbreviation|zones". A
// missing name means the offset itself ("GMT+5:30"). "name=zone" is an alias that the zone database of Go does not have. The names are
// those of the Unicode CLDR.
//
//go:embed zones.txt
var zoneNames string

// fixedZone matches the names of zones with a constant offset.
var fixedZone = regexp.MustCompile(`(?i)^utc(?:([+-]\d{1,2})(?::(\d{2}))?)?$`)

type zoneKind int

const (
	zoneSystem zoneKind = iota // the zone of the server, which is always UTC
	zoneFixed
	zoneIANA
	zoneInvalid
)

// zone is a time zone. Zones are compared by kind, name and offset, so that it is a plain value.
type zone struct {
	kind  zoneKind
	id    string  // as written, for IANA and invalid zones
	fixed float64 // minutes east of UTC, for fixed zones
	info  *zoneInfo
}

// zoneInfo is what all spellings of one IANA zone share.
type zoneInfo struct {
	location                                  *time.Location
	standard, standardAbbr, daylight, dayAbbr string
}

func systemZone() zone             { return zone{kind: zoneSystem} }
func utcZone() zone                { return zone{kind: zoneFixed} }
func offsetZone(mins float64) zone { return zone{kind: zoneFixed, fixed: mins} }
func (z zone) valid() bool         { return z.kind != zoneInvalid }
func (z zone) equals(o zone) bool {
	return z.kind == o.kind && z.id == o.id && z.fixed == o.fixed && z.valid()
}

// name is what a date-time shows as its zoneName.
func (z zone) name() string {
	switch {
	case z.kind == zoneSystem, z.kind == zoneFixed && z.fixed == 0:
		return "UTC"
	case z.kind == zoneFixed:
		return "UTC" + formatOffset(z.fixed, offsetNarrow)
	}
	return z.id
}

// ianaName is the zone in the brackets of the extended ISO format; zones of the system have none.
func (z zone) ianaName() string {
	switch {
	case z.kind == zoneFixed && z.fixed == 0:
		return "Etc/UTC"
	case z.kind == zoneFixed:
		return "Etc/GMT" + formatOffset(-z.fixed, offsetNarrow)
	}
	return z.name()
}

// offset is the distance to UTC in minutes at a point in time. Local mean times of long ago have fractions.
func (z zone) offset(ms float64) float64 {
	if z.kind != zoneIANA {
		return z.fixed
	}
	if math.IsNaN(calendar.ClipTime(ms)) {
		return math.NaN()
	}
	_, seconds := time.UnixMilli(int64(math.Floor(ms))).In(z.info.location).Zone()
	return float64(seconds) / 60
}

// offsetName is the name of the zone at a point in time, like "EST" or "Eastern Standard Time".
func (z zone) offsetName(ms float64, long bool, loc locale.Locale) string {
	if z.kind == zoneFixed {
		return z.name()
	}
	data := loc.Data()
	if z.isUTC() {
		return data.UTC[boolIndex(long)]
	}
	offset := z.offset(ms)
	if data.English() && ms >= 0 { // zones have no names before 1970
		if name := z.info.englishName(ms, offset, long, z); name != "" {
			return name
		}
	}
	return data.GMTOffset(offset, long)
}

func (z zone) isUTC() bool {
	return z.kind == zoneSystem || z.info != nil && z.info.standard == "Coordinated Universal Time"
}

// englishName picks the standard or the daylight name by comparing the offset with those of January and July.
func (i *zoneInfo) englishName(ms, offset float64, long bool, z zone) string {
	year := calendar.At(ms).Year
	january := z.offset(calendar.Civil{Year: year, Month: 1, Day: 15}.Millis())
	july := z.offset(calendar.Civil{Year: year, Month: 7, Day: 15}.Millis())
	switch daylight := offset > math.Min(january, july); {
	case daylight && long:
		return i.daylight
	case daylight:
		return i.dayAbbr
	case long:
		return i.standard
	}
	return i.standardAbbr
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

type offsetStyle int

const (
	offsetNarrow offsetStyle = iota // +5, +5:30
	offsetShort                     // +05:30
	offsetTechie                    // +0530
)

func formatOffset(offset float64, style offsetStyle) string {
	sign := "+"
	if !(offset >= 0) {
		sign = "-"
	}
	hours, minutes := math.Trunc(math.Abs(offset/60)), math.Trunc(math.Abs(math.Mod(offset, 60)))
	switch style {
	case offsetShort:
		return sign + locale.PadNumber(hours, 2) + ":" + locale.PadNumber(minutes, 2)
	case offsetTechie:
		return sign + locale.PadNumber(hours, 2) + locale.PadNumber(minutes, 2)
	case offsetNarrow:
	}
	if minutes > 0 {
		return sign + jsonata.FormatNumber(hours) + ":" + jsonata.FormatNumber(minutes)
	}
	return sign + jsonata.FormatNumber(hours)
}

// zoneTable finds zones by name, whatever the case. It is built when the first expression asks for a zone.
type zoneTable struct {
	once  sync.Once
	infos map[string]*zoneInfo // by lower-case name; the location follows on first use
	names map[string]string    // lower-case name to the name Go knows

	mu sync.Mutex
}

func (t *zoneTable) build() {
	t.infos, t.names = map[string]*zoneInfo{}, map[string]string{}
	for line := range strings.Lines(zoneNames) {
		labels, zones, _ := strings.Cut(strings.TrimSpace(line), "|")
		l := strings.Split(labels, ";")
		for name := range strings.FieldsSeq(zones) {
			name, target, aliased := strings.Cut(name, "=")
			if !aliased {
				target = name
			}
			key := strings.ToLower(name)
			t.infos[key] = &zoneInfo{standard: l[0], standardAbbr: l[1], daylight: l[2], dayAbbr: l[3]}
			t.names[key] = target
		}
	}
}

// named returns an IANA zone, invalid if there is none of that name. The name stays as it was written.
func (t *zoneTable) named(name string) zone {
	t.once.Do(t.build)
	t.mu.Lock()
	defer t.mu.Unlock()
	key := strings.ToLower(name)
	info := t.infos[key]
	if info == nil {
		return zone{kind: zoneInvalid, id: name}
	}
	if info.location == nil {
		location, err := time.LoadLocation(t.names[key])
		if err != nil {
			return zone{kind: zoneInvalid, id: name}
		}
		info.location = location
	}
	return zone{kind: zoneIANA, id: name, info: info}
}

// parse understands what users write for a zone: local, utc, an offset like UTC+5:30, or the name of an IANA zone.
func (t *zoneTable) parse(text string) zone {
	switch lower := strings.ToLower(text); lower {
	case "default", "local", "system":
		return systemZone()
	case "utc", "gmt":
		return utcZone()
	default:
		if m := fixedZone.FindStringSubmatch(lower); m != nil {
			return offsetZone(signedOffset(m[1], m[2]))
		}
		return t.named(text)
	}
}

// signedOffset turns the hours (with sign) and minutes of an offset into minutes.
func signedOffset(hours, minutes string) float64 {
	h, m := js.ParseInt(hours), js.ParseInt(minutes)
	if math.IsNaN(m) {
		m = 0
	}
	if math.IsNaN(h) {
		h = 0
	}
	if math.Signbit(h) {
		m = -m
	}
	return h*60 + m
}

// ZoneNames returns the names of the time zones that Go knows.
func ZoneNames() []string {
	var names []string
	for line := range strings.Lines(zoneNames) {
		_, zones, _ := strings.Cut(strings.TrimSpace(line), "|")
		for name := range strings.FieldsSeq(zones) {
			if !strings.Contains(name, "=") {
				names = append(names, name)
			}
		}
	}
	return names
}
