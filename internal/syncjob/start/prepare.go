package start

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

// maxKey bounds what a mutex_key or state_key may become, in bytes.
const maxKey = 1000

// leftOver is a placeholder that found nothing and therefore stayed as written.
var leftOver = regexp.MustCompile(`\{\{[A-Za-z0-9_\-./|:?\s]+\}\}`)

// Prepare returns the run of a request, ready to be stored: with the job's resources and the defaults of its
// arguments, and with its keys resolved. It returns an error of KindInvalid that lists everything that the environment
// does not have, that does not fit the job's args_schema or that is wrong with the request's own resources, at paths below
// prefix; else one with the message of the job's args_validation.
func Prepare(ctx context.Context, db *store.DB, env millrace.EnvironmentID, r *millrace.RunRequest, prefix string) (*millrace.SyncJobRun, error) {
	p := &preparation{request: *r, prefix: prefix, found: &plan.Findings{}}
	if err := db.View(ctx, func(tx *store.Tx) error { return p.load(ctx, tx, env) }); err != nil {
		return nil, err
	}
	run := p.run()
	if len(r.Resources) > 0 && string(r.Resources) != "null" {
		run.Resources = r.Resources
		_, failures := plan.Build(r.Resources, p.job.DefaultRuntimeVersion)
		p.found.Failures = append(p.found.Failures, failures...)
	}
	if version := r.Version; len(version) > 0 && string(version) != "null" && string(version) != strconv.FormatInt(p.job.DefaultRuntimeVersion, 10) {
		p.found.At("version", "is that of the job, its default_runtime_version")
	}
	if err := p.findings(); err != nil {
		return nil, err
	}
	if err := p.validate(ctx); err != nil {
		return nil, err
	}
	if err := p.resolveKeys(run); err != nil {
		return nil, err
	}
	return run, p.findings()
}

// preparation is a run in the making.
type preparation struct {
	request millrace.RunRequest
	prefix  string
	job     *millrace.SyncJob
	account *millrace.IntegratedAccount
	args    *jsonata.Object
	found   *plan.Findings // at paths without the prefix
}

func (p *preparation) at(path string) string { return strings.Trim(p.prefix+"."+path, ".") }

// findings returns what was found so far, at paths below the prefix.
func (p *preparation) findings() error {
	failures := make([]millrace.Failure, len(p.found.Failures))
	for i, f := range p.found.Failures {
		f.Path = p.at(f.Path)
		failures[i] = f
	}
	return millrace.InvalidAll(failures)
}

// load reads the job and checks the request and its arguments against it and against the environment.
func (p *preparation) load(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	job, err := tx.SyncJobRuns().Resolve(ctx, env, &p.request, "")
	if err := p.find(err); err != nil {
		return err
	}
	p.job = job
	if p.job == nil {
		return p.findings()
	}
	schema := plan.ReadArgsSchema(p.job.ArgsSchema, &plan.Findings{}) // saving a job prevents one that cannot be read
	named := [2]string{string(p.request.IntegratedAccountID), string(p.request.WebhookID)}
	if err := p.fill(schema); err != nil {
		return err
	}
	plan.CheckArgs(p.args, schema, p.found)
	if err := p.checkIDs(ctx, tx, schema, named); err != nil {
		return err
	}
	if p.request.IntegratedAccountID == "" {
		return nil
	}
	p.account, err = tx.Accounts().Get(ctx, env, p.request.IntegratedAccountID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil // which was found already
	}
	if err == nil && p.account.Status == millrace.AccountDeleting && !p.request.Parting {
		p.found.At("integrated_account_id", "is being deleted: only workflows on integrated_account:deleting make runs of it")
	}
	return err
}

// find keeps what an error has found, and returns any other error.
func (p *preparation) find(err error) error {
	var known *millrace.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &known) || known.Kind != millrace.KindInvalid {
		return err
	}
	p.found.Failures = append(p.found.Failures, known.Failures...)
	return nil
}

// fill decodes the arguments and adds the defaults. An account or webhook that is among them is that of the run.
func (p *preparation) fill(schema []plan.ArgSchema) error {
	p.args = jsonata.NewObject(len(schema))
	if err := expr.SetMembers(p.args, p.request.Args); err != nil {
		return millrace.Invalid(p.at("args"), "must be an object")
	}
	filled := plan.WithDefaults(p.args, schema)
	if filled == p.args {
		return nil
	}
	raw, err := jsonata.ToJSON(filled)
	if err != nil {
		return fmt.Errorf("encode args: %w", err)
	}
	p.args, p.request.Args = filled, raw
	p.found.Failures = append(p.found.Failures, p.request.SettleArgs("")...)
	return nil
}

