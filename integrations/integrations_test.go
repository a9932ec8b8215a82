package integrations_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/integrations"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// now is when the contracts happen; the times in their headers refer to it.
func now() time.Time { return time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC) } // 1740830400

func each(t *testing.T, test func(t *testing.T, i *integrations.Integration)) {
	t.Helper()
	all, err := integrations.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		t.Run(i.Name, func(t *testing.T) {
			t.Parallel()
			test(t, i)
		})
	}
}

func TestEveryIntegrationIsSound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, i *integrations.Integration) {
		cfg := configOf(t, i)
		var job struct {
			Label           string          `json:"label"`
			IntegrationName string          `json:"integration_name"`
			Version         int64           `json:"default_runtime_version"`
			ArgsSchema      json.RawMessage `json:"args_schema"`
			Resources       json.RawMessage `json:"resources"`
		}
		if err := json.Unmarshal(i.SyncJob, &job); err != nil {
			t.Fatal(err)
		}
		for _, f := range plan.Check(job.Resources, job.Version, job.ArgsSchema) {
			t.Errorf("sync job: %s: %s", f.Path, f.Message)
		}
		if job.IntegrationName != i.Name || job.Label == "" || i.Label == "" || i.Category == "" || len(i.Auth) == 0 {
			t.Errorf("got sync job %q for %q, label %q, category %q, auth %q", job.Label, job.IntegrationName, i.Label, i.Category, i.Auth)
		}
		checkRequests(t, cfg, job.Resources)
		if strings.Contains(string(i.Body), ": null") || strings.Contains(string(i.Body), ":null") {
			t.Error("the integration has a null, which an update by PATCH cannot bring about")
		}
		for _, text := range []string{"millrace integration install " + i.Name, "Rate limit", "Pagination", "Permissions"} {
			if !strings.Contains(i.Readme, text) {
				t.Errorf("the README does not say %q", text)
			}
		}
		for _, resource := range i.Resources {
			if !strings.Contains(i.Readme, resource) {
				t.Errorf("the README does not name the resource %s", resource)
			}
		}
	})
}

func configOf(t *testing.T, i *integrations.Integration) *config.Config {
	t.Helper()
	return configFor(t, i, &oneCase{})
}

// configFor returns the config of an integration, with what a case merges over it.
func configFor(t *testing.T, i *integrations.Integration, o *oneCase) *config.Config {
	t.Helper()
	var body struct {
		Name   string          `json:"name"`
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(i.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Name != i.Name {
		t.Errorf("the integration in %s is called %s", i.Name, body.Name)
	}
	if o.As != nil && len(o.As.Override) > 0 {
		body.Config = config.Merge(body.Config, o.As.Override)
	}
	cfg, err := config.Parse(body.Config)
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	return cfg
}

// checkRequests looks for the method of every request of a sync job.
func checkRequests(t *testing.T, cfg *config.Config, resources json.RawMessage) {
	t.Helper()
	var nodes []struct{ Type, Resource, Method string }
	if err := json.Unmarshal(resources, &nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Type != "request" {
			continue
		}
		if _, err := cfg.Method(n.Resource, n.Method); err != nil {
			t.Errorf("sync job: %v", err)
		}
	}
}

func TestEveryContractHolds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, i *integrations.Integration) {
		c := readContract(t, i.Name)
		for _, one := range c.Cases {
			t.Run(one.Name, func(t *testing.T) {
				t.Parallel()
				c, cfg := c.of(&one), configFor(t, i, &one)
				p := &provider{t: t, headers: c.Headers, host: c.Host}
				p.expect(one.Exchanges)
				one.check(t, c, pages(t, c, cfg, p, &one.Call))
				p.settle()
			})
		}
		if !slices.ContainsFunc(c.Cases, func(o oneCase) bool { return o.Want.Kind == "rate_limited" }) {
			t.Error("the contract has no case of a rate limit")
		}
		if !slices.ContainsFunc(c.Cases, func(o oneCase) bool { return o.Want.Message != "" }) {
			t.Error("the contract has no case of an error")
		}
	})
}

