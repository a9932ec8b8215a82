package deliver

import (
	"net/http"
	"time"

	"github.com/millrace/millrace"
)

// Kind says what follows from an attempt. The set is closed.
type Kind string

// The kinds of outcomes.
const (
	Delivered   Kind = "delivered"   // the response was 2xx
	Retry       Kind = "retry"       // no response, or any other one
	Cancel      Kind = "cancel"      // 400 to sync_job_run:started: the receiver does not want the run
	Gone        Kind = "gone"        // 410: the receiver unsubscribes
	Interrupted Kind = "interrupted" // the caller's context ended; says nothing about the receiver
)

// The classes of errors, beside those of package egress, for attempts that the status does not explain. They are stored and shown,
// so they are part of the API.
const (
	ClassRedirect = "redirect"  // the response was 3xx; redirects are not followed
	ClassTooLarge = "too_large" // the response was 413
	ClassInvalid  = "invalid"   // the URL cannot be called, or the webhook has no secret
)

// Outcome is the result of one attempt. A response of a receiver is never an error of ours.
type Outcome struct {
	Kind       Kind
	Status     int           // 0 without a response
	RetryAfter time.Duration // what the receiver asked for, at most a day; 0: nothing
	QuickRetry time.Duration // from Deliver: how long until a quick retry that it had no time for; 0: none is left
	ErrorClass string        // one of the classes, or empty
	StartedAt  millrace.Time
	Duration   time.Duration
	Response   string      // the beginning of the response's body, valid UTF-8 without NUL
	Header     http.Header // of the response, cut to a few KiB
}

// Unusual reports whether the delivery counts although the response was neither the documented 200 nor that of a mail server.
func (o Outcome) Unusual() bool {
	return o.Kind == Delivered && o.Status != http.StatusOK && o.Status != mailTaken
}

// Attempt returns the row that records the outcome.
func (o Outcome) Attempt(m Message) millrace.Attempt {
	return millrace.Attempt{
		DeliveryID:    m.ID,
		EnvironmentID: m.Webhook.EnvironmentID,
		WebhookID:     m.Webhook.ID,
		Number:        m.Attempt,
		StatusCode:    int64(o.Status),
		ErrorClass:    o.ErrorClass,
		Header:        o.Header,
		Response:      o.Response,
		DurationMS:    o.Duration.Milliseconds(),
		CreatedAt:     o.StartedAt,
	}
}

// overloaded reports whether asking again within seconds would only add to what the receiver has to do. A receiver that
// says itself when to come back knows best.
func (o Outcome) overloaded() bool {
	if o.RetryAfter > 0 {
		return o.RetryAfter > maxQuickGap
	}
	switch o.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return false
}
