package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"
)

// Delivery is one verified request.
type Delivery struct {
	ID            string          // webhook-id: the same for every repetition
	Event         string          // such as sync_job_run:record
	Payload       json.RawMessage // what happened
	EnvironmentID string
	WebhookID     string
	CreatedAt     time.Time

	// Files among the records, by the name that stands in their place: the member file of an object with name, content_type
	// and size.
	Files map[string]File

	// For the records of a sync job run: the run, and the number of the delivery in it. The numbers of a run only grow.
	RunID    string
	Sequence int64
}

// File is binary data that came with the records.
type File struct {
	Name        string
	ContentType string
	Data        []byte
}

// Records decodes the records of a sync_job_run:record into a slice.
func (d *Delivery) Records(into any) error {
	var payload struct {
		Records json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(d.Payload, &payload); err != nil {
		return fmt.Errorf("webhook: decode payload: %w", err)
	}
	if payload.Records == nil {
		return errors.New("webhook: the payload has no records")
	}
	if err := json.Unmarshal(payload.Records, into); err != nil {
		return fmt.Errorf("webhook: decode records: %w", err)
	}
	return nil
}

// parse reads a verified body.
func parse(h http.Header, body []byte) (*Delivery, error) {
	var envelope struct {
		ID            string          `json:"id"`
		Event         string          `json:"event"`
		Payload       json.RawMessage `json:"payload"`
		EnvironmentID string          `json:"environment_id"`
		WebhookID     string          `json:"webhook_id"`
		CreatedAt     time.Time       `json:"created_at"`
	}
	files, body, err := split(h.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("webhook: decode body: %w", err)
	}
	d := &Delivery{
		ID: h.Get("Webhook-Id"), Event: envelope.Event, Payload: envelope.Payload, EnvironmentID: envelope.EnvironmentID,
		WebhookID: envelope.WebhookID, CreatedAt: envelope.CreatedAt, Files: files,
	}
	if d.ID == "" {
		d.ID = envelope.ID
	}
	var payload struct {
		Meta struct {
			RunID    string `json:"sync_job_run_id"`
			Sequence int64  `json:"sequence"`
		} `json:"meta"`
	}
	if envelope.Event == "sync_job_run:record" && json.Unmarshal(envelope.Payload, &payload) == nil {
		d.RunID, d.Sequence = payload.Meta.RunID, payload.Meta.Sequence
	}
	return d, nil
}

// split takes a form apart into the envelope and the files. Another body is the envelope.
func split(contentType string, body []byte) (map[string]File, []byte, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" {
		return nil, body, nil //nolint:nilerr // whatever it calls itself, JSON is decoded as JSON
	}
	var envelope []byte
	files := map[string]File{}
	for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return files, envelope, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: decode form: %w", err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: decode form: %w", err)
		}
		if part.FormName() == "payload" {
			envelope = data
			continue
		}
		files[part.FormName()] = File{Name: part.FileName(), ContentType: part.Header.Get("Content-Type"), Data: data}
	}
}
