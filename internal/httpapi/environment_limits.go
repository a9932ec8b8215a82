package httpapi

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// EnvironmentLimits are what one environment may take of what all share, and what it takes on the node that is asked.
type EnvironmentLimits struct {
	FewTasks           int           `json:"few_tasks" doc:"Tasks of each kind that it may have waiting or running before environments with fewer overtake it."`
	Workers            []WorkerShare `json:"workers" doc:"Of the kinds of tasks that may take long."`
	RequestsPerToken   int           `json:"requests_per_token" doc:"In 10 seconds, for each API token; 0: any number."`
	RequestsPerAccount int           `json:"requests_per_account" doc:"In 10 seconds, of the proxy API and the custom API, for each account; 0: any number."`
	InboundPerAccount  int           `json:"inbound_per_account" doc:"Requests of providers in 10 seconds, for each account or installation; 0: any number."`
}

// WorkerShare is what an environment has of the workers of one kind of tasks.
type WorkerShare struct {
	Kind     millrace.TaskKind `json:"kind" doc:"match, slice (sync job runs) or pump (deliveries)."`
	Workers  int               `json:"workers" doc:"Of the node. An environment may use half of those that the others leave free."`
	Busy     int               `json:"busy" doc:"Workers at the environment's tasks now."`
	Deferred int64             `json:"deferred" doc:"Tasks that were put off because the environment had as many workers as it may, since it last had none."`
}

// environmentDetailView is an environment with its limits.
type environmentDetailView struct {
	millrace.Environment
	Limits EnvironmentLimits `json:"limits" doc:"What the environment may take of what all share, and what it takes now. These are settings of the server."`
}

func (a *api) getEnvironment(ctx context.Context, in *getIn[millrace.EnvironmentID]) (*reply[environmentDetailView], error) {
	out := &reply[environmentDetailView]{}
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		e, err := a.environments().one(tx, ctx, in.Environment, in.ID)
		if err == nil {
			out.Body.Environment = *e
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.cfg.Limits != nil {
		out.Body.Limits = a.cfg.Limits(in.ID)
	}
	if out.Body.Limits.Workers == nil {
		out.Body.Limits.Workers = []WorkerShare{}
	}
	l := &out.Body.Limits
	l.RequestsPerToken, l.RequestsPerAccount, l.InboundPerAccount = a.cfg.TokenLimit, a.cfg.AccountLimit, a.cfg.InboundLimit
	return out, nil
}
