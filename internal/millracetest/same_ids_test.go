package millracetest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/provider"
	"github.com/millrace/millrace/internal/store/storetest"
)

// sameIDs are the kinds of objects whose id a client may choose, in the order in which they are made, each with its id.
func sameIDs() [][2]string {
	kinds := []string{
		"integration", "environment-integration", "integrated-account", "webhook", "notification-destination", "sync-job",
		"sync-job-template", "sync-job-cron-trigger", "workflow", "sync-job-run", "event",
	}
	out := make([][2]string, len(kinds))
	for i, kind := range kinds {
		out[i] = [2]string{kind, fmt.Sprintf("7f000000-0000-4000-8000-0000000000%02x", i+1)}
	}
	return out
}

func idOf(kind string) string {
	for _, pair := range sameIDs() {
		if pair[0] == kind {
			return pair[1]
		}
	}
	panic(kind)
}

// sameBodies are the bodies by kind. The workflow's event comes last and starts a run.
func sameBodies(api, hook string) map[string]map[string]any {
	const event = "custom:same"
	job, account, webhook := idOf("sync-job"), idOf("integrated-account"), idOf("webhook")
	resources := []any{
		map[string]any{"name": "bookings", "type": "request", "resource": "bookings", "method": "list", "integrated_account_id": "{{args.integrated_account_id}}"},
		map[string]any{"name": "to-webhook", "type": "destination", "destination_type": "webhook", "config": map[string]any{"id": "{{args.webhook_id}}"}, "resources_to_persist": []string{"bookings"}},
	}
	run := map[string]any{"sync_job_id": job, "integrated_account_id": account, "webhook_id": webhook}
	return map[string]map[string]any{
		"integration": {"name": "calcom", "config": map[string]any{
			"label": "Cal.com", "base_url": "{{base_url}}",
			"authorization": map[string]any{"format": "header", "config": map[string]any{"header_name": "Authorization", "header_value": "Bearer {{api_key}}"}},
			"pagination":    map[string]any{"format": "offset", "config": map[string]any{"offset_key": "offset", "limit_key": "limit", "max_limit": 5}},
			"resources":     map[string]any{"bookings": map[string]any{"list": map[string]any{"path": "/bookings", "response_path": "data"}}},
			"webhook":       map[string]any{"payload_transform": `$map([body], function($v) {{ "event_type": "created", "resource": "bookings", "data": $v }})`},
		}},
		"environment-integration": {"integration_id": idOf("integration")},
		"integrated-account": {
			"tenant_id": "acme", "environment_integration_id": idOf("environment-integration"), "authentication_method": "api_key",
			"context": map[string]any{"api_key": "key", "base_url": api},
		},
		"webhook":                  {"target_url": hook, "event_types": []string{event}},
		"notification-destination": {"type": "webhook", "config": map[string]any{"target_url": hook}, "event_types": []string{"webhook:failing"}},
		"sync-job":                 {"integration_name": "calcom", "default_runtime_version": 4, "resources": resources},
		"sync-job-template":        {"label": "Same", "default_runtime_version": 4, "integration_name": "calcom", "resources": resources},
		"sync-job-cron-trigger":    {"sync_job_id": job, "integrated_account_id": account, "webhook_id": webhook, "cron_expression": "0 0 1 1 *"},
		"workflow": {"trigger_name": event, "config": map[string]any{"steps": []any{map[string]any{
			"type": "run", "action": "run_sync_job",
			"config": fmt.Sprintf(`{ "sync_job_id": %q, "integrated_account_id": %q, "webhook_id": %q }`, job, account, webhook),
		}}}},
		"sync-job-run": run,
		"event":        {"event": event, "payload": map[string]any{"n": 1}},
	}
}

// tenant is an environment that uses the ids.
type tenant struct {
	t *testing.T
	*millracetest.Client
	hook string
	env  string
}

// build makes an object of each kind under its id.
func (c *tenant) build(collector *millracetest.Collector, api, hooks string) {
	c.t.Helper()
	var own struct{ Result []struct{ ID string } }
	if err := c.Get(c.t.Context(), "/environment", &own); err != nil {
		c.t.Fatal(err)
	}
	c.env = own.Result[0].ID
	bodies := sameBodies(api, hooks+"/"+c.hook)
	for _, pair := range sameIDs() {
		body := bodies[pair[0]]
		body["id"] = pair[1]
		var created struct{ ID, Secret string }
		if err := c.Post(c.t.Context(), "/"+pair[0], body, &created); err != nil {
			c.t.Fatalf("%s: %v", c.hook, err)
		}
		if created.ID != pair[1] {
			c.t.Errorf("%s: %s got the id %s, want the one that was chosen", c.hook, pair[0], created.ID)
		}
		if pair[0] == "webhook" {
			collector.SetSecret(c.hook, created.Secret)
		}
	}
}

