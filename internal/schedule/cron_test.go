package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
)

// instants lists the first n instants after a time, on the clock of the zone.
func instants(t *testing.T, expression, zone, after string, n int) []string {
	t.Helper()
	c, err := schedule.ParseCron(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for range n {
		next := c.Next(at)
		if !next.After(at) {
			t.Fatalf("%s in %s: %s is not after %s", expression, zone, next, at)
		}
		at = next
		out = append(out, at.In(location).Format("01-02 15:04 -0700"))
	}
	return out
}

func TestCronInstants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, expression, zone, after string
		want                          []string
	}{
		{"six hours in UTC", "0 */6 * * *", "", "2026-11-23T05:59:59Z", []string{"11-23 06:00 +0000", "11-23 12:00 +0000"}},
		{"an instant is not after itself", "0 6 * * *", "UTC", "2026-11-23T06:00:00Z", []string{"11-24 06:00 +0000"}},
		{"either day of month or day of week", "0 0 13 * 5", "", "2026-11-10T00:00:00Z", []string{"11-13 00:00 +0000", "11-20 00:00 +0000"}},
		{"7 is Sunday", "0 0 * * 7", "", "2026-11-23T00:00:00Z", []string{"11-29 00:00 +0000"}},
		{"until Sunday", "0 0 * * fri-sun", "", "2026-11-26T00:00:00Z", []string{"11-27 00:00 +0000", "11-28 00:00 +0000", "11-29 00:00 +0000", "12-04 00:00 +0000"}},
		{"until 7 in steps", "0 0 * * 3-7/2", "", "2026-11-24T00:00:00Z", []string{"11-25 00:00 +0000", "11-27 00:00 +0000", "11-29 00:00 +0000"}},
		{"29 February", "0 0 29 2 *", "", "2026-01-01T00:00:00Z", []string{"02-29 00:00 +0000"}},

		// Berlin: 2027-03-28 02:00 becomes 03:00, 2027-10-31 03:00 becomes 02:00.
		{"gap, daily", "30 2 * * *", "Europe/Berlin", "2027-03-27T00:00:00Z", []string{"03-27 02:30 +0100", "03-28 03:00 +0200", "03-29 02:30 +0200"}},
		{"gap, several instants become one", "*/20 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", []string{"03-28 03:00 +0200", "03-28 03:20 +0200", "03-28 03:40 +0200", "03-29 02:00 +0200"}},
		{"gap, every two hours", "0 */2 * * *", "Europe/Berlin", "2027-03-27T22:30:00Z", []string{"03-28 00:00 +0100", "03-28 03:00 +0200", "03-28 04:00 +0200"}},
		{"gap, every half hour", "*/30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", []string{"03-28 01:30 +0100", "03-28 03:00 +0200", "03-28 03:30 +0200"}},
		{"gap, half past every hour", "30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", []string{"03-28 01:30 +0100", "03-28 03:30 +0200"}},
		{"overlap, daily", "30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", []string{"10-31 02:30 +0200", "11-01 02:30 +0100"}},
		{"overlap, from within its second pass", "30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", []string{"11-01 02:30 +0100"}},
		{"overlap, every hour", "0 * * * *", "Europe/Berlin", "2027-10-30T23:30:00Z", []string{"10-31 02:00 +0200", "10-31 02:00 +0100", "10-31 03:00 +0100"}},
		{"overlap, the change itself", "0 3 * * *", "Europe/Berlin", "2027-10-31T00:00:00Z", []string{"10-31 03:00 +0100", "11-01 03:00 +0100"}},
		{"overlap of half an hour", "45 1 * * *", "Australia/Lord_Howe", "2027-04-03T00:00:00Z", []string{"04-04 01:45 +1100", "04-05 01:45 +1030"}},
		{"midnight that does not exist", "0 0 * * *", "America/Asuncion", "2024-10-05T12:00:00Z", []string{"10-06 01:00 -0300", "10-07 00:00 -0300"}},
		{"a day that does not exist", "0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", []string{"12-29 12:00 -1000", "12-31 00:00 +1400", "12-31 12:00 +1400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, instants(t, c.expression, c.zone, c.after, len(c.want))); diff != "" {
				t.Errorf("%s in %s after %s (-want +got):\n%s", c.expression, c.zone, c.after, diff)
			}
		})
	}
}

