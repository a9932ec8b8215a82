package demo

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/millrace/millrace/client"
	"github.com/millrace/millrace/examples"
)

// send posts one of the example files.
func (d *demo) send(ctx context.Context, path, file, contentType string, out any) error {
	body, err := examples.Files.ReadFile(file)
	if err != nil {
		return err
	}
	return d.api.Send(ctx, &client.Request{Method: http.MethodPost, Path: path, Body: body, Header: http.Header{"Content-Type": {contentType}}}, out)
}

type created struct {
	ID      string `json:"id"`
	Secret  string `json:"secret"`
	Version int    `json:"version"`
}

// describe creates what a team would create once.
func (d *demo) describe(ctx context.Context) error {
	s := d.screen
	var integration, webhook, job, workflow created
	if err := d.send(ctx, "/integration", "integration-calcom.yaml", "application/yaml", &integration); err != nil {
		return err
	}
	var install created
	if err := d.api.Post(ctx, "/environment-integration", map[string]any{"integration_id": integration.ID}, &install); err != nil {
		return err
	}
	s.hop("integration", "calcom, as data: base URL, API key, take/skip pages")
	err := d.api.Post(ctx, "/webhook", map[string]any{
		"id": examples.WebhookID, "target_url": d.hook,
		"event_types": []string{"sync_job_run:started", "sync_job_run:record", "sync_job_run:completed", "sync_job_run:failed"},
	}, &webhook)
	if err != nil {
		return err
	}
	d.receiver.setSecret(webhook.Secret)
	s.hop("webhook", "%s", webhook.ID)
	if err := d.send(ctx, "/sync-job", "sync-job-bookings.yaml", "application/yaml", &job); err != nil {
		return err
	}
	s.hop("sync job", "%s  bookings -> JSONata -> webhook", job.ID)
	if err := d.send(ctx, "/workflow", "workflow.json", "application/json", &workflow); err != nil {
		return err
	}
	s.hop("workflow", "on integrated_account:active, run_if integration.name = 'calcom', step run_sync_job")
	var account created
	s.title("A customer connects")
	err = d.api.Post(ctx, "/integrated-account", map[string]any{
		"tenant_id": "acme", "environment_integration_id": install.ID, "authentication_method": "api_key",
		"context": map[string]any{"api_key": apiKey, "base_url": d.provider},
	}, &account)
	d.account = account.ID
	s.hop("account", "%s  calcom, tenant acme; its API key is sealed and never shown again", account.ID)
	return err
}

type syncRun struct {
	ID            string         `json:"id"`
	Status        string         `json:"status"`
	Error         map[string]any `json:"error"`
	WorkflowRunID string         `json:"workflow_run_id"`
}

// follow watches the event become a finished run.
func (d *demo) follow(ctx context.Context) (*syncRun, error) {
	if err := d.followEvent(ctx); err != nil {
		return nil, err
	}
	var run syncRun
	err := poll(ctx, "the sync job run", func() (bool, error) {
		var list struct {
			Result []syncRun `json:"result"`
		}
		if err := d.api.Get(ctx, "/sync-job-run?integrated_account_id="+d.account, &list); err != nil || len(list.Result) == 0 {
			return false, err
		}
		run = list.Result[0]
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	var woken struct {
		Status string `json:"status"`
	}
	if err := poll(ctx, "the workflow run", func() (bool, error) {
		err := d.api.Get(ctx, "/workflow-run/"+run.WorkflowRunID, &woken)
		return woken.Status == "completed" || woken.Status == "failed", err
	}); err != nil {
		return nil, err
	}
	d.screen.hop("run", "workflow run %s: step 1 run_sync_job -> sync job run %s", woken.Status, run.ID)
	err = poll(ctx, "the records", func() (bool, error) {
		got := d.receiver.snapshot()
		d.screen.bar(len(got.ids), len(d.bookings), got.pages)
		if err := d.api.Get(ctx, "/sync-job-run/"+run.ID, &run); err != nil {
			return false, err
		}
		return run.Status == "completed" || run.Status == "failed" || run.Status == "stopped", nil
	})
	got := d.receiver.snapshot()
	d.screen.bar(len(got.ids), len(d.bookings), got.pages)
	return &run, err
}

func (d *demo) followEvent(ctx context.Context) error {
	type event struct {
		ID        string    `json:"id"`
		Event     string    `json:"event"`
		CreatedAt time.Time `json:"created_at"`
		Decisions []struct {
			Outcome string `json:"outcome"`
			Version int    `json:"workflow_version"`
		} `json:"decisions"`
	}
	var e event
	err := poll(ctx, "the event", func() (bool, error) {
		var list struct {
			Result []event `json:"result"`
		}
		if err := d.api.Get(ctx, "/event?event=integrated_account:active", &list); err != nil || len(list.Result) == 0 {
			return false, err
		}
		e = list.Result[0]
		return true, nil
	})
	if err != nil {
		return err
	}
	d.screen.hop("event", "%s  %s", e.Event, e.ID)
	err = poll(ctx, "the decision", func() (bool, error) {
		err := d.api.Get(ctx, "/event/"+e.ID, &e)
		return len(e.Decisions) > 0, err
	})
	if err == nil {
		d.screen.hop("decision", "%s  workflow version %d, integration.name = 'calcom' held", e.Decisions[0].Outcome, e.Decisions[0].Version)
	}
	return err
}

// summary checks what arrived against what the API has, record by record.
func (d *demo) summary(ctx context.Context, run *syncRun, signedIn string) error {
	got := d.receiver.snapshot()
	want := make([]string, len(d.bookings))
	for i, b := range d.bookings {
		want[i] = b.UID
	}
	kinds := []string{"sync_job_run:started"}
	for range got.pages {
		kinds = append(kinds, "sync_job_run:record")
	}
	kinds = append(kinds, "sync_job_run:completed")
	s := d.screen
	s.hop("deliveries", "%d requests: started, %d pages of records, completed; each got a 200 before the next was sent", got.requests, got.pages)
	s.hop("verified", "%d X-Truto-Signature, %d webhook-signature", got.truto, got.standard)
	s.title("Checked, not assumed")
	ok := s.check(run.Status == "completed", "sync job run", "%s%s", run.Status, because(run))
	ok = s.check(len(got.ids) == len(want), "records", "%d sent by the API, %d received", len(want), len(got.ids)) && ok
	ok = s.check(slices.Equal(got.ids, want), "order", "record by record, as the API lists them") && ok
	ok = s.check(slices.Equal(got.events, kinds), "events", "started, then records, then completed") && ok
	ok = s.check(got.truto == got.requests && got.standard == got.requests && got.requests > 0, "signatures", "%d of %d valid in both schemes", min(got.truto, got.standard), got.requests) && ok
	alive, err := d.staysAlive(ctx, signedIn)
	if err != nil {
		s.line("       %v", err)
	}
	ok = alive && ok
	for _, p := range got.problems {
		s.line("       %s", p)
	}
	s.line("")
	if !ok {
		s.line("%s", s.paint("31", "The demo failed."))
		return ErrFailed
	}
	took := time.Since(d.began).Round(10 * time.Millisecond)
	s.line("%s", s.paint("32", fmt.Sprintf("All of it held, in %s.", took)))
	return nil
}

func because(run *syncRun) string {
	if message, ok := run.Error["message"]; ok {
		return fmt.Sprintf(": %v", message)
	}
	return ""
}
