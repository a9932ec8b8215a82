package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// prepare prepares a run of the world's job after a change of the job.
func (w *world) prepare(change func(*millrace.SyncJob), request string) (*millrace.SyncJobRun, error) {
	w.t.Helper()
	job := *w.job
	job.ID = millrace.NewID[millrace.SyncJobID]()
	change(&job)
	ctx := w.t.Context()
	if err := w.db.Update(ctx, func(tx *store.Tx) error { return tx.InsertSyncJob(ctx, &job) }); err != nil {
		w.t.Fatal(err)
	}
	request = strings.NewReplacer("JOB", string(job.ID), "ACCOUNT", string(w.account.ID), "HOOK", string(w.webhook.ID)).Replace(request)
	r, err := millrace.ParseRunRequest(json.RawMessage(request), "at")
	if err != nil {
		return nil, err
	}
	return NewStarter(w.db, nil).Prepare(ctx, env, r, "at")
}

// found returns the findings of an error, one line each, in the order of their paths.
func found(err error) []string {
	var e *millrace.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &e) || e.Kind != millrace.KindInvalid {
		return []string{err.Error()}
	}
	var out []string
	for _, f := range e.Failures {
		out = append(out, f.Path+": "+f.Message)
	}
	slices.Sort(out)
	return out
}

const missingID = "00000000-0000-4000-8000-00000000dead"

func TestArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, plot{resources: `[]`})
		const flat = `{
		  "integrated_account_id":{"type":"string","format":"integrated_account_id","required":true},
		  "second":{"format":"integrated_account_id"},"hook":{"type":"string","format":"webhook_id"},"store":{"format":"datastore_id"},
		  "since":{"type":"string","format":"date"},"at":{"format":"date-time"},"changed":{"format":"updated_at"},
		  "n":{"type":"integer"},"x":{"type":["number","null"]},"b":{"type":"boolean"},"list":{"type":"array"},"o":{"type":"object"},
		  "mail":{"format":"email"},"url":{"format":"uri"},"u":{"format":"uuid"},"ip":{"format":"ipv4"},
		  "color":{"type":"string","enum":["red","blue"],"default":"red"},"free":{"format":"no-such-format"}}`
		const schema = `{"type":"object","required":["b"],"properties":{"a":{"type":"string","required":true},"b":{"type":"number"},"c":{"default":[1]}}}`
		for _, c := range []struct {
			name, schema, request string
			want                  []string
		}{
			{"all is well", flat, `{"sync_job_id":"JOB","args":{"integrated_account_id":"ACCOUNT","second":"ACCOUNT","hook":"HOOK","since":"2026-01-31","at":"2026-01-31T10:00:00Z",
				"changed":"2026-01-31T10:00:00.5+02:00","n":3,"x":null,"b":false,"list":[],"o":{},"mail":"a@b.example","url":"https://x.example/y","u":"` + missingID + `","ip":"10.0.0.1","free":"x"}}`, nil},
			{"what is required, beside args", flat, `{"sync_job_id":"JOB","integrated_account_id":"ACCOUNT"}`, nil},
			{"everything at once", flat, `{"sync_job_id":"JOB","args":{"second":"` + missingID + `","hook":"` + missingID + `","store":"s","since":"31.1.2026","at":"2026-01-31","changed":"soon",
				"n":1.5,"x":"1","b":"true","list":{},"o":[],"mail":"A <a@b.example>","url":"/y","u":"u","ip":"::1","color":"green"}}`, []string{
				`at.args.at: must be an ISO 8601 date and time with a zone, is "2026-01-31"`, `at.args.b: must be of type boolean, is "true"`,
				`at.args.changed: must be an ISO 8601 date, or date and time with a zone, is "soon"`, `at.args.color: must be one of ["red","blue"], is "green"`,
				`at.args.hook: webhook "` + missingID + `" does not exist in this environment`, `at.args.integrated_account_id: is required`,
				`at.args.ip: must be an IPv4 address, is "::1"`, `at.args.list: must be of type array, is {}`, `at.args.mail: must be an e-mail address, is "A <a@b.example>"`,
				`at.args.n: must be of type integer, is 1.5`, `at.args.o: must be of type object, is []`,
				`at.args.second: integrated account "` + missingID + `" does not exist in this environment`,
				`at.args.since: must be an ISO 8601 date, or date and time with a zone, is "31.1.2026"`, `at.args.store: must be an id (a UUID), is "s"`,
				`at.args.u: must be an id (a UUID), is "u"`, `at.args.url: must be an absolute URI, is "/y"`, `at.args.x: must be of type number or null, is "1"`,
			}},
			{"an account that does not exist is found once", flat, `{"sync_job_id":"JOB","args":{"integrated_account_id":"` + missingID + `"}}`, []string{
				`at.integrated_account_id: integrated account "` + missingID + `" does not exist in this environment`,
			}},
			{"a JSON schema", schema, `{"sync_job_id":"JOB","args":{"c":"x"}}`, []string{`at.args.a: is required`, `at.args.b: is required`}},
			{"null is nothing", schema, `{"sync_job_id":"JOB","args":{"a":null,"b":1}}`, []string{`at.args.a: is required`}},
			{"the resources of the run", `{}`, `{"sync_job_id":"JOB","resources":[{"name":"a","type":"requst"},{"name":"b","type":"spool","depends_on":"nobody"}]}`, []string{
				`at.resources[0].type: unknown node type "requst"; did you mean "request"?`, `at.resources[1].depends_on: no node is called "nobody"`,
			}},
		} {
			run, err := w.prepare(func(job *millrace.SyncJob) { job.ArgsSchema = json.RawMessage(c.schema) }, c.request)
			if diff := cmp.Diff(c.want, found(err)); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s", c.name, diff)
			}
			if err == nil && run.IntegratedAccountID != w.account.ID {
				t.Errorf("%s: got account %q", c.name, run.IntegratedAccountID)
			}
		}
	})
}