// runs waits until all runs have ended and returns them.
func (c *tenant) runs(want int) []millrace.SyncJobRun {
	c.t.Helper()
	var page struct{ Result []millrace.SyncJobRun }
	millracetest.Wait(c.t, 2*time.Minute, func() (bool, any) {
		page.Result = nil
		if err := c.Get(c.t.Context(), "/sync-job-run", &page); err != nil {
			c.t.Fatal(err)
		}
		ended := len(page.Result) == want
		for _, r := range page.Result {
			ended = ended && r.Status.Finished()
		}
		return ended, page.Result
	})
	for _, r := range page.Result {
		if r.Status != millrace.RunCompleted {
			c.t.Errorf("%s: run %s is %s: %s", c.hook, r.ID, r.Status, r.Error)
		}
	}
	return page.Result
}

func (c *tenant) check(collector *millracetest.Collector) {
	c.t.Helper()
	c.runs(2) // that with the id, and that of the workflow
	millracetest.Wait(c.t, time.Minute, func() (bool, any) {
		records, events := 0, 0
		for _, r := range collector.First(c.hook) {
			switch r.Event {
			case millrace.EventRunRecord:
				records++
			case "custom:same":
				events++
			}
		}
		return records == 8 && events == 1, fmt.Sprint(records, " pages, ", events, " events") // 4 pages of 5 in each run
	})
	for _, pair := range sameIDs() {
		var list struct {
			Result []struct {
				ID            string
				EnvironmentID string `json:"environment_id"`
			}
		}
		if err := c.Get(c.t.Context(), "/"+pair[0]+"?id="+pair[1], &list); err != nil {
			c.t.Fatal(err)
		}
		if len(list.Result) != 1 || list.Result[0].ID != pair[1] || list.Result[0].EnvironmentID != "" && list.Result[0].EnvironmentID != c.env {
			c.t.Errorf("%s: got %+v for %s, want its own one", c.hook, list.Result, pair[0])
		}
	}
}

// tell tells about the account as its provider, and returns the status.
func (c *tenant) tell(path, body string) int {
	c.t.Helper()
	status, response, err := c.CallAs(c.t.Context(), http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, []byte(body))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("%s: %s: %d %s", c.hook, path, status, response)
	return status
}

// hooked returns how many hooks are stored.
func (c *tenant) hooked() int {
	c.t.Helper()
	var list struct{ Result []struct{ ID string } }
	if err := c.Get(c.t.Context(), "/inbound-hook", &list); err != nil {
		c.t.Fatal(err)
	}
	return len(list.Result)
}

func TestOneIDInManyEnvironments(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		server := millracetest.Start(t, url, nil)
		collector := millracetest.NewCollector()
		hooks := millracetest.Listen(t, collector)
		api := millracetest.Listen(t, &provider.API{Resources: map[string]*provider.Resource{
			"bookings": {Pagination: "offset", PageSize: 5, Count: 20},
		}})
		tenants := []*tenant{
			{t, server.Client, "first", ""},
			{t, server.NewEnvironment(t, "Second"), "second", ""},
			{t, server.NewEnvironment(t, "Third"), "third", ""},
		}
		for _, c := range tenants {
			c.build(collector, api, hooks)
		}
		for _, c := range tenants {
			c.check(collector)
		}
		if problems := collector.Problems(); len(problems) > 0 {
			t.Errorf("the collector: %v", problems)
		}
		checkAddresses(t, tenants)
		checkRemoval(t, tenants)
	})
}

