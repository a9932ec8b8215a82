package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/jsonata"
)

// maxKey bounds what a mutex_key or state_key may become, in bytes.
const maxKey = 1000

// leftOver is a placeholder that found nothing and therefore stayed as it is written.
var leftOver = regexp.MustCompile(`\{\{[A-Za-z0-9_\-./|:?\s]+\}\}`)

// Starter makes sync job runs: for the API, for schedules and for steps of workflows. Everything that is evaluated is
// evaluated before the transaction, because a job's expressions may take their time.
type Starter struct {
	db   database
	emit Emitter // nil: nobody is told
}

// NewStarter returns a Starter over a store.
func NewStarter(db *store.DB, emit Emitter) *Starter {
	if emit == nil {
		emit = silent{}
	}
	return &Starter{db: db, emit: emit}
}

// StartTx stores a prepared run, and the task that starts it unless it has to wait for another with the same mutex_key.
// Workflows and webhooks are told. It returns the run as it is stored, and an error of KindConflict when its id is taken.
func (s *Starter) StartTx(ctx context.Context, tx *store.Tx, prepared *millrace.SyncJobRun) (*millrace.SyncJobRun, error) {
	run := *prepared // the transaction may be repeated
	if err := tx.StartRun(ctx, &run); err != nil {
		return nil, err
	}
	e, err := millrace.RunEvent(millrace.EventRunCreated, &run)
	if err != nil {
		return nil, err
	}
	return &run, s.emit.EmitTx(ctx, tx, "", e)
}

// StopTx ends a run, unless it has ended. Its slice may be under way: it finds the run ended when it saves its next page.
func (s *Starter) StopTx(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.SyncJobRunID) (*millrace.SyncJobRun, error) {
	run, err := tx.LockSyncJobRun(ctx, env, id)
	if err != nil || run.Status.Finished() {
		return run, err
	}
	run.Status, run.FinishedAt = millrace.RunStopped, tx.Now()
	if err := tx.UpdateSyncJobRun(ctx, run); err != nil {
		return nil, err
	}
	e, err := millrace.RunEvent(millrace.EventRunUpdated, run)
	if err != nil {
		return nil, err
	}
	if err := s.emit.EmitTx(ctx, tx, "", e); err != nil {
		return nil, err
	}
	// A run that waits has nobody to drop what it has not delivered.
	task := millrace.SliceTask(run)
	task.Wake = true
	return run, tx.Enqueue(ctx, task)
}

