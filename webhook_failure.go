package millrace

import "time"

// The events about a webhook that fails. They are for others: the webhook itself gets none of them.
const (
	EventWebhookFailing     = "webhook:failing"
	EventWebhookDisabled    = "webhook:disabled"
	EventWebhookReactivated = "webhook:reactivated"
)

// DisableReason says why Millrace has set a webhook inactive.
type DisableReason string

// The reasons.
const (
	DisabledProlonged DisableReason = "prolonged_failure" // it has failed for too long without a success in between
	DisabledGone      DisableReason = "gone"              // it responded with 410
)

// FailureOver is the percentage of the time that a webhook may fail at which it is set inactive.
const FailureOver = 100

// WebhookPayload is the payload of an event about a webhook that fails, or did.
type WebhookPayload struct {
	*Webhook
	FailingPercent int64         `json:"failing_percent"` // of the time that it may fail: 50, 70, 90 or 100
	InactiveAt     Time          `json:"inactive_at"`     // a failure after that sets it inactive, or did
	Reason         DisableReason `json:"reason,omitempty"`
	LastError      *WebhookError `json:"last_error,omitempty"` // absent once it is active again
	Backlog        Backlog       `json:"backlog"`
}

// WebhookError is how a webhook failed last.
type WebhookError struct {
	Event      string `json:"event"`                 // what was sent
	StatusCode int64  `json:"status_code,omitempty"` // of the response; absent: there was none
	ErrorClass string `json:"error_class,omitempty"` // why there was none
	At         Time   `json:"at"`
}

// FailingPercent returns which threshold of the time that it may fail the webhook has reached: 50, 70, 90, 100, or 0.
func (w *Webhook) FailingPercent(now Time, limit time.Duration) int64 {
	if w.FailingSince == 0 {
		return 0
	}
	failing := now.Std().Sub(w.FailingSince.Std())
	reached := int64(0)
	for _, percent := range [...]int64{50, 70, 90, FailureOver} {
		if failing >= limit/100*time.Duration(percent) {
			reached = percent
		}
	}
	return reached
}
