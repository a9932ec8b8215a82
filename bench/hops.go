package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/queue"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/trigger"
	"github.com/millrace/millrace/internal/workflow"
)

const env = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")

// account is the payload of an event: an integrated account as published, about 1 kB.
func account(name string) []byte {
	return fmt.Appendf(nil, `{"id":"3f0c8a55-96c1-4f9f-9d0a-1c1f7f9b8e10","tenant_id":"acme","environment_id":%q,"environment_integration_id":"b3d1a9c2-5a4e-4c0f-8a51-0f6a0f0e7c11",
"authentication_method":"api_key","status":"active","is_sandbox":false,"region":"wnam","context":{"base_url":"https://api.example.com","plan":"pro","seats":25,"features":["a","b","c"]},
"created_at":"2026-11-23T10:00:00.000Z","updated_at":"2026-11-23T10:00:00.000Z","unified_model_override":{},"integration":{"id":"1c7f0a44-8c1d-4b1e-9a53-7d2c1f6e5b01","name":%q,
"category":"calendar","is_beta":false,"team_id":"","sharing":"deny","created_at":"2026-11-01T10:00:00.000Z","updated_at":"2026-11-01T10:00:00.000Z"},
"environment_integration":{"id":"b3d1a9c2-5a4e-4c0f-8a51-0f6a0f0e7c11","integration_id":"1c7f0a44-8c1d-4b1e-9a53-7d2c1f6e5b01","environment_id":%q,"show_in_catalog":true,"is_enabled":true,"override":{}}}`, env, name, env)
}

// hops is the first three hops of the data on a new database.
type hops struct {
	db       *store.DB
	queue    *queue.Queue
	accepter *event.Accepter
	started  chan time.Time // when first steps start, if anybody listens
	runs     atomic.Int64
}

// plain seals nothing: credentials are not what is measured.
type plain struct{}

// Encrypt returns the text.
func (plain) Encrypt(text, _ []byte) ([]byte, error) { return text, nil }

// Decrypt returns the text.
func (plain) Decrypt(text, _ []byte) ([]byte, error) { return text, nil }

func newHops(ctx context.Context, o options, database, name string) (*hops, error) {
	url, err := o.newDatabase(ctx, database, name)
	if err != nil {
		return nil, err
	}
	h := &hops{started: make(chan time.Time, 1)}
	if h.db, err = store.Open(ctx, store.Config{URL: url, Cipher: plain{}}); err != nil {
		return nil, err
	}
	runner := workflow.NewRunner(h.db, nil)
	h.queue, err = queue.New(ctx, queue.Config{DB: h.db, Logger: quiet(), Handlers: map[millrace.TaskKind]queue.Handler{
		millrace.TaskMatch: trigger.NewMatcher(trigger.MatcherConfig{DB: h.db}).Match,
		millrace.TaskWorkflow: func(ctx context.Context, t millrace.Task) error {
			select {
			case h.started <- time.Now():
			default:
			}
			err := runner.Run(ctx, t)
			if err == nil {
				h.runs.Add(1)
			}
			return err
		},
	}})
	if err != nil {
		return nil, err
	}
	committers := 1
	if database == "postgres" {
		committers = 4
	}
	h.accepter = event.NewAccepter(h.db, committers)
	return h, h.queue.Start(ctx)
}

func (h *hops) close(ctx context.Context) {
	h.accepter.Stop()
	_ = h.queue.Stop(ctx)
	_ = h.db.Close()
}

// describe stores a workflow with the run_if and the step of the documentation, and what its step names.
func (h *hops) describe(ctx context.Context) error {
	return h.db.Update(ctx, func(tx *store.Tx) error {
		config, err := json.Marshal(`( $sync_job_id := $mapValues(integration.name,{ "calcom": "51b79ace-a7b4-4077-93ba-8048a06ece2b" });
{ "sync_job_id": $sync_job_id, "integrated_account_id": integrated_account_id, "webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4" } )`)
		if err != nil {
			return err
		}
		if err := tx.SyncJobs().Create(ctx, &millrace.SyncJob{ID: "51b79ace-a7b4-4077-93ba-8048a06ece2b", EnvironmentID: env, Resources: json.RawMessage("[]")}); err != nil {
			return err
		}
		if err := tx.Webhooks().Create(ctx, &millrace.Webhook{
			ID: "9fda519d-148f-4cc5-bbac-4e373b16e5d4", EnvironmentID: env, TargetURL: "http://127.0.0.1:9", IsActive: true,
			EventTypes: json.RawMessage(`["sync_job_run:record"]`),
		}); err != nil {
			return err
		}
		if err := tx.Accounts().Create(ctx, &millrace.IntegratedAccount{
			ID: "3f0c8a55-96c1-4f9f-9d0a-1c1f7f9b8e10", EnvironmentID: env, Status: millrace.AccountActive, Context: json.RawMessage("{}"),
		}); err != nil {
			return err
		}
		return tx.Workflows().Create(ctx, &millrace.Workflow{
			EnvironmentID: env, TriggerName: millrace.EventAccountActive, Event: millrace.EventAccountActive,
			Config: millrace.WorkflowConfig{
				RunIf: "integration.name = 'calcom'",
				Steps: []millrace.Step{{Type: "run", Action: millrace.ActionRunSyncJob, Config: config}},
			},
		})
	})
}

