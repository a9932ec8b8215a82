package httpapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/millrace/millrace"
)

// parseCron reads a cron expression of five fields and the time zone that it is meant in, UTC when it is empty. It
// returns what is wrong with them instead when something is; prefix is the path of the object that has them.
func parseCron(expression, timezone, prefix string) (cron.Schedule, *time.Location, []millrace.Failure) {
	var out []millrace.Failure
	location, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		out = append(out, millrace.Failure{
			Path: join(prefix, "timezone"), Message: fmt.Sprintf("unknown time zone %q; use an IANA name such as Europe/Berlin", shorten(timezone)),
		})
	}
	fail := func(message string) {
		out = append(out, millrace.Failure{Path: join(prefix, "cron_expression"), Message: message})
	}
	switch fields := len(strings.Fields(expression)); {
	case strings.HasPrefix(strings.TrimSpace(expression), "@"):
		fail("names such as @daily are not supported; write the five fields, for example 0 0 * * *")
		return nil, location, out
	case strings.Contains(expression, "TZ="):
		fail("has a time zone; write it in timezone")
		return nil, location, out
	case fields != 5:
		fail(fmt.Sprintf("must have five fields (minute, hour, day of month, month, day of week), has %d", fields))
		return nil, location, out
	}
	schedule, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expression)
	switch {
	case err != nil:
		fail("is not a cron expression: " + err.Error())
	case schedule.Next(time.Unix(0, 0).UTC()).IsZero():
		fail("names a date that never comes")
	}
	return schedule, location, out
}

// checkCron finds what is wrong with a cron expression and its time zone.
func checkCron(expression, timezone, prefix string) []millrace.Failure {
	_, _, failures := parseCron(expression, timezone, prefix)
	return failures
}

// nextRun returns the first instant of a schedule after now.
func nextRun(v *millrace.SyncJobCronTrigger, now millrace.Time) (millrace.Time, error) {
	schedule, location, failures := parseCron(v.CronExpression, v.Timezone, "")
	if len(failures) > 0 {
		return 0, millrace.InvalidAll(failures)
	}
	return millrace.TimeOf(schedule.Next(now.Std().In(location))), nil
}
