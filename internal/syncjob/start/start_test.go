package start_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/internal/syncjob/start"
)

const env = millrace.EnvironmentID("5f1c7a52-6a51-4a6e-8a3b-0f6f2d0f0001")

// yard is a store with one account and one webhook.
type yard struct {
	t       *testing.T
	db      *store.DB
	account *millrace.IntegratedAccount
	webhook *millrace.Webhook
}

func newYard(t *testing.T, db *store.DB) *yard {
	t.Helper()
	y := &yard{
		t: t, db: db,
		account: &millrace.IntegratedAccount{EnvironmentID: env, TenantID: "acme", Status: millrace.AccountActive},
		webhook: &millrace.Webhook{EnvironmentID: env, TargetURL: "https://example.test/hook", IsActive: true, Secret: "s"},
	}
	if err := y.account.SetContext(json.RawMessage(`{"subdomain":"acme","api_key":"secret"}`), [][]string{{"api_key"}}); err != nil {
		t.Fatal(err)
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Accounts().Create(t.Context(), y.account), tx.Webhooks().Create(t.Context(), y.webhook))
	})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// prepare prepares a run of a job that a test describes.
func (y *yard) prepare(change func(*millrace.SyncJob), request string) (*millrace.SyncJobRun, error) {
	y.t.Helper()
	job := millrace.SyncJob{ID: millrace.NewID[millrace.SyncJobID](), EnvironmentID: env, Label: "job", Resources: json.RawMessage(`[]`)}
	change(&job)
	ctx := y.t.Context()
	if err := y.db.Update(ctx, func(tx *store.Tx) error { return tx.SyncJobs().Create(ctx, &job) }); err != nil {
		y.t.Fatal(err)
	}
	request = strings.NewReplacer("JOB", string(job.ID), "ACCOUNT", string(y.account.ID), "HOOK", string(y.webhook.ID)).Replace(request)
	r, err := millrace.ParseRunRequest(json.RawMessage(request), "at")
	if err != nil {
		return nil, err
	}
	return start.Prepare(ctx, y.db, env, r, "at")
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
		y := newYard(t, db)
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
			{"the resources of the run", `{}`, `{"sync_job_id":"JOB","resources":[{"name":"a","type":"requst"},{"name":"b","type":"spool","depends_on":"nothing"}]}`, []string{
				`at.resources[0].type: unknown node type "requst"; did you mean "request"?`, `at.resources[1].depends_on: no node is called "nothing"`,
			}},
		} {
			run, err := y.prepare(func(job *millrace.SyncJob) { job.ArgsSchema = json.RawMessage(c.schema) }, c.request)
			if diff := cmp.Diff(c.want, found(err)); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s", c.name, diff)
			}
			if err == nil && run.IntegratedAccountID != y.account.ID {
				t.Errorf("%s: got account %q", c.name, run.IntegratedAccountID)
			}
		}
	})
}

func TestDefaultsOfArgumentsAreStoredWithTheRun(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	y := newYard(t, db)
	run, err := y.prepare(func(job *millrace.SyncJob) {
		job.ArgsSchema = json.RawMessage(`{"n":{"type":"number","default":7},"m":{"default":1},"webhook_id":{"format":"webhook_id","default":"` + string(y.webhook.ID) + `"}}`)
	}, `{"sync_job_id":"JOB","args":{"m":2}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"m":2,"n":7,"webhook_id":"` + string(y.webhook.ID) + `"}`; string(run.Args) != want || run.WebhookID != y.webhook.ID {
		t.Errorf("got args %s and webhook %s, want %s", run.Args, run.WebhookID, want)
	}
}

func TestArgsValidation(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite(t))
	y := newYard(t, db)
	for _, c := range []struct{ expression, message, code string }{
		{``, ``, ``},
		{`args.nothing`, ``, ``},
		{`null`, ``, ``},
		{`args.n > 5`, ``, ``},
		{`args.n = 5 ? {"message": "n must not be " & args.n}`, `n must not be 5`, millrace.CodeArgsValidation},
		{`"not this"`, `not this`, millrace.CodeArgsValidation},
		{`true`, `the job's args_validation returns true, which is neither nothing nor an object with a message`, millrace.CodeArgsValidation},
		{`{"error": 1}`, `the job's args_validation returns {"error":1}, which is neither nothing nor an object with a message`, millrace.CodeArgsValidation},
		{"args.n\n + 'x'", ``, "T2002"},
		{`(1 +`, ``, `S0203`},
		{`($f := function($n) { $f($n + 1) }; $f(1))`, ``, `millrace`},
	} {
		_, err := y.prepare(func(job *millrace.SyncJob) { job.ArgsValidation = c.expression }, `{"sync_job_id":"JOB","args":{"n":5}}`)
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
		if c.code == millrace.CodeArgsValidation {
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
	y := newYard(t, db)
	keys := func(job *millrace.SyncJob) {
		job.MutexKey, job.StateKey = "{{args.integrated_account_id}}", "{{tenant_id}}-{{subdomain}}-{{args.part?:all}}"
	}
	run, err := y.prepare(keys, `{"sync_job_id":"JOB","integrated_account_id":"ACCOUNT"}`)
	if err != nil || run.MutexKey != string(y.account.ID) || run.StateKey != "acme-acme-all" {
		t.Errorf("got %q, %q, %v", run.MutexKey, run.StateKey, err)
	}
	run, err = y.prepare(keys, `{"sync_job_id":"JOB","integrated_account_id":"ACCOUNT","mutex_key":" own ","state_key":"{{args.nothing:undefined}}","force":true}`)
	if err != nil || run.MutexKey != "own" || run.StateKey != "" || !run.Force {
		t.Errorf("got %q, %q, %v", run.MutexKey, run.StateKey, err)
	}
	_, err = y.prepare(keys, `{"sync_job_id":"JOB","state_key":"`+strings.Repeat("k", 1100)+`"}`)
	want := []string{`at.mutex_key: {{args.integrated_account_id}} finds nothing in the run`, `at.state_key: is longer than 1000 bytes`}
	if diff := cmp.Diff(want, found(err)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
