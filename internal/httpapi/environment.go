package httpapi

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

func (a *api) environments() *noun[millrace.EnvironmentID, millrace.Environment, millrace.Environment] {
	return &noun[millrace.EnvironmentID, millrace.Environment, millrace.Environment]{
		api: a,
		one: func(tx *store.Tx, ctx context.Context, own, id millrace.EnvironmentID) (*millrace.Environment, error) {
			if id != own {
				return nil, millrace.NotFound("environment", string(id))
			}
			return tx.Environment(ctx, id)
		},
		many: (*store.Tx).ListEnvironments,
		show: asStored[millrace.Environment],
	}
}

// environmentPatch is the body of a change to an environment.
type environmentPatch struct {
	Name opt[string] `json:"name,omitzero" minLength:"1" maxLength:"200" nullable:"false" doc:"The new name." example:"Production"`
}

func (a *api) renameEnvironment(ctx context.Context, in *patchIn[millrace.EnvironmentID, environmentPatch]) (*reply[millrace.Environment], error) {
	n := a.environments()
	return n.update(ctx, func(tx *store.Tx) (*millrace.Environment, error) {
		e, err := n.one(tx, ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		e.Name = in.Data.Name.or(e.Name)
		return e, tx.UpdateEnvironment(ctx, e)
	})
}

func (a *api) apiTokens() *noun[millrace.APITokenID, millrace.APIToken, millrace.APIToken] {
	return &noun[millrace.APITokenID, millrace.APIToken, millrace.APIToken]{
		api: a, one: (*store.Tx).APIToken, many: (*store.Tx).ListAPITokens, show: asStored[millrace.APIToken],
	}
}

func (a *api) workflowRuns() *noun[millrace.WorkflowRunID, millrace.WorkflowRun, millrace.WorkflowRun] {
	return &noun[millrace.WorkflowRunID, millrace.WorkflowRun, millrace.WorkflowRun]{
		api: a, one: (*store.Tx).WorkflowRun, many: (*store.Tx).ListWorkflowRuns, drop: (*store.Tx).DeleteWorkflowRun,
		show: asStored[millrace.WorkflowRun],
	}
}
