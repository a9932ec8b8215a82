package millrace

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Webhook is an endpoint that Millrace calls.
type Webhook struct {
	ID                WebhookID        `json:"id"`
	EnvironmentID     EnvironmentID    `json:"environment_id"`
	TargetURL         string           `json:"target_url"`
	IsActive          bool             `json:"is_active"`
	EventTypes        json.RawMessage  `json:"event_types"` // array of names; null or ["all"]: all
	Secret            string           `json:"-"`           // shown by create only; encrypted at rest
	SignatureEncoding string           `json:"signature_encoding"`
	PreviousSecret    string           `json:"-"`                          // signs beside Secret until it expires; encrypted at rest
	PreviousExpiresAt Time             `json:"previous_secret_expires_at"` // null: no secret is on its way out
	Ordering          Ordering         `json:"ordering"`
	Concurrency       int64            `json:"concurrency"` // attempts at a time; 1 with strict ordering
	RateLimit         int64            `json:"-"`           // attempts in RatePeriod; 0: any number
	RatePeriod        int64            `json:"-"`           // seconds
	RateUsedUntil     Time             `json:"-"`           // when the attempts so far are no longer held against the limit
	NextSequence      int64            `json:"-"`           // of the last delivery that was queued
	SentSequence      int64            `json:"-"`           // up to which the backlog is finished or deferred
	DeferredInRow     int64            `json:"-"`           // deliveries in a row that failed and are deferred since one got through
	Epoch             int64            `json:"-"`           // raised by every pump; progress is fenced by it
	Attempt           int64            `json:"-"`           // failed attempts in a row that hold the backlog
	NotBefore         Time             `json:"-"`           // the pump waits until then
	FailingSince      Time             `json:"failing_since"`
	Notification      NotificationType `json:"notification_type,omitempty"` // set: it is a notification destination
	Label             string           `json:"-"`                           // of a destination
	Config            json.RawMessage  `json:"-"`                           // of a destination; encrypted at rest
	NotifiedPercent   int64            `json:"-"`                           // at which percentage of the time that it may fail the last notification was sent
	CreatedAt         Time             `json:"created_at"`
	UpdatedAt         Time             `json:"updated_at"`
}

// Ordering says what a failed delivery means for those behind it.
type Ordering string

// The orderings of a webhook's backlog.
const (
	OrderingFirstAttempt Ordering = "first_attempt" // first attempts are in order; a failed delivery is deferred
	OrderingStrict       Ordering = "strict"        // a delivery that fails holds those behind it
)

// Wants reports whether the webhook is active and subscribed to the event.
func (w *Webhook) Wants(event string) bool {
	if !w.IsActive {
		return false
	}
	var types []string
	if len(w.EventTypes) > 0 {
		_ = json.Unmarshal(w.EventTypes, &types) // checked when saved
	}
	return len(types) == 0 || slices.Contains(types, event) || slices.Contains(types, "all") || slices.Contains(types, "*") ||
		IsRecordEvent(event) && slices.Contains(types, AllRecordEvents)
}

// Rotate makes secret the webhook's key. The key until now signs as well until the given time, so that receivers can
// change theirs without missing a delivery; one that was on its way out before is dropped.
func (w *Webhook) Rotate(secret string, until Time) {
	w.PreviousSecret, w.PreviousExpiresAt, w.Secret = w.Secret, until, secret
}

// SigningSecrets returns the keys that sign a request at a time, the current one first.
func (w *Webhook) SigningSecrets(at Time) []string {
	if w.PreviousSecret == "" || at >= w.PreviousExpiresAt {
		return []string{w.Secret}
	}
	return []string{w.Secret, w.PreviousSecret}
}

// DeliveryContentType returns the media type of a delivery's body: JSON, or a form when there are files among the records. A
// form begins with its boundary.
func DeliveryContentType(body []byte) string {
	rest, isForm := bytes.CutPrefix(body, []byte("--"))
	if !isForm {
		return "application/json"
	}
	boundary, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return "multipart/form-data; boundary=" + string(boundary)
}