func TestDefaultsOfArgumentsAreStoredWithTheRun(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[]`})
	run, err := w.prepare(func(job *millrace.SyncJob) {
		job.ArgsSchema = json.RawMessage(`{"n":{"type":"number","default":7},"m":{"default":1},"webhook_id":{"format":"webhook_id","default":"` + string(w.webhook.ID) + `"}}`)
	}, `{"sync_job_id":"JOB","args":{"m":2}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"m":2,"n":7,"webhook_id":"` + string(w.webhook.ID) + `"}`; string(run.Args) != want || run.WebhookID != w.webhook.ID {
		t.Errorf("got args %s and webhook %s, want %s", run.Args, run.WebhookID, want)
	}
}

func TestMalformedArgsSchemas(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`[]`:                          `args_schema: must be an object`,
		`{"a":1}`:                     `args_schema.a: must be an object that describes the argument`,
		`{"a":{"type":"strin"}}`:      `args_schema.a.type: "strin" is none of string, number, integer, boolean, object, array, null`,
		`{"a":{"type":["string",5]}}`: `args_schema.a.type: 5 is none of string, number, integer, boolean, object, array, null`,
		`{"a":{"format":5}}`:          `args_schema.a.format: must be the name of a format`,
		`{"a":{"format":"integrated_acount_id"}}`: `args_schema.a.format: unknown format "integrated_acount_id"`,
		`{"a":{"required":"yes"}}`:                `args_schema.a.required: must be true or false`,
		`{"a":{"enum":{}}}`:                       `args_schema.a.enum: must be a list of values`,
		`{"a":{"type":"number","default":"1"}}`:   `args_schema.a.default: must be of type number, is "1"`,
		`{"a":{"format":"date","default":"1"}}`:   `args_schema.a.default: must be an ISO 8601 date, or date and time with a zone, is "1"`,
		`{"type":"array"}`:                        `args_schema.type: must be object: the arguments of a run are one`,
		`{"type":"object","properties":[]}`:       `args_schema.properties: must be an object`,
		`{"type":"object","required":["a"]}`:      `args_schema.required: "a" is not the name of a property`,
		`{"type":"object","required":true}`:       `args_schema.required: must be a list of names`,
		`{"type":"object","properties":{"a":[]}}`: `args_schema.properties.a: must be an object that describes the argument`,

		`{"type":{"type":"string"},"properties":{"type":"object","required":["x"]},"f":{"format":"iri"}}`: ``,
	} {
		got := strings.Join(found(millrace.InvalidAll(Check(json.RawMessage(`[]`), 4, json.RawMessage(schema)))), "; ")
		if got != want {
			t.Errorf("%s: got %q, want %q", schema, got, want)
		}
	}
}

func TestArgsValidation(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[]`})
	for _, c := range []struct{ expression, message, code string }{
		{``, ``, ``},
		{`args.nothing`, ``, ``},
		{`null`, ``, ``},
		{`args.n > 5`, ``, ``},
		{`args.n = 5 ? {"message": "n must not be " & args.n}`, `n must not be 5`, millrace.CodeRefused},
		{`"not this"`, `not this`, millrace.CodeRefused},
		{`true`, `the job's args_validation answers true, which is neither nothing nor an object with a message`, millrace.CodeRefused},
		{`{"error": 1}`, `the job's args_validation answers {"error":1}, which is neither nothing nor an object with a message`, millrace.CodeRefused},
		{"args.n\n + 'x'", ``, "T2002"},
		{`(1 +`, ``, `S0203`},
		{`($f := function($n) { $f($n + 1) }; $f(1))`, ``, `millrace`},
	} {
		_, err := w.prepare(func(job *millrace.SyncJob) { job.ArgsValidation = c.expression }, `{"sync_job_id":"JOB","args":{"n":5}}`)
		if c.message == "" && c.code == "" {
			if err != nil {
				t.Errorf("%s: got %v", c.expression, err)
			}
			continue
		}
		var e *millrace.Error
		if !errors.As(err, &e) || e.Kind != millrace.KindInvalid || len(e.Failures) != 1 {
			t.Errorf("%s: got %v, want one finding", c.expression, err)
			continue
		}
		f := e.Failures[0]
		if c.code == millrace.CodeRefused {
			if e.Message != c.message || f.Path != "at.args" || f.Code != c.code {
				t.Errorf("%s: got %q, %+v", c.expression, e.Message, f)
			}
		} else if f.Path != "args_validation" || f.Line == 0 || f.Code == "" || (c.code != "millrace" && f.Code != c.code) {
			t.Errorf("%s: got %+v, want code %s and a place", c.expression, f, c.code)
		}
	}
}

