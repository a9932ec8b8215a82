package syncjob

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/jsonata"
)

// body writes the envelope of a delivery, and returns it and the payload in it. It is millrace.Envelope, written by
// hand so that the records, which are nearly all of it, are encoded once and not checked and copied again. With files among
// the records the body is a form, which has the envelope as its first part.
func body(run *millrace.SyncJobRun, p *pending, out evaluate.Output) ([]byte, []byte, error) {
	w := writer{b: make([]byte, 0, sizeOf(out))}
	w.raw(`{"id":`).value(p.ID).raw(`,"event":`).value(out.Event).raw(`,"payload":`)
	from := len(w.b)
	var binary files
	if out.Event == millrace.EventRunRecord {
		w.raw(`{"resource":`).value(out.Resource).raw(`,"records":`).records(out.Records, binary.show)
		w.raw(`,"meta":`).value(millrace.RecordMeta{
			SyncJobRunID: run.ID, SyncJobID: run.SyncJobID, IntegratedAccountID: out.Account,
			Node: out.Node.Name, Method: out.Method, Sequence: p.RunSequence,
		}).raw(`}`)
	} else {
		w.raw(string(out.Payload))
	}
	to := len(w.b)
	w.raw(`,"environment_id":`).value(run.EnvironmentID).raw(`,"created_at":`).value(p.CreatedAt)
	w.raw(`,"webhook_id":`).value(out.Webhook).raw(`}`)
	if w.err != nil {
		return nil, nil, fmt.Errorf("encode delivery: %w", w.err)
	}
	whole, payload := w.b, w.b[from:to]
	if len(binary.all) == 0 {
		return whole, payload, nil
	}
	whole, err := multipartBody(p.ID, whole, binary.all)
	return whole, payload, err
}

// sizeOf guesses how long the envelope of an output will be.
func sizeOf(out evaluate.Output) int { return 1024 + len(out.Payload) + 256*len(out.Records) }

// writer appends JSON and remembers the first error.
type writer struct {
	b   []byte
	err error
}

func (w *writer) raw(s string) *writer {
	w.b = append(w.b, s...)
	return w
}

func (w *writer) value(v any) *writer {
	raw, err := json.Marshal(v)
	w.fail(err)
	w.b = append(w.b, raw...)
	return w
}

func (w *writer) records(records []jsonata.Value, show func(jsonata.Host) jsonata.Value) *writer {
	b, err := jsonata.AppendJSON(w.b, jsonata.NewArray(records...), show)
	if w.fail(err); err == nil {
		w.b = b
	}
	return w
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// runPayload returns the payload of the events of a run.
func (s *slice) runPayload(run *millrace.SyncJobRun) (json.RawMessage, error) {
	shown := *run
	for _, document := range []*json.RawMessage{&shown.Args, &shown.Resources, &shown.EventsToSend, &shown.ResourceStats, &shown.Error} {
		if len(*document) == 0 {
			*document = nil
		}
	}
	payload := millrace.RunPayload{SyncJobRun: &shown, RecordsSynced: s.stats.Records()}
	if shown.FinishedAt != 0 && shown.StartedAt != 0 {
		payload.DurationMS = int64(shown.FinishedAt-shown.StartedAt) / 1000
	}
	if shown.Status == millrace.RunRateLimited {
		payload.RetryAfter = max(1, int64(until(shown.RetryAt, s.r.now()).Round(time.Second).Seconds()))
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode sync job run: %w", err)
	}
	return raw, nil
}
