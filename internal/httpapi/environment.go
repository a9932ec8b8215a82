package httpapi

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

const (
	adminNote  = "For an admin token, which millrace token create --scope admin makes."
	eitherNote = "An admin token sees all environments."
	deleteNote = adminNote + " An environment that has anything but tokens is rejected, unless force=true says that all of it is to go. " +
		"Its tokens stop working within seconds and its name is free at once; what it has is removed in the background."
)

func (a *api) environments() *noun[millrace.EnvironmentID, millrace.Environment, millrace.Environment] {
	return &noun[millrace.EnvironmentID, millrace.Environment, millrace.Environment]{
		api: a,
		one: func(tx *store.Tx, ctx context.Context, own, id millrace.EnvironmentID) (*millrace.Environment, error) {
			if own != "" && id != own {
				return nil, millrace.NotFound("environment", string(id))
			}
			return tx.Environment(ctx, id)
		},
		many: (*store.Tx).ListEnvironments,
		show: asStored[millrace.Environment],
	}
}

// environmentBody is the body of a create.
type environmentBody struct {
	Name   string `json:"name" minLength:"1" maxLength:"200" doc:"No other environment has it, in whatever case." example:"Production"`
	Weight int64  `json:"weight,omitempty" minimum:"1" maximum:"1000" doc:"Its part of what environments share, beside others; 100 when absent." example:"100"`
}

func (b *environmentBody) validate(*api, json.RawMessage) []millrace.Failure {
	return environmentName(b.Name)
}

func (*environmentBody) example() string { return `{"name":"Production"}` }

func environmentName(name string) []millrace.Failure {
	if known, ok := asError(millrace.CheckEnvironmentName(name)); ok {
		return known.Failures
	}
	return nil
}

func (a *api) createEnvironment(ctx context.Context, in *createIn[environmentBody]) (*reply[millrace.Environment], error) {
	return a.environments().update(ctx, func(tx *store.Tx) (*millrace.Environment, error) {
		v := &millrace.Environment{Name: in.Data.Name, Weight: in.Data.Weight}
		return v, tx.InsertEnvironment(ctx, v)
	})
}

// environmentPatch is the body of a change to an environment.
type environmentPatch struct {
	Name   opt[string] `json:"name,omitzero" minLength:"1" maxLength:"200" nullable:"false" doc:"The new name." example:"Production"`
	Weight opt[int64]  `json:"weight,omitzero" minimum:"1" maximum:"1000" nullable:"false" doc:"Its part of what environments share, beside others: one of 200 gets twice as much as one of 100." example:"100"`
}

func (a *api) patchEnvironment(ctx context.Context, in *patchIn[millrace.EnvironmentID, environmentPatch]) (*reply[millrace.Environment], error) {
	n := a.environments()
	return n.update(ctx, func(tx *store.Tx) (*millrace.Environment, error) {
		e, err := n.one(tx, ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		e.Name, e.Weight = in.Data.Name.or(e.Name), in.Data.Weight.or(e.Weight)
		if err := millrace.CheckEnvironmentName(e.Name); err != nil {
			return nil, err
		}
		return e, tx.UpdateEnvironment(ctx, e)
	})
}

// deleteEnvironmentIn is the input of the deletion of an environment.
type deleteEnvironmentIn struct {
	ID    millrace.EnvironmentID `path:"id" doc:"The object's id, a UUID." example:"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"`
	Force string                 `query:"force" enum:"true,false" doc:"true: delete all that it has."`
}

func (in *deleteEnvironmentIn) read(r *request, _ *bodyReader) error {
	in.ID = millrace.EnvironmentID(lower(string(in.ID)))
	query, err := url.ParseQuery(r.http.URL.RawQuery)
	if err != nil {
		return millrace.Invalid("force", "the query is not percent-encoded correctly")
	}
	for name, values := range query {
		switch {
		case name != "force":
			return millrace.Invalid(shorten(name), "is not a parameter of this route; did you mean \"force\"?")
		case len(values) > 1 || values[0] != "true" && values[0] != "false":
			return millrace.Invalid("force", "must be true or false, once")
		}
	}
	return nil
}

func (a *api) deleteEnvironment(ctx context.Context, in *deleteEnvironmentIn) (*reply[deleted], error) {
	err := a.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Environment(ctx, in.ID)
		if err != nil {
			return err
		}
		has, err := tx.EnvironmentRows(ctx, v.ID)
		if err != nil {
			return err
		}
		if len(has) > 0 && in.Force != "true" {
			return millrace.Errorf(millrace.KindConflict, "the environment has rows (%s); to delete all of them, send ?force=true", store.OwnedText(has))
		}
		if err := tx.StartEnvironmentErasure(ctx, v); err != nil {
			return err
		}
		return tx.Enqueue(ctx, millrace.EraseEnvironmentTask(v.ID))
	})
	return &reply[deleted]{deleted{string(in.ID)}}, err
}