// pages calls a method until its list ends.
func pages(t *testing.T, c *contract, cfg *config.Config, via http.RoundTripper, call *call) []fetch.Outcome {
	t.Helper()
	f, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{Transport: via}, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	req := fetch.Request{
		Integration: cfg, Resource: call.Resource, Method: call.Method, ID: call.ID, Limit: call.Limit, Context: c.account("https://" + c.Host),
	}
	req.Query, _ = parsed(t, call.Query).(*expr.Object)
	req.Body = parsed(t, call.Body)
	var all []fetch.Outcome
	for range 20 {
		out, err := f.Fetch(context.WithoutCancel(t.Context()), req)
		if err != nil {
			t.Fatalf("fetch %s.%s: %v", call.Resource, call.Method, err)
		}
		all = append(all, out)
		if out.NextCursor == "" {
			return all
		}
		req.Cursor = out.NextCursor
	}
	t.Fatal("the list does not end")
	return nil
}

func parsed(t *testing.T, raw json.RawMessage) expr.Value {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	v, err := expr.ParseJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (o *oneCase) check(t *testing.T, c *contract, got []fetch.Outcome) {
	t.Helper()
	last := got[len(got)-1]
	kind := fetch.Kind(o.Want.Kind)
	if kind == "" {
		kind = fetch.KindOK
	}
	if last.Kind != kind || !strings.Contains(last.Message, o.Want.Message) {
		t.Errorf("got %s %q, want %s %q", last.Kind, last.Message, kind, o.Want.Message)
	}
	if got, want := last.RetryAfter, time.Duration(o.Want.RetryAfter)*time.Second; got != want {
		t.Errorf("got a wait of %s, want %s", got, want)
	}
	ids := []any{}
	for _, out := range got {
		if out.Note != "" {
			t.Errorf("note: %s", out.Note)
		}
		if out.Records != nil && out.Kind == fetch.KindOK {
			ids = append(ids, idsOf(t, out.Records.Items(), o.Want.ID)...)
		}
		checkNoSecrets(t, c, out)
	}
	if want := append([]any{}, o.Want.IDs...); !reflect.DeepEqual(ids, want) {
		t.Errorf("got records %v, want %v", ids, want)
	}
}

// idsOf returns what identifies records.
func idsOf(t *testing.T, records []expr.Value, path string) []any {
	t.Helper()
	raw, err := jsonata.ToJSON(jsonata.NewArray(records...))
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for i, record := range list {
		list[i] = idOf(record, path)
	}
	return list
}

func idOf(record any, path string) any {
	if path == "" {
		path = "id"
	}
	for key := range strings.SplitSeq(path, ".") {
		o, _ := record.(map[string]any)
		record = o[key]
	}
	return record
}

// checkNoSecrets looks for credentials in everything of an outcome that people see. What it holds of them is asterisks.
func checkNoSecrets(t *testing.T, c *contract, out fetch.Outcome) {
	t.Helper()
	shown, err := json.Marshal(out.Headers)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join([]string{out.Message, out.RequestLine, string(shown), string(out.Raw)}, "\n")
	for _, secret := range c.secrets() {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a credential:\n%s", out.RequestLine, text)
		}
	}
}

// echo is a provider that echoes the credentials.
type echo struct{}

// RoundTrip implements http.RoundTripper.
func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Sent", r.Header.Get("Authorization"))
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": "unknown request", "url": r.URL.String(), "headers": r.Header})
	return w.Result(), nil
}

func TestCredentialsDoNotComeBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, i *integrations.Integration) {
		c := readContract(t, i.Name)
		for _, out := range pages(t, c, configOf(t, i), echo{}, &c.Cases[0].Call) {
			checkNoSecrets(t, c, out)
			if !strings.Contains(string(out.Raw), "***") {
				t.Errorf("no credential was sent: %s", out.Raw)
			}
		}
	})
}