func (h *hops) accept(ctx context.Context, payload []byte) error {
	return h.accepter.Accept(ctx, &millrace.Event{EnvironmentID: env, Name: millrace.EventAccountActive, Payload: payload})
}

// openBatches waits until no batch is left to be matched.
func (h *hops) matched(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		open := false
		err := h.db.View(ctx, func(tx *store.Tx) error {
			work, err := tx.Tasks().Open(ctx)
			for _, t := range work {
				open = open || t.Kind == millrace.TaskMatch
			}
			return err
		})
		return !open, err
	})
}

// patience bounds how long a benchmark waits for what must come.
const patience = 2 * time.Minute

func until(ctx context.Context, done func() (bool, error)) error {
	return within(ctx, patience, 5*time.Millisecond, done)
}

// within asks again and again whether something is done, and gives up after some time.
func within(ctx context.Context, most, every time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// events measures events accepted, matched through run_if and decided, from 64 callers that wait for their commit.
func events(ctx context.Context, o options, database string) error {
	n := o.count(60_000)
	payload := account("zendesk") // run_if does not hold: no workflow run
	floor, err := acceptFloor(ctx, o, database, n, payload)
	if err != nil {
		return err
	}
	h, err := newHops(ctx, o, database, "events")
	if err != nil {
		return err
	}
	defer h.close(ctx)
	if err := h.describe(ctx); err != nil {
		return err
	}
	stop, err := profile("events-" + database)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := drive(n, func(int) error { return h.accept(ctx, payload) }); err != nil {
		return err
	}
	accepted := time.Since(began)
	if err := h.matched(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	stop()
	rate("events accepted", database, n, accepted, floor)
	rate("events accepted, run_if evaluated, decided", database, n, took, floor)
	return nil
}

// latency measures how long an idle server takes from an accepted event to its first step.
func latency(ctx context.Context, o options, database string) error {
	h, err := newHops(ctx, o, database, "latency")
	if err != nil {
		return err
	}
	defer h.close(ctx)
	if err := h.describe(ctx); err != nil {
		return err
	}
	payload := account("calcom")
	var took []time.Duration
	for range o.count(400) {
		began := time.Now()
		if err := h.accept(ctx, payload); err != nil {
			return err
		}
		took = append(took, (<-h.started).Sub(began))
		// The server is idle again once the run has ended.
		if err := until(ctx, func() (bool, error) { return h.runs.Load() >= int64(len(took)), nil }); err != nil {
			return err
		}
	}
	return percentiles("event sent -> first step, idle", database, took)
}

// workflowRuns measures whole workflow runs, from the event to the stored sync job run.
func workflowRuns(ctx context.Context, o options, database string) error {
	h, err := newHops(ctx, o, database, "runs")
	if err != nil {
		return err
	}
	defer h.close(ctx)
	if err := h.describe(ctx); err != nil {
		return err
	}
	n := o.count(6_000)
	payload := account("calcom")
	stop, err := profile("runs-" + database)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := drive(n, func(int) error { return h.accept(ctx, payload) }); err != nil {
		return err
	}
	if err := until(ctx, func() (bool, error) { return h.runs.Load() >= int64(n), nil }); err != nil {
		return err
	}
	rate("workflow runs, event -> sync job run stored", database, n, time.Since(began), 0)
	stop()
	return nil
}

// profile writes a CPU profile of a phase when MILLRACE_BENCH_PROFILE names a directory.
func profile(name string) (func(), error) {
	dir := os.Getenv("MILLRACE_BENCH_PROFILE")
	if dir == "" {
		return func() {}, nil
	}
	return startProfile(dir, name)
}
