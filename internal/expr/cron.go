package expr

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/millrace/millrace"
)

// Cron is a schedule: five fields (minute, hour, day of month, month, day of week) in a time zone.
type Cron struct {
	schedule cron.Schedule
	zone     *time.Location
}

// ParseCron reads a five-field cron expression and the IANA name of a time zone; an empty name is UTC. It returns an
// error of KindInvalid whose path is cron_expression or timezone.
func ParseCron(expression, timezone string) (*Cron, error) {
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return nil, millrace.Invalid("timezone", "%q is not an IANA time zone such as Europe/Berlin", timezone)
	}
	if n := len(strings.Fields(expression)); n != 5 {
		return nil, millrace.Invalid("cron_expression", "%q has %d fields, must have 5: minute, hour, day of month, month, day of week", expression, n)
	}
	if strings.Contains(expression, "=") {
		return nil, millrace.Invalid("cron_expression", "%q must not name a time zone; use timezone", expression)
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	schedule, err := parser.Parse(expression)
	if err != nil {
		return nil, millrace.Invalid("cron_expression", "%q: %s", expression, strings.TrimSuffix(fmt.Sprint(err), "."))
	}
	c := &Cron{schedule: schedule, zone: zone}
	if c.Next(time.Unix(0, 0)).IsZero() {
		return nil, millrace.Invalid("cron_expression", "%q names a date that never comes", expression)
	}
	return c, nil
}

// Next returns the first due instant after t, or the zero time when there is none within five years.
func (c *Cron) Next(t time.Time) time.Time {
	next := c.schedule.Next(t.In(c.zone))
	if next.IsZero() {
		return next
	}
	return next.UTC()
}
