package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// oldRows are rows of a database before ids were unique in their environment only: one of each kind, and what refers to it.
const oldRows = `
INSERT INTO environment (id, name) VALUES ('e1', 'Default'), ('e2', 'Other');
INSERT INTO integration (id, environment_id, name, config) VALUES ('i', 'e1', 'calcom', '');
INSERT INTO environment_integration (id, environment_id, integration_id, override) VALUES ('n', 'e1', 'i', '');
INSERT INTO integrated_account (id, environment_id, environment_integration_id, tenant_id, secrets) VALUES ('a', 'e1', 'n', 'acme', '');
INSERT INTO webhook (id, environment_id, target_url, is_active, secret, next_sequence) VALUES ('w', 'e1', 'https://w.test', TRUE, '', 2);
INSERT INTO sync_job (id, environment_id, label) VALUES ('j', 'e1', 'Job');
INSERT INTO sync_job_template (id, environment_id, team_id, label, integration_name, description, sharing, default_runtime_version, args_schema, args_validation, resources, created_at, updated_at)
VALUES ('t', 'e1', '', '', '', '', '', 4, '', '', '', 1, 1);
INSERT INTO workflow (id, environment_id, label, trigger_name, event, config, version, created_at, updated_at) VALUES ('f', 'e1', '', 'x', 'x', '{}', 1, 1, 1);
INSERT INTO workflow_version (workflow_id, version, environment_id, event, workflow, created_at) VALUES ('f', 1, 'e1', 'x', '{}', 1);
INSERT INTO workflow_key (id, environment_id, workflow_run_id, created_at) VALUES ('k', 'e1', 'q', 1);
INSERT INTO event (id, environment_id, event, payload, idempotency_key, created_at, sync_job_run_id) VALUES ('v', 'e1', 'x', '{"a":1}', 'once', 1, 'r');
INSERT INTO decision (event_id, workflow_id, environment_id, workflow_version, outcome, error, workflow_run_id, created_at, cancelled_by) VALUES ('v', 'f', 'e1', 1, 'matched', '', 'q', 1, '');
INSERT INTO workflow_run (id, environment_id, workflow_id, event_id, status) VALUES ('q', 'e1', 'f', 'v', 'completed');
INSERT INTO sync_job_run (id, environment_id, sync_job_id, integrated_account_id, webhook_id, workflow_run_id, status, created_at) VALUES ('r', 'e1', 'j', 'a', 'w', 'q', 'running', 1);
INSERT INTO checkpoint_part (sync_job_run_id, number, body) VALUES ('r', 1, '');
INSERT INTO sync_job_cron_trigger (id, environment_id, sync_job_id, next_run_at) VALUES ('s', 'e1', 'j', 5);
INSERT INTO cron_fire (sync_job_cron_trigger_id, due_at, environment_id, outcome, reason, sync_job_run_id, created_at, id) VALUES ('s', 4, 'e1', 'ran', '', 'r', 4, 's/4');
INSERT INTO account_rate (integrated_account_id, environment_id, blocked_since, blocked_until) VALUES ('a', 'e1', 1, 2);
INSERT INTO delivery (id, environment_id, webhook_id, event_id, sequence, event, status, created_at) VALUES ('d1', 'e1', 'w', 'v', 1, 'x', 'pending', 1);
INSERT INTO delivery (id, environment_id, webhook_id, sync_job_run_id, run_sequence, event, status, created_at) VALUES ('d2', 'e1', 'w', 'r', 1, 'sync_job_run:record', 'pending', 1);
`

func TestUpgradeGivesIDsToEnvironments(t *testing.T) {
	t.Parallel()
	storetest.EachEmptyURL(t, func(t *testing.T, url string) {
		ctx := t.Context()
		if err := store.OpenAt(ctx, url, 16, oldRows); err != nil {
			t.Fatalf("make an old database: %v", err)
		}
		db := storetest.Open(t, url)
		checkOldRows(t, db)
		update(t, db, func(tx *store.Tx) error { return takeOldIDs(ctx, tx) })
		checkOldRows(t, db)
		if err := db.Update(ctx, func(tx *store.Tx) error { return takeOldIDs(ctx, tx) }); millrace.KindOf(err) != millrace.KindConflict {
			t.Errorf("the same ids again in their environment: got %v, want a conflict", err)
		}
	})
}