func TestKeysAreResolvedWhenARunIsMade(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[]`})
	keys := func(job *millrace.SyncJob) {
		job.MutexKey, job.StateKey = "{{args.integrated_account_id}}", "{{tenant_id}}-{{subdomain}}-{{args.part?:all}}"
	}
	run, err := w.prepare(keys, `{"sync_job_id":"JOB","integrated_account_id":"ACCOUNT"}`)
	if err != nil || run.MutexKey != string(w.account.ID) || run.StateKey != "acme-acme-all" {
		t.Errorf("got %q, %q, %v", run.MutexKey, run.StateKey, err)
	}
	run, err = w.prepare(keys, `{"sync_job_id":"JOB","integrated_account_id":"ACCOUNT","mutex_key":" own ","state_key":"{{args.nothing:undefined}}","force":true}`)
	if err != nil || run.MutexKey != "own" || run.StateKey != "" || !run.Force {
		t.Errorf("got %q, %q, %v", run.MutexKey, run.StateKey, err)
	}
	_, err = w.prepare(keys, `{"sync_job_id":"JOB","state_key":"`+strings.Repeat("k", 1100)+`"}`)
	want := []string{`at.mutex_key: {{args.integrated_account_id}} finds nothing in the run`, `at.state_key: is longer than 1000 bytes`}
	if diff := cmp.Diff(want, found(err)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestARunThatWaitsStartsWhenTheOtherEnds lets each way of ending a run wake the next one.
func TestARunThatWaitsStartsWhenTheOtherEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name   string
			answer func(received) (SendResult, error)
			fetch  func(FetchRequest) (FetchResult, error)
			status millrace.RunStatus
			reason string
		}{
			{name: "completed", status: millrace.RunCompleted},
			{name: "failed", status: millrace.RunFailed, reason: "http_500", fetch: func(FetchRequest) (FetchResult, error) {
				return FetchResult{Outcome: FetchRejected, Code: "http_500", Message: "no", Request: "GET https://x.example/things"}, nil
			}},
			{name: "refused", status: millrace.RunStopped, reason: codeRefused, answer: func(r received) (SendResult, error) {
				if r.Event == millrace.EventRunStarted {
					return SendResult{Outcome: SendCancel, Attempts: []millrace.Attempt{{StatusCode: 400}}}, nil
				}
				return delivered(), nil
			}},
			{name: "gone", status: millrace.RunFailed, reason: codeWebhookGone, answer: func(received) (SendResult, error) {
				return SendResult{Outcome: SendGone, Attempts: []millrace.Attempt{{StatusCode: 410}}}, nil
			}},
		} {
			w := newWorld(t, db, plot{resources: plainGraph})
			w.sink.answer, w.api.answer = c.answer, pages(`[{"id":1}]`)
			if c.fetch != nil {
				w.api.answer = c.fetch
			}
			var runs []*millrace.SyncJobRun
			for range 3 {
				run := &millrace.SyncJobRun{
					EnvironmentID: env, SyncJobID: w.job.ID, IntegratedAccountID: w.account.ID, WebhookID: w.webhook.ID, Status: millrace.RunCreated,
					Resources: rawOf(plainGraph), ErrorHandling: millrace.ErrorFailFast, MutexKey: c.name,
				}
				w.update(func(_ context.Context, tx *store.Tx) error { run.ID = ""; return tx.StartRun(t.Context(), run) })
				runs = append(runs, run)
			}
			for i := range runs {
				if i < 2 { // a stray task does nothing to a run that waits
					w.run = runs[i+1]
					if err := w.slice(); err != nil || w.row().StartedAt != 0 || w.row().WaitingFor != runs[i].ID {
						t.Errorf("%s: run %d started before its turn: %v, %+v", c.name, i+1, err, w.row())
					}
				}
				w.run = runs[i]
				w.finish()
				row := w.row()
				if row.Status != c.status || c.reason != "" && !strings.Contains(string(row.Error), fmt.Sprintf(`"code":%q`, c.reason)) {
					t.Errorf("%s: got %s %s, want %s because of %q", c.name, row.Status, row.Error, c.status, c.reason)
				}
				if i == 2 {
					continue
				}
				w.run = runs[i+1]
				tasks := storetest.Tasks(db)
				if last := tasks[len(tasks)-1]; w.row().WaitingFor != "" || last.Key != millrace.TaskKey(w.run.EnvironmentID, w.run.ID) {
					t.Errorf("%s: after run %d the next waits for %q; the last task is for %s", c.name, i, w.row().WaitingFor, last.Key)
				}
			}
		}
	})
}

func TestAPlanErrorNamesItsNode(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	w := newWorld(t, db, plot{resources: `[{"name":"a","type":"spool"},{"name":"b","type":"request","resource":"things","method":"list","query":"1 +"}]`})
	w.finish()
	var reason millrace.RunError
	if err := json.Unmarshal(w.row().Error, &reason); err != nil {
		t.Fatal(err)
	}
	if reason.Code != codePlan || reason.Node != "b" || reason.Resource != "things" || reason.Position == nil || reason.Position.Line != 1 {
		t.Errorf("got %s", w.row().Error)
	}
}