func TestCronRejections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expression, zone, path, message string }{
		{"* * * *", "", "cron_expression", "has 4 fields"},
		{"", "", "cron_expression", "has 0 fields"},
		{"0 * * * * *", "", "cron_expression", "none for seconds"},
		{"@every 1s", "", "cron_expression", "must be five fields"},
		{"@hourly", "", "cron_expression", "must be five fields"},
		{"TZ=UTC * * * *", "", "cron_expression", "use timezone"},
		{"61 * * * *", "", "cron_expression", "wrong minute"},
		{"* 24 * * *", "", "cron_expression", "wrong hour"},
		{"* * 0 * *", "", "cron_expression", "wrong day of month"},
		{"* * * 13 *", "", "cron_expression", "wrong month"},
		{"* * * * 8", "", "cron_expression", "wrong day of week"},
		{"* * * * 5-7/0", "", "cron_expression", "wrong day of week"},
		{"*/0 * * * *", "", "cron_expression", "wrong minute"},
		{"5-1 * * * *", "", "cron_expression", "wrong minute"},
		{"0 0 L * *", "", "cron_expression", "wrong day of month"},
		{"99999999999999999999 * * * *", "", "cron_expression", "wrong minute"},
		{"0 0 31 2 *", "", "cron_expression", "never comes"},
		{"0 0 31 4,6,9,11 *", "", "cron_expression", "never comes"},
		{"0 * * * *", "europe/berlin", "timezone", `did you mean "Europe/Berlin"?`},
		{"0 * * * *", "Europe/Berlim", "timezone", `did you mean "Europe/Berlin"?`},
		{"0 * * * *", "Local", "timezone", "is not an IANA time zone"},
		{"0 * * * *", "../../etc/passwd", "timezone", "is not an IANA time zone"},
		{"0 * * * *", "Europe/Berlin\x00", "timezone", "is not an IANA time zone"},
	} {
		_, err := schedule.ParseCron(c.expression, c.zone)
		var e *millrace.Error
		if millrace.KindOf(err) != millrace.KindInvalid {
			t.Errorf("%q in %q: got %v, want a rejection", c.expression, c.zone, err)
			continue
		}
		e, _ = err.(*millrace.Error) //nolint:errorlint // exactly this one
		if e.Failures[0].Path != c.path || !strings.Contains(e.Failures[0].Message, c.message) {
			t.Errorf("%q in %q: got %+v, want %q at %s", c.expression, c.zone, e.Failures[0], c.message, c.path)
		}
	}
	if _, err := schedule.ParseCron("61 * * * *", "Mars/Base"); err == nil || len(err.(*millrace.Error).Failures) != 2 { //nolint:errorlint // exactly this one
		t.Errorf("got %v, want both findings", err)
	}
}

// TestCronEveryMinuteOfTheWallClock walks through the changes of some zones and compares with every minute of the clock.
func TestCronEveryMinuteOfTheWallClock(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Asuncion", "Asia/Kolkata"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, expression := range []string{"17 * * * *", "*/25 * * * *"} {
			c, err := schedule.ParseCron(expression, zone)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
			next := c.Next(at)
			for minute := at.Add(time.Minute); minute.Year() == 2024; minute = minute.Add(time.Minute) {
				shown := minute.In(location).Minute()
				due := shown == 17
				if expression != "17 * * * *" {
					due = shown%25 == 0
				}
				if due != next.Equal(minute) {
					t.Fatalf("%s in %s at %s: next is %s", expression, zone, minute.In(location), next)
				}
				if due {
					next = c.Next(minute)
				}
			}
		}
	}
}