// checkOldRows checks that the rows are as they were.
func checkOldRows(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	err := db.View(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(ctx, "e1", "w")
		if err != nil {
			return err
		}
		backlog, err := tx.Backlog(ctx, w, 10)
		if err != nil || len(backlog) != 1 || backlog[0].ID != "d1" || w.TargetURL != "https://w.test" {
			return fmt.Errorf("webhook %+v has the backlog %+v: %w", w, backlog, err)
		}
		frozen, err := tx.FrozenDeliveries(ctx, "e1", "r")
		if err != nil || len(frozen) != 1 || frozen[0].ID != "d2" {
			return fmt.Errorf("the run has the frozen deliveries %+v: %w", frozen, err)
		}
		parts, err := tx.CheckpointParts(ctx, "e1", "r")
		if err != nil || len(parts) != 1 {
			return fmt.Errorf("the run has %d parts: %w", len(parts), err)
		}
		decisions, err := tx.DecisionsOf(ctx, "e1", "v")
		if err != nil || len(decisions) != 1 {
			return fmt.Errorf("the event has the decisions %+v: %w", decisions, err)
		}
		causes, err := tx.CausesOf(ctx, &millrace.Event{ID: "v2", EnvironmentID: "e1", SyncJobRunID: "r"})
		if err != nil || len(causes) == 0 || causes[0].EventID != "v" {
			return fmt.Errorf("got the causes %+v: %w", causes, err)
		}
		if _, err := tx.WorkflowVersion(ctx, "e1", "f", 1); err != nil {
			return err
		}
		rate, err := tx.AccountRate(ctx, "e1", "a")
		if err != nil || rate.BlockedUntil != 2 {
			return fmt.Errorf("got the rate %+v: %w", rate, err)
		}
		env, err := tx.EnvironmentOfAccount(ctx, "a")
		if err != nil || env != "e1" {
			return fmt.Errorf("the account may be addressed in %q: %w", env, err)
		}
		due, err := tx.DueCronTriggers(ctx, 10, nil, 10)
		if err != nil || len(due) != 1 || due[0].ID != "s" {
			return fmt.Errorf("got the schedules %+v: %w", due, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// takeOldIDs makes rows with the ids of the old ones in another environment.
func takeOldIDs(ctx context.Context, tx *store.Tx) error {
	const other = "e2"
	inserts := []func() error{
		func() error {
			return tx.InsertIntegration(ctx, &millrace.Integration{ID: "i", EnvironmentID: other, Name: "calcom"})
		},
		func() error {
			return tx.InsertEnvironmentIntegration(ctx, &millrace.EnvironmentIntegration{ID: "n", EnvironmentID: other, IntegrationID: "i"})
		},
		func() error {
			return tx.InsertIntegratedAccount(ctx, &millrace.IntegratedAccount{ID: "a", EnvironmentID: other, EnvironmentIntegrationID: "n"})
		},
		func() error {
			return tx.InsertWebhook(ctx, &millrace.Webhook{ID: "w", EnvironmentID: other, TargetURL: "https://other.test", IsActive: true})
		},
		func() error { return tx.InsertSyncJob(ctx, &millrace.SyncJob{ID: "j", EnvironmentID: other}) },
		func() error {
			return tx.InsertSyncJobTemplate(ctx, &millrace.SyncJobTemplate{ID: "t", EnvironmentID: other})
		},
		func() error {
			return tx.InsertWorkflow(ctx, &millrace.Workflow{ID: "f", EnvironmentID: other, Event: "x"})
		},
		func() error {
			_, err := tx.InsertEvent(ctx, &millrace.Event{ID: "v", EnvironmentID: other, Name: "x", IdempotencyKey: "once"})
			return err
		},
		func() error {
			_, err := tx.InsertDecision(ctx, &millrace.Decision{EventID: "v", WorkflowID: "f", EnvironmentID: other, Outcome: millrace.OutcomeMatched})
			return err
		},
		func() error {
			return tx.InsertSyncJobRun(ctx, &millrace.SyncJobRun{ID: "r", EnvironmentID: other, SyncJobID: "j", Status: millrace.RunRunning})
		},
		func() error { return tx.AddCheckpointParts(ctx, other, "r", map[int64][]byte{1: nil}) },
		func() error {
			return tx.InsertSyncJobCronTrigger(ctx, &millrace.SyncJobCronTrigger{ID: "s", EnvironmentID: other})
		},
		func() error {
			return tx.BlockAccount(ctx, millrace.AccountRate{IntegratedAccountID: "a", EnvironmentID: other, BlockedUntil: 99})
		},
	}
	for _, insert := range inserts {
		if err := insert(); err != nil {
			return err
		}
	}
	return nil
}