// checkAddresses checks where inbound hooks go. The id alone is the first environment's, where it was chosen.
func checkAddresses(t *testing.T, tenants []*tenant) {
	t.Helper()
	const path = "/integrated-account-webhook/"
	id := idOf("integrated-account")
	for k, c := range tenants {
		if got := c.tell(path+c.env+"/"+id, `{"n":`+strconv.Itoa(k)+`}`); got != http.StatusOK || c.hooked() != 1 {
			t.Errorf("%s with its environment: %d, %d hooks", c.hook, got, c.hooked())
		}
	}
	if got := tenants[1].tell(path+id, `{}`); got != http.StatusOK {
		t.Errorf("by its id alone: %d", got)
	}
	if a, b := tenants[0].hooked(), tenants[1].hooked(); a != 2 || b != 1 {
		t.Errorf("got %d and %d hooks, want that to the id alone in the first environment", a, b)
	}
	// An id of ours may be addressed alone, and stays so when another environment takes it.
	second := tenants[1]
	body := map[string]any{
		"tenant_id": "acme", "environment_integration_id": idOf("environment-integration"), "authentication_method": "api_key", "context": map[string]any{"api_key": "x"},
	}
	var made struct{ ID string }
	if err := second.Post(t.Context(), "/integrated-account", body, &made); err != nil {
		t.Fatal(err)
	}
	body["id"] = made.ID
	for _, squatter := range []*tenant{tenants[0], tenants[2]} {
		if err := squatter.Post(t.Context(), "/integrated-account", body, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := second.tell(path+made.ID, `{}`); got != http.StatusOK || second.hooked() != 2 {
		t.Errorf("an id of ours alone: %d, %d hooks", got, second.hooked())
	}
}

// checkRemoval checks that removing an object removes no other one of its id.
func checkRemoval(t *testing.T, tenants []*tenant) {
	t.Helper()
	first, second := tenants[0], tenants[1]
	for _, kind := range []string{"sync-job-cron-trigger", "workflow", "webhook", "notification-destination", "sync-job", "sync-job-template", "integrated-account"} {
		path := "/" + kind + "/" + idOf(kind)
		status, response, err := second.Call(t.Context(), http.MethodDelete, path, "", nil)
		if err != nil || status != http.StatusOK {
			t.Fatalf("delete %s: %d %s %v", path, status, response, err)
		}
		if err := first.Get(t.Context(), path, nil); err != nil {
			t.Errorf("the first environment's: %v", err)
		}
		if status, _, _ := second.Call(t.Context(), http.MethodGet, path, "", nil); status != http.StatusNotFound {
			t.Errorf("%s is still there: %d", path, status)
		}
	}
}

// TestComingIDsCannotBeTaken lets a hostile environment take the ids of a run, and of its deliveries, before they come.
func TestComingIDsCannotBeTaken(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		server := millracetest.Start(t, url, nil)
		collector := millracetest.NewCollector()
		hooks := millracetest.Listen(t, collector)
		api := millracetest.Listen(t, &provider.API{Resources: map[string]*provider.Resource{
			"bookings": {Pagination: "offset", PageSize: 5, Count: 20},
		}})
		victim := &tenant{t, server.Client, "victim", ""}
		squatter := &tenant{t, server.NewEnvironment(t, "Squatter"), "squatter", ""}
		squatter.build(collector, api, hooks)
		squatter.runs(2)
		env := string(millrace.FirstEnvironmentID())
		event, workflow := idOf("event"), idOf("workflow")
		taken := 0
		for _, tail := range [][]string{nil, {env}, {squatter.env}} {
			derive := func(parts ...string) string { return millrace.DeriveID[string](append(parts, tail...)...) }
			run := derive(derive(event, workflow), "0")
			for _, id := range []string{run, derive(run, "1"), derive(run, "2"), derive(event, idOf("webhook"))} {
				body := map[string]any{"id": id, "sync_job_id": idOf("sync-job"), "integrated_account_id": idOf("integrated-account"), "webhook_id": idOf("webhook")}
				if err := squatter.Post(t.Context(), "/sync-job-run", body, nil); err == nil {
					taken++
				}
				if err := squatter.Post(t.Context(), "/event", map[string]any{"id": id, "event": "custom:x"}, nil); err == nil {
					taken++
				}
			}
		}
		t.Logf("the squatter has taken %d ids", taken)
		victim.build(collector, api, hooks)
		victim.check(collector)
		checkProxy(t, victim, squatter)
	})
}

// checkProxy checks that no call to a provider is made on behalf of another environment's account.
func checkProxy(t *testing.T, victim, squatter *tenant) {
	t.Helper()
	body := sameBodies("https://unused.test", "")["integrated-account"]
	var made struct{ ID string }
	if err := victim.Post(t.Context(), "/integrated-account", body, &made); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"GET /proxy/bookings", "POST /proxy/bookings", "DELETE /proxy/bookings/1", "POST /proxy/_/run", "GET /custom/bookings", "PUT /custom/bookings"} {
		method, path, _ := strings.Cut(call, " ")
		status, response, err := squatter.Call(t.Context(), method, path+"?integrated_account_id="+made.ID, "application/json", []byte("{}"))
		if err != nil || status != http.StatusNotFound {
			t.Errorf("%s for another environment's account: %d %s %v", call, status, response, err)
		}
	}
}
