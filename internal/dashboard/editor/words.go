package editor

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// Word is a name that a text may have at a place, with what it is.
type Word [2]string

// Words are what the editor offers to complete, by the place in a text.
type Words struct {
	Keys      map[string][]Word `json:"keys"`   // by the keys around, such as "config.steps"
	Values    map[string][]Word `json:"values"` // by key
	Functions []string          `json:"functions"`
	Scope     map[string][]Word `json:"scope"` // of expressions, by event
}

// maxWords bounds the ids of a kind.
const maxWords = 200

// words responds with the words for a kind of definitions. What may stand where comes from the schemas that the API publishes.
func words(r *Request) (*Page, error) {
	w := &Words{Keys: map[string][]Word{}, Values: map[string][]Word{}, Scope: map[string][]Word{}, Functions: expr.Dialect().Names()}
	body := "/workflow"
	if r.URL.Query().Get("of") == "sync job" {
		body = "/sync-job"
		w.nodes()
	} else {
		w.events()
		w.Keys["steps.config"] = []Word{}
		for _, name := range millrace.RunRequestMembers() {
			w.Keys["steps.config"] = append(w.Keys["steps.config"], Word{name})
		}
	}
	if err := w.schema(r, body); err != nil {
		return nil, err
	}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error { return w.ids(r.Context(), tx, r.Env) })
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(w)
	return &Page{Raw: raw}, err
}

func (w *Words) events() {
	for _, t := range catalogue.Types() {
		if t.Example == nil {
			continue
		}
		w.Values["trigger_name"] = append(w.Values["trigger_name"], Word{strings.TrimSuffix(t.Name, "*"), t.About})
		for _, n := range t.Scope() {
			w.Scope[t.Name] = append(w.Scope[t.Name], Word{n.Name, n.From})
		}
	}
	for _, name := range millrace.StepActions() {
		w.Values["action"] = append(w.Values["action"], Word{name})
	}
}

func (w *Words) nodes() {
	types, members := plan.NodeMembers()
	for _, t := range types {
		w.Values["type"] = append(w.Values["type"], Word{t})
	}
	for _, m := range members {
		w.Keys["resources"] = append(w.Keys["resources"], Word{m})
	}
}

// schema is a part of the published schema.
type schema struct {
	Ref         string            `json:"$ref"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	OneOf       []schema          `json:"oneOf"`
}

// schema adds what the body of a route may have.
func (w *Words) schema(r *Request, path string) error {
	resp, err := r.Call(r.Context(), &Call{Method: http.MethodGet, Path: "/openapi.json"})
	if err != nil {
		return err
	}
	var api struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(resp.Body, &api); err != nil {
		return err
	}
	w.walk(api.Components.Schemas, api.Paths[path]["post"].RequestBody.Content["application/json"].Schema, "", 0)
	return nil
}

// walk goes down the members of a schema. Members of a list have the path of the list.
func (w *Words) walk(all map[string]schema, s schema, path string, depth int) {
	const deepest = 6
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		s = all[name]
	}
	if depth > deepest {
		return
	}
	if s.Items != nil {
		w.walk(all, *s.Items, path, depth+1)
	}
	for name, p := range s.Properties {
		if path == "" && (name == "id" || name == "environment_id" || name == "name") {
			continue // not of a text
		}
		about := p.Description
		w.Keys[path] = append(w.Keys[path], Word{name, about})
		for _, v := range p.Enum {
			if text, ok := v.(string); ok && !slices.ContainsFunc(w.Values[name], func(w Word) bool { return w[0] == text }) {
				w.Values[name] = append(w.Values[name], Word{text})
			}
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		w.walk(all, p, below, depth+1)
	}
	slices.SortFunc(w.Keys[path], func(a, b Word) int { return strings.Compare(a[0], b[0]) })
}

// ids adds the ids of what definitions name.
func (w *Words) ids(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	q := millrace.Query{Limit: maxWords, MaxBytes: millrace.MaxPageBytes}
	jobs, err := tx.SyncJobs().List(ctx, env, q)
	if err != nil {
		return err
	}
	for i := range jobs.Result {
		w.Values["sync_job_id"] = append(w.Values["sync_job_id"], Word{string(jobs.Result[i].ID), jobs.Result[i].Label})
	}
	hooks, err := tx.Webhooks().List(ctx, env, q)
	if err != nil {
		return err
	}
	for i := range hooks.Result {
		w.Values["webhook_id"] = append(w.Values["webhook_id"], Word{string(hooks.Result[i].ID), hooks.Result[i].TargetURL})
	}
	integrations, err := tx.Integrations().List(ctx, env, q)
	for i := range integrations.Result {
		w.Values["integration_name"] = append(w.Values["integration_name"], Word{integrations.Result[i].Name})
	}
	return err
}