// Prepare returns the run that a request asks for, ready to be stored: with the job's resources and the defaults of its
// arguments, and with its keys resolved. It returns an error of KindInvalid that lists everything that the environment
// does not have, that does not fit the job's args_schema or that is wrong with the request's own resources, at paths below
// prefix; else one with the message of the job's args_validation.
func (s *Starter) Prepare(ctx context.Context, env millrace.EnvironmentID, r *millrace.RunRequest, prefix string) (*millrace.SyncJobRun, error) {
	p := &preparation{request: *r, prefix: prefix, found: &findings{}}
	if err := s.db.View(ctx, func(tx *store.Tx) error { return p.load(ctx, tx, env) }); err != nil {
		return nil, err
	}
	run := p.run()
	if len(r.Resources) > 0 && string(r.Resources) != "null" {
		run.Resources = r.Resources
		_, failures := buildGraph(r.Resources, p.job.DefaultRuntimeVersion)
		p.found.failures = append(p.found.failures, failures...)
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
	found   *findings // at paths without the prefix
}

func (p *preparation) at(path string) string { return strings.Trim(p.prefix+"."+path, ".") }

// findings returns what was found so far, at paths below the prefix.
func (p *preparation) findings() error {
	failures := make([]millrace.Failure, len(p.found.failures))
	for i, f := range p.found.failures {
		f.Path = p.at(f.Path)
		failures[i] = f
	}
	return millrace.InvalidAll(failures)
}

// load reads the job and checks the request and its arguments against it and against the environment.
func (p *preparation) load(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	job, err := tx.ResolveRun(ctx, env, &p.request, "")
	if err := p.find(err); err != nil {
		return err
	}
	p.job = job
	if p.job == nil {
		return p.findings()
	}
	schema := readArgsSchema(p.job.ArgsSchema, &findings{}) // saving a job prevents one that cannot be read
	named := [2]string{string(p.request.IntegratedAccountID), string(p.request.WebhookID)}
	if err := p.fill(schema); err != nil {
		return err
	}
	checkArgs(p.args, schema, p.found)
	if err := p.checkIDs(ctx, tx, schema, named); err != nil {
		return err
	}
	if p.request.IntegratedAccountID == "" || p.mutexKey()+p.stateKey() == "" {
		return nil
	}
	p.account, err = optional(tx.IntegratedAccount(ctx, env, p.request.IntegratedAccountID))
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
	p.found.failures = append(p.found.failures, known.Failures...)
	return nil
}

// fill decodes the arguments and adds the defaults. An account or webhook that is among them is that of the run.
func (p *preparation) fill(schema []argSchema) error {
	p.args = jsonata.NewObject(len(schema))
	if err := mergeJSON(p.args, p.request.Args); err != nil {
		return millrace.Invalid(p.at("args"), "must be an object")
	}
	filled := withDefaults(p.args, schema)
	if filled == p.args {
		return nil
	}
	raw, err := jsonata.ToJSON(filled)
	if err != nil {
		return fmt.Errorf("encode args: %w", err)
	}
	p.args, p.request.Args = filled, raw
	p.found.failures = append(p.found.failures, p.request.SettleArgs("")...)
	return nil
}

// checkIDs looks up the ids among the arguments. Those that stood in the request were looked up with it.
func (p *preparation) checkIDs(ctx context.Context, tx *store.Tx, schema []argSchema, known [2]string) error {
	for _, a := range schema {
		id, ok := present(p.args, a.name).(string)
		id = strings.ToLower(id)
		if !ok || !millrace.IsID(id) || id == known[0] && a.format == formatAccount || id == known[1] && a.format == formatWebhook {
			continue
		}
		var err error
		var what string
		switch a.format {
		case formatAccount:
			what = "integrated account"
			_, err = tx.IntegratedAccount(ctx, p.job.EnvironmentID, millrace.IntegratedAccountID(id))
		case formatWebhook:
			what = "webhook"
			_, err = tx.Webhook(ctx, p.job.EnvironmentID, millrace.WebhookID(id))
		}
		if millrace.KindOf(err) == millrace.KindNotFound {
			p.found.add(millrace.Failure{
				Path: "args." + a.name, Code: millrace.CodeMissing, Message: what + " " + quote(id) + " does not exist in this environment",
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

// validate asks the job's args_validation. Nothing, null and what counts as false let the run start; an object with a
// message, or a text, refuses it with that message. Any other answer refuses it too: it was meant to say something.
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
	case err != nil && cancelled(ctx, err):
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
		message, ok = present(object, "message").(string)
	}
	if !ok || message == "" {
		message = "the job's args_validation answers " + brief(v) + ", which is neither nothing nor an object with a message"
	}
	return &millrace.Error{
		Kind: millrace.KindInvalid, Message: message, Failures: []millrace.Failure{{Path: p.at("args"), Message: message, Code: millrace.CodeRefused}},
	}
}

// resolveKeys renders the templates of mutex_key and state_key in the scope of the run. A key that has a placeholder left
// is refused: it would be shared with runs that it has nothing to do with.
func (p *preparation) resolveKeys(run *millrace.SyncJobRun) error {
	if run.MutexKey == "" && run.StateKey == "" {
		return nil
	}
	sc, err := baseScope(run, p.account, "")
	if err != nil {
		return err
	}
	run.MutexKey = p.resolveKey("mutex_key", run.MutexKey, sc)
	run.StateKey = p.resolveKey("state_key", run.StateKey, sc)
	return nil
}

func (p *preparation) resolveKey(path, key string, sc scope) string {
	text, err := expr.RenderString(key, sc.root)
	switch left := leftOver.FindString(text); {
	case err != nil:
		p.found.add(expr.FailureOf(path, err))
	case left != "":
		p.found.at(path, "%s finds nothing in the run", left)
	case len(text) > maxKey:
		p.found.at(path, "is longer than %d bytes", maxKey)
	}
	return strings.TrimSpace(text)
}