func (a *api) apiTokens() *noun[millrace.APITokenID, millrace.APIToken, millrace.APIToken] {
	return &noun[millrace.APITokenID, millrace.APIToken, millrace.APIToken]{
		api: a, one: (*store.Tx).APIToken, many: (*store.Tx).ListAPITokens, show: asStored[millrace.APIToken],
		drop: func(tx *store.Tx, ctx context.Context, _ millrace.EnvironmentID, id millrace.APITokenID) error {
			return tx.DeleteAnyAPIToken(ctx, id)
		},
	}
}

// tokenBody is the body of a create.
type tokenBody struct {
	EnvironmentID string        `json:"environment_id" format:"uuid" doc:"The environment that the token is for."`
	Name          string        `json:"name,omitempty" maxLength:"200" doc:"For lists." example:"CI"`
	Scope         string        `json:"scope,omitempty" enum:"environment" doc:"Admin tokens are made on the command line only."`
	ExpiresAt     millrace.Time `json:"expires_at,omitempty" doc:"When it ends, which is to come; null: never."`
}

func (b *tokenBody) validate(a *api, _ json.RawMessage) []millrace.Failure {
	if b.ExpiresAt != 0 && b.ExpiresAt <= millrace.TimeOf(a.cfg.Clock()) {
		return []millrace.Failure{{Path: "expires_at", Message: "must not be in the past"}}
	}
	return nil
}

func (*tokenBody) example() string {
	return `{"environment_id":"3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f","name":"CI"}`
}

// shownToken is a token when it is made.
type shownToken struct {
	millrace.APIToken
	Token string `json:"token" doc:"The token itself. It is shown once."`
}

func (a *api) createToken(ctx context.Context, in *createIn[tokenBody]) (*reply[shownToken], error) {
	token := secret.NewToken()
	return store.Compute(ctx, a.cfg.DB, func(tx *store.Tx) (*reply[shownToken], error) {
		env, err := tx.Environment(ctx, millrace.EnvironmentID(in.Data.EnvironmentID))
		if err != nil {
			return nil, at("environment_id", err)
		}
		row := millrace.APIToken{
			EnvironmentID: env.ID, Name: in.Data.Name, Hash: secret.HashToken(token), CreatedBy: "api", ExpiresAt: in.Data.ExpiresAt,
			Scope: millrace.ScopeEnvironment,
		}
		if err := tx.InsertAPIToken(ctx, &row); err != nil {
			return nil, err
		}
		return &reply[shownToken]{shownToken{row, token}}, nil
	})
}

func (a *api) workflowRuns() *noun[millrace.WorkflowRunID, millrace.WorkflowRun, millrace.WorkflowRun] {
	return &noun[millrace.WorkflowRunID, millrace.WorkflowRun, millrace.WorkflowRun]{
		api: a, one: (*store.Tx).WorkflowRun, many: (*store.Tx).ListWorkflowRuns, drop: (*store.Tx).DeleteWorkflowRun,
		show: asStored[millrace.WorkflowRun],
	}
}
