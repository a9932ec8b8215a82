package store

import (
	"context"
	"strings"

	"github.com/millrace/millrace"
)

// tables describes every noun's table once.
type tables struct {
	environment            *table[millrace.Environment]
	apiToken               *table[millrace.APIToken]
	integration            *table[millrace.Integration]
	environmentIntegration *table[millrace.EnvironmentIntegration]
	integratedAccount      *table[millrace.IntegratedAccount]
	webhook                *table[millrace.Webhook]
	delivery               *table[millrace.Delivery]
	event                  *table[millrace.Event]
	workflow               *table[millrace.Workflow]
	workflowRun            *table[millrace.WorkflowRun]
	syncJob                *table[millrace.SyncJob]
	syncJobRun             *table[millrace.SyncJobRun]
	syncJobRunState        *table[millrace.StateEntry]
	syncJobTemplate        *table[millrace.SyncJobTemplate]
	cronTrigger            *table[millrace.SyncJobCronTrigger]
	idempotentCall         *table[millrace.IdempotentCall]
	cronFire               *table[millrace.CronFire]
	inboundHook            *table[millrace.InboundHook]
}

func newTables(db *DB) tables {
	return tables{
		environment:            environmentTable(db),
		apiToken:               apiTokenTable(db),
		integration:            integrationTable(db),
		environmentIntegration: environmentIntegrationTable(db),
		integratedAccount:      integratedAccountTable(db),
		webhook:                webhookTable(db),
		delivery:               deliveryTable(db),
		event:                  eventTable(db),
		workflow:               workflowTable(db),
		workflowRun:            workflowRunTable(db),
		syncJob:                syncJobTable(db),
		syncJobRun:             syncJobRunTable(db),
		syncJobRunState:        syncJobRunStateTable(db),
		syncJobTemplate:        syncJobTemplateTable(db),
		cronTrigger:            cronTriggerTable(db),
		idempotentCall:         idempotentCallTable(db),
		cronFire:               cronFireTable(db),
		inboundHook:            inboundHookTable(db),
	}
}

// newRow sets the id and the times of a row about to be inserted.
func newRow[ID ~string](tx *Tx, id *ID, times ...*millrace.Time) {
	if *id == "" {
		*id = millrace.NewID[ID]()
	}
	*id = ID(strings.ToLower(string(*id)))
	now := tx.Now()
	for _, t := range times {
		if *t == 0 {
			*t = now
		}
	}
}

// addressable reports whether a new row may be addressed by its id alone, which others may choose, too. An id that Millrace makes
// is not known to others before; beside those, the first environment has the right, so that an installation with one environment
// needs no other addresses.
func addressable(env millrace.EnvironmentID, chosen string) bool {
	return chosen == "" || env == millrace.FirstEnvironmentID()
}

// mustUpdate writes all columns of a row by its id, or returns an error of KindNotFound.
func mustUpdate[T any](ctx context.Context, tx *Tx, t *table[T], v *T, id string) error {
	ok, err := t.update(ctx, tx, v, "")
	if err == nil && !ok {
		err = millrace.NotFound(t.what, id)
	}
	return err
}
