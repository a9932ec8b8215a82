package httpapi

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// EnvironmentLimits are what one environment may take of what all share, and what it takes on the node that responds.
type EnvironmentLimits struct {
	WorkersPercent     int           `json:"workers_percent" doc:"Part of the workers of each kind that it may use, of those that the other environments leave free."`
	Workers            []WorkerShare `json:"workers"`
	RequestsPerToken   int           `json:"requests_per_token" doc:"In 10 seconds, for each API token; 0: any number."`
	RequestsPerAccount int           `json:"requests_per_account" doc:"In 10 seconds, of the proxy API and the custom API, for each account; 0: any number."`
	InboundPerAccount  int           `json:"inbound_per_account" doc:"Requests of providers in 10 seconds, for each account or installation; 0: any number."`
	InboundBytes       int           `json:"inbound_bytes_per_account" doc:"Bytes of their bodies in 10 seconds, for each account or installation; 0: any number."`
	ConditionMillis    int64         `json:"condition_ms" doc:"Of each second, that expressions of its workflows and inbound hooks may take."`
	RunsPerEvent       int64         `json:"runs_per_event" doc:"Workflow runs that one event may cause, directly or through events of these runs."`
}

// WorkerShare is what an environment has of the workers of one kind of tasks.
type WorkerShare struct {
	Kind    millrace.TaskKind `json:"kind" doc:"inbound (hooks), match (events), workflow (runs), slice (sync job runs) or pump (deliveries)."`
	Workers int               `json:"workers" doc:"Of the node."`
	Busy    int               `json:"busy" doc:"Workers at the environment's tasks now."`
	Waiting int64             `json:"waiting" doc:"Tasks of the environment that wait in line, on all nodes, because it has as many workers as it may."`
}

// environmentDetailView is an environment with its limits.
type environmentDetailView struct {
	millrace.Environment
	Limits EnvironmentLimits `json:"limits" doc:"What the environment may take of what all share, and what it takes now. These are settings of the server."`
}

func (a *api) getEnvironment(ctx context.Context, in *rest.GetIn[millrace.EnvironmentID]) (*rest.Reply[environmentDetailView], error) {
	out := &rest.Reply[environmentDetailView]{}
	var waiting map[millrace.TaskKind]int64
	err := a.cfg.DB.View(ctx, func(tx *store.Tx) error {
		e, err := getEnvironment(tx, ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		out.Body.Environment = *e
		waiting, err = tx.Tasks().CountWaiting(ctx, in.ID)
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
	for i := range l.Workers {
		l.Workers[i].Waiting = waiting[l.Workers[i].Kind]
	}
	l.RequestsPerToken, l.RequestsPerAccount = a.cfg.TokenLimit, a.cfg.AccountLimit
	l.InboundPerAccount, l.InboundBytes = a.cfg.InboundLimit, a.cfg.InboundBytesLimit
	return out, nil
}
