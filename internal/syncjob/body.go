package syncjob

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/jsonata"
)

// body writes the envelope of a delivery, and returns it and the payload in it. It is millrace.Envelope, written by
// hand so that the records, which are nearly all of it, are encoded once and not checked and copied again. With files among
// the records the body is a form, which has the envelope as its first part.
func body(run *millrace.SyncJobRun, p *pending, out output) ([]byte, []byte, error) {
	var b bytes.Buffer
	w := writer{b: &b}
	w.raw(`{"id":`).value(p.ID).raw(`,"event":`).value(out.event).raw(`,"payload":`)
	from := b.Len()
	var binary files
	if out.event == millrace.EventRunRecord {
		records, err := jsonata.ToJSONWith(jsonata.NewArray(out.records...), binary.show)
		if err != nil {
			return nil, nil, fmt.Errorf("encode records: %w", err)
		}
		w.raw(`{"resource":`).value(out.resource).raw(`,"records":`).bytes(records)
		w.raw(`,"meta":`).value(millrace.RecordMeta{
			SyncJobRunID: run.ID, SyncJobID: run.SyncJobID, IntegratedAccountID: out.account,
			Node: out.node.name, Method: out.method, Sequence: p.RunSequence,
		}).raw(`}`)
	} else {
		w.bytes(out.payload)
	}
	to := b.Len()
	w.raw(`,"environment_id":`).value(run.EnvironmentID).raw(`,"created_at":`).value(p.CreatedAt)
	w.raw(`,"webhook_id":`).value(out.webhook).raw(`}`)
	if w.err != nil {
		return nil, nil, fmt.Errorf("encode delivery: %w", w.err)
	}
	whole, payload := b.Bytes(), b.Bytes()[from:to]
	if len(binary.all) == 0 {
		return whole, payload, nil
	}
	whole, err := multipartBody(p.ID, whole, binary.all)
	return whole, payload, err
}

// writer appends JSON and remembers the first error.
type writer struct {
	b   *bytes.Buffer
	err error
}

func (w *writer) raw(s string) *writer {
	w.b.WriteString(s)
	return w
}

func (w *writer) bytes(b []byte) *writer {
	w.b.Write(b)
	return w
}

func (w *writer) value(v any) *writer {
	raw, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	return w.bytes(raw)
}

// runPayload returns the payload of the events of a run.
func (s *slice) runPayload(run *millrace.SyncJobRun) (json.RawMessage, error) {
	shown := *run
	for _, document := range []*json.RawMessage{&shown.Args, &shown.Resources, &shown.EventsToSend, &shown.ResourceStats, &shown.Error} {
		if len(*document) == 0 {
			*document = nil
		}
	}
	payload := millrace.RunPayload{SyncJobRun: &shown, RecordsSynced: s.stats.records()}
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
