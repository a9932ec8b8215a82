package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/provider"
)

type named struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// ids of what a trial needs follow from its name, so that a request that got no response can be repeated.
func (t *Trial) id(what string) string { return millrace.DeriveID[string](t.Name, what) }

// RunID is the id of the trial's sync job run.
func (t *Trial) RunID() millrace.SyncJobRunID { return millrace.SyncJobRunID(t.id("run")) }

// hooks are the names of the trial's webhooks: the run's own and the other.
func (t *Trial) hooks() []string { return []string{t.Name + "-own", t.Name + "-other"} }

// Configure creates everything but the run.
func (t *Trial) Configure(ctx context.Context, c *millracetest.Client, apis string, hooks string, collector *millracetest.Collector) error {
	var integration, install named
	if err := c.Post(ctx, "/integration", map[string]any{"name": t.Name, "config": t.integration()}, &integration); err != nil {
		return err
	}
	if err := c.Post(ctx, "/environment-integration", map[string]any{"integration_id": integration.ID}, &install); err != nil {
		return err
	}
	err := c.Post(ctx, "/integrated-account", map[string]any{
		"id": t.id("account"), "tenant_id": t.Name, "environment_integration_id": install.ID, "authentication_method": "api_key",
		"context": map[string]any{"api_key": t.Provider.Key, "base_url": apis + "/" + t.Name},
	}, nil)
	if err != nil {
		return err
	}
	for i, name := range t.hooks() {
		var hook named
		err := c.Post(ctx, "/webhook", map[string]any{
			"id": t.id(name), "target_url": hooks + "/" + name, "event_types": []string{"sync_job_run:deleted"},
		}, &hook)
		if err != nil {
			return err
		}
		collector.SetSecret(name, hook.Secret)
		collector.SetScript(name, t.Responses[i])
	}
	return c.Post(ctx, "/sync-job", map[string]any{
		"id": t.id("job"), "integration_name": t.Name, "default_runtime_version": 4, "error_handling": t.Handling, "resources": t.job(),
	}, nil)
}

// Start starts the run. It repeats the request until there is a response, since the server may die.
func (t *Trial) Start(ctx context.Context, c *millracetest.Client) error {
	body, err := json.Marshal(map[string]any{
		"id": t.RunID(), "sync_job_id": t.id("job"), "integrated_account_id": t.id("account"), "webhook_id": t.id(t.hooks()[0]),
		"args": map[string]any{"items": items(), "other": t.id(t.hooks()[1])},
	})
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		status, response, err := c.Call(context.WithoutCancel(ctx), http.MethodPost, "/sync-job-run", "application/json", body)
		switch {
		case err == nil && status < http.StatusBadRequest, err == nil && status == http.StatusConflict && try > 0:
			return nil
		case err == nil && status < http.StatusInternalServerError:
			return fmt.Errorf("start the run: %d %s", status, response)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		time.Sleep(15 * time.Millisecond)
	}
}

func (t *Trial) integration() map[string]any {
	resources := map[string]any{}
	for name, res := range t.Provider.Resources {
		resources[name] = map[string]any{"list": res.Method(name, res.HasGaps())}
	}
	config := map[string]any{
		"label": t.Name, "base_url": "{{base_url}}", "resources": resources,
		"authorization": map[string]any{"format": "header", "config": map[string]any{"header_name": "Authorization", "header_value": "Bearer {{api_key}}"}},
	}
	if t.limits {
		config["rate_limit"] = provider.RateLimitConfig()
	}
	return config
}

// job returns the resources of the sync job.
func (t *Trial) job() []any {
	var out []any
	for _, n := range t.nodes {
		out = append(out, t.element(n))
	}
	for _, s := range t.sinks {
		var names []string
		for _, n := range s.from {
			names = append(names, n.name)
		}
		e := map[string]any{"name": s.name, "type": "destination", "destination_type": "webhook", "resources_to_persist": names}
		if s.other {
			e["config"] = map[string]any{"id": "{{args.other}}"}
		}
		if s.several {
			e["run_if"] = "$count(payload.records) > 1"
		}
		out = append(out, e)
	}
	return out
}

func (t *Trial) element(n *node) map[string]any {
	e := map[string]any{"name": n.name, "type": n.kind}
	above := ""
	if n.up != nil {
		e["depends_on"] = n.up.name
		above = valueOf(n.up)
	}
	switch n.when {
	case whenEven:
		e["run_if"] = fmt.Sprintf("resources.%s.n %% 2 = 0", above)
	case whenSeveral:
		e["run_if"] = fmt.Sprintf("$count(resources.%s) > 1", above)
	}
	switch n.kind {
	case kindTransform:
		e["config"] = map[string]any{"expression": expressionOf(n.shape, above)}
	case kindAddContext:
		e["config"] = map[string]any{"expression": fmt.Sprintf(`{%q: "c" & resources.%s.id}`, n.name, above)}
	case kindRequest:
		t.elementOfRequest(n, e, above)
	}
	return e
}

func (t *Trial) elementOfRequest(n *node, e map[string]any, above string) {
	e["resource"], e["method"], e["integrated_account_id"] = resourceOf(n), "list", "{{args.integrated_account_id}}"
	query := map[string]any{}
	switch {
	case above == "":
	case t.Provider.Resources[resourceOf(n)].Parent != "":
		e["id"] = "{{resources." + above + ".id}}"
	default:
		query["of"] = "{{resources." + above + ".id}}"
	}
	if n.loops {
		e["loop_on"], query["el"] = "args.items", "{{args.items}}"
	}
	if n.sends != "" {
		query["c"] = "{{" + n.sends + "?:none}}"
	}
	if n.recurses {
		e["recurse"] = map[string]any{
			"if":     "{{resources." + n.name + ".more:bool}}",
			"config": map[string]any{"query": map[string]any{"of": "{{resources." + n.name + ".id}}"}},
		}
	}
	if len(query) > 0 {
		e["query"] = query
	}
}

// valueOf returns the name under which what stands at a node is found: an add_context node has no records of its own.
func valueOf(n *node) string {
	for n.kind == kindAddContext {
		n = n.up
	}
	return n.name
}
