package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// scenario is what other environments do, all at the same time.
type scenario struct {
	name, title string
	attacks     []attack
}

// attack is what one environment does: once, or again and again while the neighbour is measured.
type attack struct {
	prepare, begin func(ctx context.Context, a *attacker) error
	again          time.Duration // 0: once
}

// judged returns the hops that the limits hold for.
func (s scenario) judged() []string {
	if s.name == "hanging" {
		return []string{hopStarted, hopEvent}
	}
	return []string{hopStarted}
}

func scenarios() []scenario {
	return []scenario{
		{"fanout", "one POST whose workflows fan out 15-fold eight times", []attack{fanOut()}},
		{"conditions", "50 events times 200 conditions at their step limit", []attack{conditions()}},
		{"runs", "one event to 10,000 runs", []attack{manyRuns()}},
		{"workflows", "20 events times 100,000 workflows", []attack{manyWorkflows()}},
		{"schedules", "10,000 schedules due within a minute", []attack{manySchedules(time.Minute)}},
		{"instant", "10,000 schedules due in one instant", []attack{manySchedules(0)}},
		{"endless", "200 endless runs", []attack{endlessRuns()}},
		{"hanging", "500 hanging webhooks", []attack{hangingWebhooks()}},
		{"together", "three environments: conditions, one event to 10,000 runs, endless runs", []attack{conditions(), manyRuns(), endlessRuns()}},
	}
}

// emptyJob does nothing, for as little as a run can cost.
const emptyJob = `{"label":"Nothing","default_runtime_version":4,"resources":[{"name":"nothing","type":"transform","config":{"expression":"{}"}}]}`

// addJob creates the sync job that does nothing.
func (a *attacker) addJob(ctx context.Context) error {
	var job made
	err := a.call(ctx, http.MethodPost, "/sync-job", json.RawMessage(emptyJob), &job)
	a.job = job.ID
	return err
}

// step starts a run of the sync job that does nothing.
func (a *attacker) step() []millrace.Step {
	return []millrace.Step{{Type: "run", Action: millrace.ActionRunSyncJob, Config: json.RawMessage(fmt.Sprintf(`{"sync_job_id":%q}`, a.job))}}
}

// addWorkflows stores n workflows on an event.
func (a *attacker) addWorkflows(ctx context.Context, n int, event, runIf string) error {
	return a.bulk(ctx, n, func(tx *store.Tx, i int) error {
		return tx.Workflows().Create(ctx, &millrace.Workflow{
			EnvironmentID: a.env, Label: strconv.Itoa(i), TriggerName: event, Event: event,
			Config: millrace.WorkflowConfig{RunIf: runIf, Steps: a.step()},
		})
	})
}

// post sends events at the same time.
func (a *attacker) post(ctx context.Context, n int) error {
	errs := make(chan error, n)
	for i := range n {
		go func() {
			errs <- a.call(ctx, http.MethodPost, "/event", map[string]any{"event": "custom:flood", "payload": map[string]any{"i": i}}, nil)
		}()
	}
	var failed error
	sent := 0
	for range n {
		if err := <-errs; err != nil {
			failed = err
		} else {
			sent++
		}
	}
	if sent > 0 {
		return nil // limits may reject the rest
	}
	return failed
}

// fanOut is one event that makes 15 runs, each of which makes 15 more, without end.
func fanOut() attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			if err := a.addJob(ctx); err != nil {
				return err
			}
			for _, event := range []string{"custom:flood", "sync_job_run:created"} {
				if err := a.addWorkflows(ctx, 15, event, ""); err != nil {
					return err
				}
			}
			return nil
		},
		begin: func(ctx context.Context, a *attacker) error { return a.post(ctx, 1) },
		again: 10 * time.Second,
	}
}

// conditions never end by themselves.
func conditions() attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			if err := a.addJob(ctx); err != nil {
				return err
			}
			return a.addWorkflows(ctx, a.o.count(200), "custom:flood", "($f := function($n) { $f($n + 1) }; $f(0) = 1)")
		},
		begin: func(ctx context.Context, a *attacker) error { return a.post(ctx, 50) },
		again: 10 * time.Second,
	}
}

