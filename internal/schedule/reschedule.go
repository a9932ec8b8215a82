package schedule

import (
	"github.com/millrace/millrace"
)

// Reschedule finds the next instant of a schedule that was changed; before is what it was, nil when it is new. The
// instant that it waits for stays when neither the expression nor the time zone has changed, so that a change of
// something else does not skip one that is due. It returns an error of KindInvalid for an expression or a time zone that
// cannot be read.
func Reschedule(v, before *millrace.SyncJobCronTrigger, now millrace.Time) error {
	cron, err := ParseCron(v.CronExpression, v.Timezone)
	if err != nil {
		return err
	}
	if before != nil && before.NextRunAt != 0 && v.CronExpression == before.CronExpression && v.Timezone == before.Timezone {
		v.NextRunAt = before.DueAt().Add(v.Offset())
		return nil
	}
	v.NextRunAt = 0
	if next := millrace.TimeOf(cron.Next(now.Std())); next != 0 {
		v.NextRunAt = next.Add(v.Offset())
	}
	return nil
}
