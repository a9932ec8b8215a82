package schedule_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// flow is a workflow with two steps that make schedules and one that does not.
func flow() *millrace.Workflow {
	step := func(config, cron string) millrace.Step {
		return millrace.Step{Type: "run", Action: millrace.ActionRunSyncJob, Config: json.RawMessage(config), CronExpression: cron}
	}
	return &millrace.Workflow{
		EnvironmentID: env, TriggerName: "custom:x", Event: "custom:x",
		Config: millrace.WorkflowConfig{RunIf: "true", Steps: []millrace.Step{step(`{"a":1}`, "0 6 * * *"), step(`{"b":1}`, ""), step(`{"c":1}`, "30 7 * * *")}},
	}
}

func TestSchedulesFollowTheirWorkflow(t *testing.T) {
	t.Parallel()
	at := func(hour, minute int) string {
		return millrace.TimeOf(time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC)).String()
	}
	type edit = func(*millrace.Workflow)
	spread := int64(0)
	cases := map[string]struct {
		edits []edit   // nil: the workflow is deleted
		want  []string // of the schedules of step 0, of step 2, and of step 2 that was edited by hand
	}{
		"a label":           {[]edit{func(w *millrace.Workflow) { w.Label = "x" }}, []string{at(6, 0), at(7, 30), at(7, 30)}},
		"deleted":           {[]edit{nil}, []string{"its workflow was deleted", "its workflow was deleted", at(7, 30)}},
		"another trigger":   {[]edit{func(w *millrace.Workflow) { w.Event = "custom:y" }}, []string{"trigger_name of its workflow was changed; *", "trigger_name of its workflow was changed; *", at(7, 30)}},
		"another condition": {[]edit{func(w *millrace.Workflow) { w.Config.RunIf = "false" }}, []string{"run_if of its workflow was changed; *", "run_if of its workflow was changed; *", at(7, 30)}},
		"paused":            {[]edit{func(w *millrace.Workflow) { w.IsPaused = true }}, []string{"its workflow is not active", "its workflow is not active", at(7, 30)}},
		"paused and active": {[]edit{func(w *millrace.Workflow) { w.IsPaused = true }, func(w *millrace.Workflow) { w.IsPaused = false }}, []string{at(6, 0), at(7, 30), at(7, 30)}},
		"paused, changed and active": {[]edit{
			func(w *millrace.Workflow) { w.IsPaused = true },
			func(w *millrace.Workflow) { w.Config.RunIf = "false" },
			func(w *millrace.Workflow) { w.IsPaused = false },
		}, []string{"run_if of its workflow was changed; *", "run_if of its workflow was changed; *", at(7, 30)}},
		"another time": {[]edit{func(w *millrace.Workflow) {
			w.Config.Steps[0].CronExpression, w.Config.Steps[0].Overlap, w.Config.Steps[0].Spread = "0 9 * * *", millrace.OverlapSkip, &spread
			w.Config.Steps[2].Timezone = "Europe/Berlin"
		}}, []string{at(9, 0), at(6, 30), at(7, 30)}},
		"a step without a time": {[]edit{func(w *millrace.Workflow) { w.Config.Steps[0].CronExpression = "" }}, []string{"its step was removed *", at(7, 30), at(7, 30)}},
		"steps removed": {[]edit{
			func(w *millrace.Workflow) { w.Config.Steps = w.Config.Steps[1:] },
			func(w *millrace.Workflow) { w.Config.Steps = w.Config.Steps[1:] },
		}, []string{"its step was removed *", at(7, 30), at(7, 30)}},
		"steps change places": {[]edit{func(w *millrace.Workflow) {
			s := w.Config.Steps
			w.Config.Steps = []millrace.Step{s[2], s[1], s[0]}
			w.Config.Steps[0].CronExpression = "0 8 * * *"
		}}, []string{at(6, 0), at(8, 0), at(7, 30)}},
		"a step's condition": {[]edit{func(w *millrace.Workflow) { w.Config.Steps[0].RunIf = "false" }}, []string{"run_if of its step was changed; *", at(7, 30), at(7, 30)}},
		"a step's config":    {[]edit{func(w *millrace.Workflow) { w.Config.Steps[0].Config = json.RawMessage(`{"a":2}`) }}, []string{at(6, 0), at(7, 30), at(7, 30)}},
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		y := newYard(t, url, 1)
		db := y.db
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				w := flow()
				made := []*millrace.SyncJobCronTrigger{
					{IntegratedAccountID: "a", StepIndex: 0, CronExpression: "0 6 * * *"},
					{IntegratedAccountID: "a", StepIndex: 2, CronExpression: "30 7 * * *"},
					{IntegratedAccountID: "b", StepIndex: 2, CronExpression: "30 7 * * *", IsDetached: true},
				}
				other := &millrace.SyncJobCronTrigger{EnvironmentID: env, WorkflowID: millrace.NewID[millrace.WorkflowID](), CronExpression: "0 6 * * *"}
				update(t, db, func(ctx context.Context, tx *store.Tx) error {
					if err := tx.Workflows().Create(ctx, w); err != nil {
						return err
					}
					for _, v := range append(made, other) {
						if v.EnvironmentID = env; v != other {
							v.WorkflowID = w.ID
						}
						if err := schedule.Reschedule(v, nil, tx.Now()); err != nil {
							return err
						}
						if err := tx.Schedules().Create(ctx, v); err != nil {
							return err
						}
					}
					return nil
				})
				for _, edit := range c.edits {
					y.clock.add(time.Millisecond)
					update(t, db, func(ctx context.Context, tx *store.Tx) error {
						before, err := tx.Workflows().Get(ctx, env, w.ID)
						if err != nil {
							return err
						}
						if edit == nil {
							if err := tx.Workflows().Delete(ctx, env, w.ID); err != nil {
								return err
							}
							return schedule.Follow(ctx, tx, before, nil)
						}
						after, err := tx.Workflows().Get(ctx, env, w.ID)
						if err != nil {
							return err
						}
						edit(after)
						if err := tx.Workflows().Update(ctx, after); err != nil {
							return err
						}
						return schedule.Follow(ctx, tx, before, after)
					})
				}
				update(t, db, func(ctx context.Context, tx *store.Tx) error {
					for i, v := range made {
						got, err := tx.Schedules().Get(ctx, env, v.ID)
						if err != nil {
							return err
						}
						is := got.NextRunAt.String()
						fires, err := tx.Schedules().ListFires(ctx, env, v.ID, millrace.Query{})
						if err != nil {
							return err
						}
						if got.RestReason != "" {
							is = got.RestReason
							if got.NextRunAt != 0 {
								t.Errorf("schedule %d rests and is due at %s", i, got.NextRunAt)
							}
							if n := len(fires.Result); n == 0 || fires.Result[0].Outcome != millrace.FireStopped || fires.Result[0].Reason != got.RestReason {
								t.Errorf("schedule %d rests because %q, and its fires say %+v", i, got.RestReason, fires.Result)
							}
						}
						want := c.want[i]
						if n := len(want) - 1; want[n] == '*' && len(is) > n {
							is = is[:n] + "*"
						}
						if diff := cmp.Diff(want, is); diff != "" {
							t.Errorf("schedule %d (-want +got):\n%s", i, diff)
						}
					}
					got, err := tx.Schedules().Get(ctx, env, other.ID)
					if err == nil && (got.RestReason != "" || got.NextRunAt == 0) {
						t.Errorf("the schedule of another workflow: %q, %s", got.RestReason, got.NextRunAt)
					}
					return err
				})
			})
		}
	})
}