// manyRuns is one event that many workflows start a run for.
func manyRuns() attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			if err := a.addJob(ctx); err != nil {
				return err
			}
			return a.addWorkflows(ctx, a.o.count(10_000), "custom:flood", "")
		},
		begin: func(ctx context.Context, a *attacker) error { return a.post(ctx, 1) },
		again: 10 * time.Second,
	}
}

// manyWorkflows are workflows whose conditions do not hold.
func manyWorkflows() attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			if err := a.addJob(ctx); err != nil {
				return err
			}
			return a.addWorkflows(ctx, a.o.count(100_000), "custom:flood", "i = 'never'")
		},
		begin: func(ctx context.Context, a *attacker) error { return a.post(ctx, 20) },
		again: 10 * time.Second,
	}
}

// manySchedules are due within a window, from the moment the neighbour is attacked on.
func manySchedules(window time.Duration) attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			if err := a.addJob(ctx); err != nil {
				return err
			}
			n := a.o.count(10_000)
			l := a.o.lengths()
			began := time.Now().Add(l.idle + 3*time.Second + time.Duration(n)*100*time.Microsecond) // for storing them and the idle phase
			return a.bulk(ctx, n, func(tx *store.Tx, i int) error {
				return tx.Schedules().Create(ctx, &millrace.SyncJobCronTrigger{
					EnvironmentID: a.env, SyncJobID: millrace.SyncJobID(a.job), CronExpression: "0 0 1 1 *", Args: json.RawMessage("{}"),
					NextRunAt: millrace.TimeOf(began.Add(time.Duration(i) * window / time.Duration(n))),
				})
			})
		},
		begin: func(context.Context, *attacker) error { return nil }, // they are due by themselves
	}
}

// endlessJob pages through what has no end and delivers it.
const endlessJob = `{"label":"No end","integration_name":"quiet","default_runtime_version":4,
"args_schema":{"integrated_account_id":{"type":"string","format":"integrated_account_id","required":true},"webhook_id":{"type":"string","format":"webhook_id","required":true}},
"resources":[{"name":"items","type":"request","resource":"items","method":"list","integrated_account_id":"{{args.integrated_account_id}}"},
{"name":"send","type":"destination","destination_type":"webhook","config":{"id":"{{args.webhook_id}}"},"resources_to_persist":["items"]}]}`

// endlessRuns are runs of one account whose provider always has a next page, at once.
func endlessRuns() attack {
	var job, hook made
	var account string
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			page := bookings(0, pageSize)
			from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(page)
			}))
			to := httptest.NewServer(&sink{})
			a.ends = append(a.ends, from.Close, to.Close)
			var err error
			if account, err = a.connectTo(ctx, quietIntegration, from.URL); err != nil {
				return err
			}
			if err := a.call(ctx, http.MethodPost, "/webhook", map[string]any{
				"target_url": to.URL, "is_active": true, "event_types": []string{"sync_job_run:record"},
			}, &hook); err != nil {
				return err
			}
			return a.call(ctx, http.MethodPost, "/sync-job", json.RawMessage(endlessJob), &job)
		},
		begin: func(ctx context.Context, a *attacker) error {
			return drive(a.o.count(200), func(int) error {
				return a.call(ctx, http.MethodPost, "/sync-job-run", map[string]any{
					"sync_job_id": job.ID, "integrated_account_id": account, "webhook_id": hook.ID,
				}, nil)
			})
		},
	}
}

// hangingWebhooks take connections and never say anything.
func hangingWebhooks() attack {
	return attack{
		prepare: func(ctx context.Context, a *attacker) error {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			a.ends = append(a.ends, swallow(l))
			return drive(a.o.count(500), func(i int) error {
				return a.call(ctx, http.MethodPost, "/webhook", map[string]any{
					"target_url": fmt.Sprintf("http://%s/%d", l.Addr(), i), "is_active": true, "event_types": []string{"custom:flood"},
				}, nil)
			})
		},
		begin: func(ctx context.Context, a *attacker) error { return a.post(ctx, 3) },
		again: 5 * time.Second,
	}
}

// swallow takes connections and reads what comes; the function ends it.
func swallow(l net.Listener) func() {
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	return func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	}
}
