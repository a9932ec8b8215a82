package editor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// RunPage is the form that starts a run of a sync job.
type RunPage struct {
	ID       string
	Label    string
	Fields   []Field
	All      bool // what was read before is read again
	Message  string
	Problems []millrace.Failure // that are about no field
	Accounts []Word             // that may be named
	Webhooks []Word
}

// Field is a field of it.
type Field struct {
	plan.Field
	ID      string // in the page
	Path    string // args.since
	Kind    string // text, number, choice, json, account, webhook
	Value   string
	Options []string // of a choice
	Problem string
}

// startRun shows the form, and starts the run.
func startRun(r *Request) (*Page, error) {
	p, err := readRun(r)
	if err != nil || r.Method == http.MethodGet {
		return &Page{Name: "run-job", Title: "Run", Body: p}, err
	}
	form, err := r.Sent()
	if err != nil {
		return nil, err
	}
	body := map[string]any{"sync_job_id": p.ID}
	args := map[string]json.RawMessage{}
	for i := range p.Fields {
		f := &p.Fields[i]
		f.Value = form.Get(f.Path)
		switch raw := f.raw(); {
		case raw == nil:
		case f.Path == "args."+f.Name:
			args[f.Name] = raw
		default:
			body[f.Name] = raw
		}
	}
	if p.All = form.Get("all") == "on"; p.All {
		body["ignore_previous_run"] = true
	}
	body["args"] = args
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	resp, err := r.Call(r.Context(), &Call{Method: http.MethodPost, Path: "/sync-job-run", Body: raw})
	if err != nil {
		var known *millrace.Error
		if !errors.As(err, &known) {
			return nil, err
		}
		p.reject(known)
		return &Page{Name: "run-job", Title: "Run", Body: p, Status: rest.StatusOf(known.Kind)}, nil
	}
	var made struct {
		ID string `json:"id"`
	}
	err = json.Unmarshal(resp.Body, &made)
	return &Page{To: r.Base + "/runs/" + url.PathEscape(made.ID)}, err
}

// reject puts what is wrong at its fields.
func (p *RunPage) reject(known *millrace.Error) {
	if len(known.Failures) == 0 {
		p.Message = known.Message
	}
	for _, f := range known.Failures {
		i := slices.IndexFunc(p.Fields, func(field Field) bool { return field.Path == f.Path || f.IsBelow(field.Path) })
		if i < 0 || p.Fields[i].Problem != "" {
			p.Problems = append(p.Problems, f)
			continue
		}
		p.Fields[i].Problem = f.Message
	}
}

func readRun(r *Request) (*RunPage, error) {
	id, err := r.ID()
	if err != nil {
		return nil, err
	}
	p := &RunPage{ID: id}
	err = r.DB.View(r.Context(), func(tx *store.Tx) error {
		job, err := tx.SyncJobs().Get(r.Context(), r.Env, millrace.SyncJobID(id))
		if err != nil {
			return err
		}
		if p.Label = job.Label; p.Label == "" {
			p.Label = "the sync job"
		}
		for _, f := range plan.Fields(job.ArgsSchema) {
			p.add("args."+f.Name, f)
		}
		for _, name := range []string{plan.FormatAccount, plan.FormatWebhook} {
			if !slices.ContainsFunc(p.Fields, func(f Field) bool { return f.Name == name }) {
				p.add(name, plan.Field{Name: name, Format: name, Types: []string{"string"}})
			}
		}
		return p.offer(r.Context(), tx, r.Env)
	})
	return p, err
}

// offer reads what fields with ids may name.
func (p *RunPage) offer(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	q := millrace.Query{Limit: maxWords, MaxBytes: millrace.MaxPageBytes}
	accounts, err := tx.Accounts().List(ctx, env, q)
	if err != nil {
		return err
	}
	for i := range accounts.Result {
		p.Accounts = append(p.Accounts, Word{string(accounts.Result[i].ID), accounts.Result[i].TenantID})
	}
	hooks, err := tx.Webhooks().List(ctx, env, q)
	for i := range hooks.Result {
		p.Webhooks = append(p.Webhooks, Word{string(hooks.Result[i].ID), hooks.Result[i].TargetURL})
	}
	return err
}

func (p *RunPage) add(path string, of plan.Field) {
	f := Field{Field: of, ID: "field-" + strconv.Itoa(len(p.Fields)), Path: path, Kind: "text"}
	only := func(types ...string) bool {
		return len(f.Types) > 0 && !slices.ContainsFunc(f.Types, func(t string) bool { return !slices.Contains(types, t) })
	}
	switch {
	case len(f.Choices) > 0:
		f.Kind = "choice"
		for _, c := range f.Choices {
			f.Options = append(f.Options, string(c))
		}
	case only("boolean", "null"):
		f.Kind, f.Options = "choice", []string{"true", "false"}
	case f.Format == plan.FormatAccount:
		f.Kind = "account"
	case f.Format == plan.FormatWebhook:
		f.Kind = "webhook"
	case only("number", "integer", "null"):
		f.Kind = "number"
	case slices.Contains(f.Types, "object") || slices.Contains(f.Types, "array"):
		f.Kind = "json"
	}
	f.Value = string(f.Default)
	var text string
	if f.Kind != "choice" && json.Unmarshal(f.Default, &text) == nil {
		f.Value = text
	}
	p.Fields = append(p.Fields, f)
}

// raw is what a field says as JSON; nil: nothing. A text that is not JSON of a type is sent as text: the API says what it must be.
func (f *Field) raw() json.RawMessage {
	if f.Value == "" {
		return nil
	}
	isText := len(f.Types) == 0 || slices.Contains(f.Types, "string")
	if f.Kind == "choice" || !isText || f.Kind == "json" {
		if json.Valid([]byte(f.Value)) {
			return json.RawMessage(f.Value)
		}
	}
	raw, _ := json.Marshal(f.Value) // a text always has an encoding
	return raw
}
