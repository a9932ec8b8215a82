package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/retention"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// aged makes rows that are old.
type aged struct {
	t   *testing.T
	tx  *store.Tx
	now millrace.Time
	n   int

	events map[string]millrace.Time // when they were made, and their deliveries with them
}

// at returns the next instant, sixty days ago.
func (a *aged) at() millrace.Time {
	a.n++
	return a.now.Add(-60*24*time.Hour + time.Duration(a.n)*time.Second)
}

func (a *aged) must(err error) {
	a.t.Helper()
	if err != nil {
		panic(fmt.Sprintf("store rows: %v", err))
	}
}

func (a *aged) event(id string, batch millrace.BatchID) {
	a.events[id] = a.at()
	_, err := a.tx.Events().Create(a.t.Context(), &millrace.Event{ID: millrace.EventID(id), EnvironmentID: env, BatchID: batch, Name: "custom:x", CreatedAt: a.events[id]})
	a.must(err)
	_, err = a.tx.Decisions().Create(a.t.Context(), &millrace.Decision{EventID: millrace.EventID(id), WorkflowID: "w", EnvironmentID: env, Outcome: millrace.OutcomeNotMatched})
	a.must(err)
}

func (a *aged) delivery(id, event string, webhook millrace.WebhookID, status millrace.DeliveryStatus) {
	ctx := a.t.Context()
	d := &millrace.Delivery{
		ID: millrace.DeliveryID(id), EnvironmentID: env, EventID: millrace.EventID(event), WebhookID: webhook, Sequence: int64(a.n + 1),
		Status: status, CreatedAt: a.events[event],
	}
	a.must(a.tx.Deliveries().Create(ctx, d))
	a.must(a.tx.Deliveries().Save(ctx, millrace.TriedDelivery{Delivery: *d, Tries: []millrace.Attempt{{DeliveryID: d.ID, EnvironmentID: env, Number: 2}}}))
	a.must(a.tx.SyncJobRuns().AddLog(ctx, []*millrace.RunLog{{ID: millrace.RunLogID("log of " + id), EnvironmentID: env, DeliveryID: d.ID, CreatedAt: a.at()}}))
}

func (a *aged) workflowRun(v millrace.WorkflowRun) {
	v.EnvironmentID, v.WorkflowID, v.CreatedAt = env, millrace.WorkflowID("workflow of "+string(v.ID)), a.at()
	if v.Status.Finished() {
		v.FinishedAt = v.CreatedAt
	}
	a.must(a.tx.WorkflowRuns().Create(a.t.Context(), &v))
	_, err := a.tx.WorkflowRuns().AddStepResult(a.t.Context(), env, v.ID, 0, millrace.StepResult{})
	a.must(err)
}

func (a *aged) run(id string, job millrace.SyncJobID, status millrace.RunStatus, waitingFor millrace.SyncJobRunID, edits ...func(*millrace.SyncJobRun)) {
	v := &millrace.SyncJobRun{
		ID: millrace.SyncJobRunID(id), EnvironmentID: env, SyncJobID: job, IntegratedAccountID: "account", Status: status,
		WaitingFor: waitingFor, CreatedAt: a.at(),
	}
	v.StartedAt = v.CreatedAt
	if status.Finished() {
		v.FinishedAt = v.CreatedAt
	}
	for _, edit := range edits {
		edit(v)
	}
	a.must(a.tx.SyncJobRuns().Create(a.t.Context(), v))
	a.must(a.tx.Checkpoints().Add(a.t.Context(), v.EnvironmentID, v.ID, map[int64][]byte{1: []byte("part")}))
}

