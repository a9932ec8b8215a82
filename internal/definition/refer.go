package definition

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/plan"
)

// What a definition names may come later, as when definitions are imported one by one: what is missing is a warning, and an
// error of the run that needs it.

// named is an id that a definition has, and where.
type named struct{ what, path, id string }

// missing returns warnings about those that the environment does not have.
func missing(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, names []named) ([]millrace.Failure, error) {
	var out []millrace.Failure
	for _, n := range names[:min(len(names), maxWarnings)] {
		var err error
		switch n.what {
		case "integrated account":
			_, err = tx.Accounts().Get(ctx, env, millrace.IntegratedAccountID(n.id))
		case "webhook":
			_, err = tx.Webhooks().Get(ctx, env, millrace.WebhookID(n.id))
		case "sync job":
			_, err = tx.SyncJobs().Get(ctx, env, millrace.SyncJobID(n.id))
		}
		if millrace.KindOf(err) == millrace.KindNotFound {
			out = append(out, millrace.Failure{Path: n.path, Message: fmt.Sprintf("%s %q does not exist in this environment", n.what, n.id)})
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LookUpSyncJob returns warnings about what a sync job names and its environment does not have: the integration, methods of its
// resources, accounts and webhooks.
func LookUpSyncJob(ctx context.Context, db *store.DB, v *millrace.SyncJob) ([]millrace.Failure, error) {
	refs := plan.Refer(v.Resources, v.DefaultRuntimeVersion)
	var names []named
	for _, r := range refs.Accounts {
		names = append(names, named{"integrated account", r.Path, r.ID})
	}
	for _, r := range refs.Webhooks {
		names = append(names, named{"webhook", r.Path, r.ID})
	}
	var out []millrace.Failure
	err := db.View(ctx, func(tx *store.Tx) error {
		absent, err := missing(ctx, tx, v.EnvironmentID, names)
		if err != nil || v.IntegrationName == "" {
			out = absent
			return err
		}
		methods, err := unknownMethods(ctx, tx, v, refs.Methods)
		out = slices.Concat(methods, absent)
		return err
	})
	return out[:min(len(out), maxWarnings)], err
}

// unknownMethods returns warnings about the requests of a job that its integration does not have.
func unknownMethods(ctx context.Context, tx *store.Tx, v *millrace.SyncJob, methods []plan.MethodReference) ([]millrace.Failure, error) {
	integration, err := tx.Integrations().Named(ctx, v.EnvironmentID, v.IntegrationName)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return []millrace.Failure{{Path: "integration_name", Message: fmt.Sprintf("this environment has no integration called %q", millrace.Shorten(v.IntegrationName))}}, nil
	}
	if err != nil {
		return nil, err
	}
	parsed, err := config.Load(integration.Config)
	if err != nil {
		return nil, nil //nolint:nilerr // an older version stored it; calls tell what is wrong with it
	}
	var out []millrace.Failure
	for _, m := range methods {
		_, err := parsed.Method(m.Resource, m.Method)
		for _, f := range millrace.FailuresOf("", err) {
			f.Path = map[bool]string{true: m.ResourcePath, false: m.MethodPath}[f.Path == "resource"]
			out = append(out, f)
		}
	}
	return out, nil
}

// LookUpWorkflow returns warnings about what the steps of a workflow name and its environment does not have, and about what the
// job of a step needs and nothing gives it.
func LookUpWorkflow(ctx context.Context, db *store.DB, v *millrace.Workflow) ([]millrace.Failure, error) {
	inputs, out := make([]input, len(v.Config.Steps)), []millrace.Failure(nil)
	analyzer := expr.NewAnalyzer(ctx)
	for i, step := range v.Config.Steps {
		inputs[i] = readInput(analyzer, fmt.Sprintf("config.steps[%d].config", i), step.Config)
		out = append(out, inputs[i].unknown()...)
	}
	err := db.View(ctx, func(tx *store.Tx) error {
		for _, in := range inputs {
			absent, err := missing(ctx, tx, v.EnvironmentID, in.names())
			if err != nil {
				return err
			}
			wants, err := in.lacks(ctx, tx, v)
			if err != nil {
				return err
			}
			out = slices.Concat(out, absent, wants)
		}
		return nil
	})
	return out[:min(len(out), maxWarnings)], err
}

// input is what is known of the input of a step before it is computed.
type input struct {
	path    string
	whole   bool              // members are all that it will have
	members map[string]string // constant texts; "" for those that are computed
}

// readInput reads the constant parts of the input of a step.
func readInput(analyzer *expr.Analyzer, path string, raw json.RawMessage) input {
	in := input{path: path, members: map[string]string{}}
	root, err := document.ParseJSON(raw)
	if err != nil {
		return in
	}
	if root.Kind == document.KindObject {
		in.whole = true
		for _, m := range root.Members {
			in.members[m.Key] = m.Value.Text
			in.whole = in.whole && m.Key != mergeMember
		}
		return in
	}
	program, err := expr.Compile(root.Text)
	if root.Kind != document.KindString || err != nil {
		return in
	}
	result := analyzer.Analyze(program).Result
	if in.whole = result != nil && slices.Equal(result.Types, []string{"object"}) && len(result.Keys) > 0 && len(result.Sources) == 0; !in.whole {
		return in
	}
	for _, k := range result.Keys {
		in.members[k.Key], _ = k.Value.Constant.(string)
	}
	return in
}

// unknown returns warnings about members that the action does not have, on which the step will fail. The template of an object is
// rejected for them.
func (in *input) unknown() []millrace.Failure {
	var out []millrace.Failure
	for _, name := range slices.Sorted(maps.Keys(in.members)) {
		if f := millrace.CheckRunInput(in.path, name); f != nil && in.whole {
			out = append(out, *f)
		}
	}
	return out
}

// names returns the ids that stand in the input.
func (in *input) names() []named {
	var out []named
	for _, n := range []named{{what: "sync job", path: "sync_job_id"}, {what: "integrated account", path: "integrated_account_id"}, {what: "webhook", path: "webhook_id"}} {
		if n.id = in.members[n.path]; millrace.IsID(n.id) {
			out = append(out, named{n.what, in.path + "." + n.path, strings.ToLower(n.id)})
		}
	}
	return out
}

// lacks returns warnings about what the job of the step needs and nothing gives it. Arguments may, and resources of the step's own
// may need less.
func (in *input) lacks(ctx context.Context, tx *store.Tx, v *millrace.Workflow) ([]millrace.Failure, error) {
	has := func(name string) bool { _, ok := in.members[name]; return ok }
	id := in.members["sync_job_id"]
	if !in.whole || has("args") || has("resources") || !millrace.IsID(id) {
		return nil, nil
	}
	job, err := tx.SyncJobs().Get(ctx, v.EnvironmentID, millrace.SyncJobID(strings.ToLower(id)))
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	refs := plan.Refer(job.Resources, job.DefaultRuntimeVersion)
	t, known := catalogue.Find(v.Event)
	var out []millrace.Failure
	if refs.NeedsAccount != "" && !has("integrated_account_id") && known && !t.NamesAccount() {
		out = append(out, millrace.Failure{Path: in.path, Message: fmt.Sprintf(
			"%s of the sync job reads from an account: events %s have none, and there is no integrated_account_id", refs.NeedsAccount, v.Event)})
	}
	if refs.NeedsWebhook != "" && !has("webhook_id") {
		out = append(out, millrace.Failure{Path: in.path, Message: refs.NeedsWebhook +
			" of the sync job sends its records to the webhook of the run, and there is no webhook_id: each run will fail at its start"})
	}
	return out, nil
}
