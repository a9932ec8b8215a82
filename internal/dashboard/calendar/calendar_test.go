package calendar_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/calendar"
)

func TestOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 11, 59, 30, 0, time.UTC)
	var all []millrace.SyncJobCronTrigger
	add := func(n int, job, cron, zone string, next millrace.Time) {
		for range n {
			all = append(all, millrace.SyncJobCronTrigger{SyncJobID: millrace.SyncJobID(job), CronExpression: cron, Timezone: zone, NextRunAt: next})
		}
	}
	add(6, "a", "0 * * * *", "", 1)
	add(1, "b", "*/20 * * * *", "Asia/Kolkata", 1) // half an hour aside: at 10, 30 and 50
	add(9, "b", "0 * * * *", "", 0)                // rests
	add(1, "b", "no cron", "", 1)
	c := calendar.Of(all, func(id millrace.SyncJobID) string { return "of " + string(id) }, now, time.Hour)
	got := map[string]map[int]int{}
	for _, l := range c.Loads {
		got[l.Name] = map[int]int{}
		for i, n := range l.Counts {
			if n > 0 {
				got[l.Name][i] = n
			}
		}
	}
	want := map[string]map[int]int{"of a": {1: 6}, "of b": {11: 1, 31: 1, 51: 1}}
	if diff := cmp.Diff(want, got); diff != "" || !c.Whole || c.Step != time.Minute {
		t.Errorf("whole %v, step %s (-want +got):\n%s", c.Whole, c.Step, diff)
	}
	busy := []calendar.Busy{{Name: "of a", At: millrace.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), Runs: 6, Spread: 180}}
	if diff := cmp.Diff(busy, c.Busy); diff != "" {
		t.Errorf("busy (-want +got):\n%s", diff)
	}
	all = nil
	for i := range 2000 {
		add(1, "a", fmt.Sprintf("* * * * %d", i%7), fmt.Sprintf("Etc/GMT+%d", i%12), 1)
	}
	began := time.Now()
	calendar.Of(all, func(millrace.SyncJobID) string { return "" }, now, 24*time.Hour)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("2,000 schedules take %s", took)
	}
}