// all stores one row of every kind that is needed, and one or two that are not.
func (a *aged) all() {
	ctx := a.t.Context()
	active, inactive := &millrace.Webhook{EnvironmentID: env, IsActive: true}, &millrace.Webhook{EnvironmentID: env}
	a.must(a.tx.Webhooks().Create(ctx, active))
	a.must(a.tx.Webhooks().Create(ctx, inactive))
	job := &millrace.SyncJob{EnvironmentID: env}
	a.must(a.tx.SyncJobs().Create(ctx, job))
	a.must(a.tx.Events().CreateBatch(ctx, env, "open batch"))

	a.event("unmatched", "open batch")
	a.event("done", "")
	a.event("waits for active", "")
	a.event("waits for inactive", "")
	a.event("has open run", "")
	a.delivery("of done", "done", active.ID, millrace.DeliveryDelivered)
	a.delivery("to active", "waits for active", active.ID, millrace.DeliveryPending)
	a.delivery("to inactive", "waits for inactive", inactive.ID, millrace.DeliveryPending)
	a.delivery("to deleted", "done", "gone", millrace.DeliveryPending)

	a.workflowRun(millrace.WorkflowRun{ID: "open", EventID: "has open run", Status: millrace.WorkflowRunRunning})
	a.workflowRun(millrace.WorkflowRun{ID: "holds a slot", Status: millrace.WorkflowRunCompleted, Slot: millrace.SlotHold})
	a.workflowRun(millrace.WorkflowRun{ID: "is counted", Status: millrace.WorkflowRunCompleted, RateAt: a.now})
	a.workflowRun(millrace.WorkflowRun{ID: "ended", Status: millrace.WorkflowRunFailed})

	a.run("earlier", job.ID, millrace.RunCompleted, "")
	a.run("last", job.ID, millrace.RunCompleted, "")
	a.run("partial", job.ID, millrace.RunCompleted, "", func(v *millrace.SyncJobRun) { v.ErrorCount, v.IsPartial = 1, true })
	a.run("failed", job.ID, millrace.RunFailed, "")
	a.run("of a deleted job", "gone", millrace.RunCompleted, "")
	a.run("in front", job.ID, millrace.RunStopped, "")
	a.run("behind", job.ID, millrace.RunCreated, "in front")

	a.must(a.tx.SyncJobRuns().AddLog(ctx, []*millrace.RunLog{{ID: "line", EnvironmentID: env, SyncJobRunID: "last", CreatedAt: a.at()}}))
	a.must(a.tx.SyncJobRuns().AddLog(ctx, []*millrace.RunLog{{ID: "young line", EnvironmentID: env, SyncJobRunID: "last", CreatedAt: a.now}}))

	trigger := &millrace.SyncJobCronTrigger{EnvironmentID: env, NextRunAt: a.at()}
	a.must(a.tx.Schedules().Create(ctx, trigger))
	for _, due := range []millrace.Time{trigger.NextRunAt - 1, trigger.NextRunAt} {
		_, err := a.tx.Schedules().CreateFire(ctx, &millrace.CronFire{EnvironmentID: env, CronTriggerID: trigger.ID, DueAt: due, CreatedAt: a.at(), Outcome: millrace.FireRan})
		a.must(err)
	}
	for id, status := range map[millrace.InboundHookID]millrace.InboundStatus{"accepted": millrace.InboundAccepted, "processed": millrace.InboundProcessed} {
		a.must(a.tx.Hooks().Create(ctx, &millrace.InboundHook{ID: id, EnvironmentID: env, Status: status, CreatedAt: a.at()}))
	}
}

// left returns the ids of a table's rows.
func left(t *testing.T, db *store.DB, query string) []string {
	t.Helper()
	ids := storetest.Strings(t, db, query)
	slices.Sort(ids)
	return ids
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		update(t, db, func(tx *store.Tx) error {
			(&aged{t: t, tx: tx, now: tx.Now(), events: map[string]millrace.Time{}}).all()
			return nil
		})
		for _, kind := range millrace.KeptKinds() {
			pruneAll(t, db, kind)
		}
		for query, want := range map[string][]string{
			"SELECT id FROM delivery":                      {"to active"},
			"SELECT delivery_id FROM delivery_attempt":     {"to active"},
			"SELECT id FROM run_log":                       {"log of to active", "young line"},
			"SELECT id FROM event":                         {"has open run", "unmatched", "waits for active"},
			"SELECT event_id FROM decision":                {"has open run", "unmatched", "waits for active"},
			"SELECT id FROM workflow_run":                  {"holds a slot", "is counted", "open"},
			"SELECT workflow_run_id FROM workflow_step":    {"holds a slot", "is counted", "open"},
			"SELECT id FROM sync_job_run":                  {"behind", "in front", "last"},
			"SELECT sync_job_run_id FROM checkpoint_part":  {"behind", "in front", "last"},
			"SELECT id FROM inbound_hook":                  {"accepted"},
			"SELECT CAST(COUNT(*) AS TEXT) FROM cron_fire": {"1"},
		} {
			if diff := cmp.Diff(want, left(t, db, query)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
	})
}

// pruneAll looks at two rows at a time.
func pruneAll(t *testing.T, db *store.DB, kind millrace.Kept) {
	t.Helper()
	p := store.Prune{Kind: kind, Environment: env, Most: 2}
	for done := false; !done; {
		update(t, db, func(tx *store.Tx) error {
			var err error
			p.Before = tx.Now().Add(-30 * 24 * time.Hour)
			if p.Unless, err = retention.Needs(kind, p.Before, tx.Now()); err != nil {
				return err
			}
			out, err := tx.Rows().Prune(context.WithoutCancel(t.Context()), p)
			p.After, done = out.Next, out.Done
			return err
		})
	}
}