// checkIDs looks up the ids among the arguments. Those that stood in the request were looked up with it.
func (p *preparation) checkIDs(ctx context.Context, tx *store.Tx, schema []plan.ArgSchema, known [2]string) error {
	for _, a := range schema {
		id, ok := expr.Member(p.args, a.Name).(string)
		id = strings.ToLower(id)
		if !ok || !millrace.IsID(id) || id == known[0] && a.Format == plan.FormatAccount || id == known[1] && a.Format == plan.FormatWebhook {
			continue
		}
		var err error
		var what string
		switch a.Format {
		case plan.FormatAccount:
			what = "integrated account"
			_, err = tx.Accounts().Get(ctx, p.job.EnvironmentID, millrace.IntegratedAccountID(id))
		case plan.FormatWebhook:
			what = "webhook"
			_, err = tx.Webhooks().Get(ctx, p.job.EnvironmentID, millrace.WebhookID(id))
		}
		if millrace.KindOf(err) == millrace.KindNotFound {
			p.found.Add(millrace.Failure{
				Path: "args." + a.Name, Code: millrace.CodeMissing, Message: what + ` "` + id + `" does not exist in this environment`,
			})
		} else if err != nil {
			return err
		}
	}
	return nil
}

// run returns the run that was asked for.
func (p *preparation) run() *millrace.SyncJobRun {
	r, job := &p.request, p.job
	run := &millrace.SyncJobRun{
		ID: r.ID, EnvironmentID: job.EnvironmentID, SyncJobID: job.ID, IntegratedAccountID: r.IntegratedAccountID, WebhookID: r.WebhookID,
		Status: millrace.RunCreated, Args: r.Args, Resources: job.Resources, IgnorePreviousRun: r.IgnorePreviousRun,
		EventsToSend: r.EventsToSend, Version: job.DefaultRuntimeVersion, ResourceStats: json.RawMessage("{}"),
		MutexKey: p.mutexKey(), StateKey: p.stateKey(), Force: r.Force, ErrorHandling: millrace.ErrorIgnore,
	}
	if run.ID == "" {
		run.ID = millrace.NewID[millrace.SyncJobRunID]()
	}
	for _, h := range []millrace.ErrorHandling{job.ErrorHandling, r.ErrorHandling} {
		if h != "" {
			run.ErrorHandling = h
		}
	}
	return run
}

func (p *preparation) mutexKey() string { return either(p.request.MutexKey, p.job.MutexKey) }

func (p *preparation) stateKey() string { return either(p.request.StateKey, p.job.StateKey) }

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// validate evaluates the job's args_validation. Nothing, null and what counts as false let the run start; an object with a
// message, or a text, rejects it with that message. Any other result rejects it too: it was meant as a message.
func (p *preparation) validate(ctx context.Context) error {
	if strings.TrimSpace(p.job.ArgsValidation) == "" {
		return nil
	}
	program, err := expr.Compile(p.job.ArgsValidation)
	var v jsonata.Value
	if err == nil {
		scope := jsonata.NewObject(1)
		scope.Set("args", p.args)
		v, err = program.Eval(ctx, scope, expr.LimitsCondition())
	}
	switch {
	case err != nil && expr.Cancelled(ctx, err):
		return context.Cause(ctx)
	case err != nil:
		f := expr.FailureOf("args_validation", err)
		f.Message = "the job's args_validation fails: " + f.Message
		return millrace.InvalidAll([]millrace.Failure{f})
	case !expr.Truthy(v):
		return nil
	}
	message, ok := v.(string)
	if object, is := v.(*jsonata.Object); is {
		message, ok = expr.Member(object, "message").(string)
	}
	if !ok || message == "" {
		message = "the job's args_validation returns " + expr.Brief(v) + ", which is neither nothing nor an object with a message"
	}
	return &millrace.Error{
		Kind: millrace.KindInvalid, Message: message, Failures: []millrace.Failure{{Path: p.at("args"), Message: message, Code: millrace.CodeArgsValidation}},
	}
}

// resolveKeys renders the templates of mutex_key and state_key in the scope of the run. A key that has a placeholder left
// is rejected: it would be shared with runs that it has nothing to do with.
func (p *preparation) resolveKeys(run *millrace.SyncJobRun) error {
	if run.MutexKey == "" && run.StateKey == "" {
		return nil
	}
	sc, err := plan.NewScope(run, p.account, "")
	if err != nil {
		return err
	}
	run.MutexKey = p.resolveKey("mutex_key", run.MutexKey, sc)
	run.StateKey = p.resolveKey("state_key", run.StateKey, sc)
	return nil
}

func (p *preparation) resolveKey(path, key string, sc plan.Scope) string {
	text, err := expr.RenderString(key, sc.Root)
	switch left := leftOver.FindString(text); {
	case err != nil:
		p.found.Add(expr.FailureOf(path, err))
	case left != "":
		p.found.At(path, "%s finds nothing in the run", left)
	case len(text) > maxKey:
		p.found.At(path, "is longer than %d bytes", maxKey)
	}
	return strings.TrimSpace(text)
}
