package luxon

import (
	"testing"
	"time"

	"github.com/millrace/millrace/internal/dialect/luxon/locale"
	"github.com/millrace/millrace/jsonata"
)

// fixedNow is the clock of tests, a Wednesday.
func fixedNow() time.Time { return time.Date(2024, 7, 10, 12, 34, 56, 789e6, time.UTC) }

// evalAt evaluates an expression with the clock of tests.
func evalAt(t *testing.T, src string, data jsonata.Value) jsonata.Value {
	t.Helper()
	library, err := jsonata.NewLibrary(jsonata.Standard(), Functions()...)
	if err != nil {
		t.Fatal(err)
	}
	program, err := library.Compile(src)
	if err != nil {
		t.Fatalf("compile %s: %v", src, err)
	}
	v, err := program.Eval(t.Context(), jsonata.Input{Data: data, Now: fixedNow})
	if err != nil {
		t.Fatalf("evaluate %s: %v", src, err)
	}
	return v
}

func TestEveryZoneLoads(t *testing.T) {
	t.Parallel()
	table := &zoneTable{}
	table.once.Do(table.build)
	for key, name := range table.names {
		if z := table.named(key); !z.valid() {
			t.Errorf("zone %s (%s) does not load", key, name)
		}
	}
	if len(table.names) < 590 {
		t.Errorf("got %d zones, want all of them", len(table.names))
	}
}

func TestDatesRelativeToNow(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]jsonata.Value{
		`$dtFromIso("2024-07-09T12:34:56.789Z").toRelative()`:                              "1 day ago",
		`$dtFromIso("2024-07-10T12:34:57.789Z").toRelative()`:                              "in 1 second",
		`$dtFromIso("2024-07-11").toRelativeCalendar()`:                                    "tomorrow",
		`$dtFromIso("2025-07-11").toRelativeCalendar()`:                                    "next year",
		`$dtFromIso("2024-07-08").setLocale("de").toRelativeCalendar()`:                    "vorgestern",
		`$dtFromIso("2024-07-05T12:34:56.789Z").setLocale("pl").toRelative()`:              "5 dni temu",
		`$dtFromIso("2024-07-10T12:34:56.789Z").diffNow().toMillis()`:                      0.0,
		`$dtFromIso("10:15").toISO()`:                                                      "2024-07-10T10:15:00.000+00:00",
		`$dtFromFormat("3","c").toISODate()`:                                               "2024-07-10",
		`$dtFromFormat("10:15","HH:mm",{"zone":"Asia/Tokyo"}).toISO()`:                     "2024-07-10T10:15:00.000+09:00",
		`$dtFromIso("2024-07-10T12:34:56.789Z").hasSame($dtFromIso($now()),"millisecond")`: true,
	} {
		if got := evalAt(t, src, nil); got != want {
			t.Errorf("%s: got %v, want %v", src, got, want)
		}
	}
}

func TestNewDate(t *testing.T) {
	t.Parallel()
	run := jsonata.NewObject(1)
	run.Set("started_at", NewDate(time.Date(2024, 2, 29, 13, 45, 30, 123456789, time.FixedZone("", 3600))))
	for src, want := range map[string]jsonata.Value{
		`started_at.toISOString()`:                  "2024-02-29T12:45:30.123Z",
		`started_at.toJSON()`:                       "2024-02-29T12:45:30.123Z",
		`started_at.getTime()`:                      1709210730123.0,
		`started_at.getFullYear()`:                  2024.0,
		`started_at.getUTCMonth()`:                  1.0,
		`started_at.getDate()`:                      29.0,
		`started_at.getUTCHours()`:                  12.0,
		`$string(started_at)`:                       `"2024-02-29T12:45:30.123Z"`,
		`$exists(started_at.getHours)`:              false,
		`$dtFromIso(started_at.toISOString()).year`: 2024.0,
	} {
		if got := evalAt(t, src, run); got != want {
			t.Errorf("%s: got %v, want %v", src, got, want)
		}
	}
}

// FuzzDates sends whatever fits nowhere through the parsers and the writers.
func FuzzDates(f *testing.F) {
	for _, seed := range [][2]string{
		{"2024-02-29T13:45:30.123Z", "yyyy-MM-dd'T'HH:mm:ss.SSSZZ"},
		{"2024-W09-4", "kkkk-'W'WW-c"},
		{"Feb 29, 2024, 1:45 PM", "ff"},
		{"Thu, 29 Feb 2024 13:45:30 EST", "EEE, dd LLL yyyy"},
		{"+275760-09-13T00:00:00Z", "X x GGGGG"},
		{"'", "'"},
	} {
		f.Add(seed[0], seed[1])
	}
	l := &Dates{}
	now := func() float64 { return float64(fixedNow().UnixMilli()) }
	f.Fuzz(func(t *testing.T, text, format string) {
		if len(format) > maxFormat || len(text) > maxDateText {
			return
		}
		o := parseOptions{now: now, text: text}
		for _, in := range []*instant{l.parseISO(text), l.parseRFC2822(text)} {
			d, err := l.resolve(in, o)
			if err != nil || !d.valid() {
				continue
			}
			if _, err := d.toLocaleString(nil, nil); err != nil {
				t.Fatal(err)
			}
			formatterFor(d, d.loc).format(format)
		}
		if in, err := l.parseFormat(text, format, locale.Locale{}); err == nil {
			_, _ = l.resolve(in, o)
		}
	})
}
