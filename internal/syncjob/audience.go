package syncjob

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
)

// audience is who gets the outputs of a run.
type audience struct {
	events   map[string]bool // events_to_send; nil: all
	listened map[string]bool // the events that are stored only while something listens to them
}

// audienceOf returns the audience of a run. What workflows listen to is not known yet.
func audienceOf(run *millrace.SyncJobRun) audience {
	var names []string
	if len(run.EventsToSend) == 0 || json.Unmarshal(run.EventsToSend, &names) != nil || len(names) == 0 {
		return audience{}
	}
	a := audience{events: make(map[string]bool, len(names))}
	for _, name := range names {
		a.events[name] = true
	}
	return a
}

// readListened finds out whether workflows listen to records, and whether anything listens to changes of status. They are stored as
// events only then: most runs would store every record twice, and every change, for nothing. What is saved while a slice is under way
// counts from the next one on.
func (a *audience) readListened(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID) error {
	var err error
	a.listened, err = tx.Workflows().Listened(ctx, env, millrace.EventRunRecord, millrace.EventRunRecordError, millrace.EventRunUpdated)
	if err != nil || a.listened[millrace.EventRunUpdated] {
		return err
	}
	a.listened[millrace.EventRunUpdated], err = tx.Webhooks().Wanted(ctx, env, millrace.EventRunUpdated)
	return err
}

// wants reports whether an output has a webhook and is among the events that are sent.
func (a *audience) wants(out evaluate.Output) bool {
	return out.Webhook != "" && (a.events == nil || a.events[out.Event])
}
