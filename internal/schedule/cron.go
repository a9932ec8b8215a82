package schedule

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dialect/luxon"
)

// Cron is a schedule: five fields (minute, hour, day of month, month, day of week) on the wall clock of a time zone.
//
// Where the clock is put forward, an instant that the wall clock leaves out comes at the moment of the change instead;
// where it is put back, an instant that the wall clock shows twice comes the first time only. So a daily schedule has
// one instant on every day. A schedule of every hour follows the hours as they pass: it has none that does not exist,
// and both of those that are shown twice.
type Cron struct {
	schedule cron.Schedule // over wall-clock times, which are kept as if they were UTC
	zone     *time.Location
	hourly   bool // every hour
}

// cronFields are the names of the fields, for people, in order.
func cronFields() []string { return []string{"minute", "hour", "day of month", "month", "day of week"} }

// ParseCron reads a five-field cron expression and the IANA name of a time zone; an empty name is UTC. It returns an
// error of KindInvalid that lists what is wrong, with the paths cron_expression and timezone.
func ParseCron(expression, timezone string) (*Cron, error) {
	var failures []millrace.Failure
	zone, failure := parseZone(timezone)
	if failure != nil {
		failures = append(failures, *failure)
	}
	spec, message := parseSchedule(expression)
	if message != "" {
		return nil, millrace.InvalidAll(slices.Insert(failures, 0, millrace.Failure{
			Path: "cron_expression", Message: strconv.Quote(expression) + " " + message,
		}))
	}
	if failure != nil {
		return nil, millrace.InvalidAll(failures)
	}
	const everyHour = 1<<24 - 1
	return &Cron{schedule: spec, zone: zone, hourly: spec.Hour&everyHour == everyHour}, nil
}

// parseZone finds a time zone. Local is none: it would mean the machine's.
func parseZone(name string) (*time.Location, *millrace.Failure) {
	zone, err := time.LoadLocation(name)
	if err == nil && name != "Local" {
		return zone, nil
	}
	f := &millrace.Failure{Path: "timezone", Message: strconv.Quote(name) + " is not an IANA time zone such as Europe/Berlin"}
	f.Suggest(name, luxon.ZoneNames())
	return nil, f
}

// parseSchedule reads the five fields, or says what is wrong with them.
func parseSchedule(expression string) (*cron.SpecSchedule, string) {
	fields := strings.Fields(expression)
	switch {
	case strings.HasPrefix(expression, "@"):
		return nil, "must be five fields; names such as @hourly are not known"
	case strings.Contains(expression, "="):
		return nil, "must not name a time zone; use timezone"
	case len(fields) == 6 || len(fields) == 7:
		return nil, "has " + strconv.Itoa(len(fields)) + " fields, must have 5: " + strings.Join(cronFields(), ", ") + "; there is none for seconds or years"
	case len(fields) != 5:
		return nil, "has " + strconv.Itoa(len(fields)) + " fields, must have 5: " + strings.Join(cronFields(), ", ")
	}
	fields[4] = sundays(fields[4])
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	for i, name := range cronFields() {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return nil, "has a wrong " + name + ": " + err.Error()
		}
	}
	schedule, err := parser.Parse(strings.Join(fields, " "))
	spec, ok := schedule.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, "cannot be read as a schedule"
	}
	spec.Location = time.UTC
	if spec.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, "names a date that never comes"
	}
	return spec, ""
}

var untilSunday = regexp.MustCompile(`(?i)^([0-6]|sun|mon|tue|wed|thu|fri|sat)-(?:7|sun)(?:/(\d{1,2}))?$`)

// sundays spells a day of week without 7, the other number of Sunday, which the parser does not know.
func sundays(field string) string {
	elements := strings.Split(field, ",")
	for i, e := range elements {
		if e == "7" {
			elements[i] = "0"
			continue
		}
		m := untilSunday.FindStringSubmatch(e)
		if m == nil || strings.EqualFold(m[1], "sun") {
			continue
		}
		from := slices.Index([]string{"0", "1", "2", "3", "4", "5", "6"}, m[1])
		if from < 0 {
			from = slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(m[1]))
		}
		step := 1
		if m[2] != "" {
			step, _ = strconv.Atoi(m[2])
		}
		if step == 0 {
			continue // reported by the parser
		}
		var days []string
		for day := from; day <= 7; day += step {
			days = append(days, strconv.Itoa(day%7))
		}
		elements[i] = strings.Join(days, ",")
	}
	return strings.Join(elements, ",")
}

// Next returns the first instant after t, or the zero time when there is none within five years.
//
// It walks from one change of the zone's offset to the next. Between two changes the wall clock runs evenly, so that
// wall-clock time minus offset is the instant.
func (c *Cron) Next(t time.Time) time.Time {
	at := t.In(c.zone)
	wall := wallOf(at)
	start, end := at.ZoneBounds()
	if !c.hourly && !start.IsZero() {
		wall = latest(wall, shownBefore(start))
	}
	for {
		next := c.schedule.Next(wall)
		if next.IsZero() {
			return time.Time{}
		}
		_, offset := at.Zone()
		instant := next.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || instant.Before(end) {
			return instant.UTC()
		}
		// The wall clock reaches end before it shows next.
		at = end.In(c.zone)
		if !c.hourly && next.Before(wallOf(at)) {
			return end.UTC() // it leaves next out
		}
		wall = wallOf(at).Add(-time.Second)
		if !c.hourly {
			wall = latest(wall, shownBefore(end))
		}
		_, end = at.ZoneBounds()
	}
}

// wallOf returns what the wall clock shows at t, as if it were UTC.
func wallOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// shownBefore returns the last second that the wall clock showed before a change of the offset.
func shownBefore(change time.Time) time.Time { return wallOf(change.Add(-time.Second)) }

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
