package millrace

import "strconv"

// DeliveryStatus says how far a delivery has come.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed"    // given up after many attempts
	DeliveryCancelled DeliveryStatus = "cancelled" // its event was removed, its webhook unsubscribed, or its run was stopped
)

// DeliveryStatuses returns the states of a delivery.
func DeliveryStatuses() []DeliveryStatus {
	return []DeliveryStatus{DeliveryPending, DeliveryDelivered, DeliveryFailed, DeliveryCancelled}
}

// Next reports whether a delivery in state s may go to state t. One that has ended is pending again when it is redelivered. One
// that was cancelled may have been on its way: its outcome is stored.
func (s DeliveryStatus) Next(t DeliveryStatus) bool {
	switch s {
	case DeliveryPending:
		return t == DeliveryDelivered || t == DeliveryFailed || t == DeliveryCancelled
	case DeliveryDelivered, DeliveryFailed:
		return t == DeliveryPending
	case DeliveryCancelled:
		return t == DeliveryPending || t == DeliveryDelivered || t == DeliveryFailed
	}
	return false
}

// Delivery is one event on its way to one webhook. Deliveries with a sequence belong to the webhook's backlog; those
// with a sync job run are sent by that run itself.
type Delivery struct {
	ID                  DeliveryID          `json:"id"`
	EnvironmentID       EnvironmentID       `json:"environment_id"`
	WebhookID           WebhookID           `json:"webhook_id"`
	EventID             EventID             `json:"event_id"`
	SyncJobRunID        SyncJobRunID        `json:"sync_job_run_id"`
	IntegratedAccountID IntegratedAccountID `json:"integrated_account_id"` // what the event is about
	Sequence            int64               `json:"sequence"`              // place in the webhook's backlog; 0: its run sends it
	RunSequence         int64               `json:"-"`                     // place among the deliveries of its run, from 1, without gaps
	Event               string              `json:"event"`
	Status              DeliveryStatus      `json:"status"`
	Resource            string              `json:"resource,omitempty"` // of the records that it carries, and the method that fetched them
	Method              string              `json:"method,omitempty"`
	Records             int64               `json:"records,omitempty"` // how many it carries
	Attempts            int64               `json:"attempt_count"`
	Failures            int64               `json:"-"`               // failed attempts since it was queued
	NextAttemptAt       Time                `json:"next_attempt_at"` // after a failure, while it is pending
	CreatedAt           Time                `json:"created_at"`
	DeliveredAt         Time                `json:"delivered_at"`
}

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	DeliveryID    DeliveryID          `json:"-"`
	EnvironmentID EnvironmentID       `json:"-"`
	WebhookID     WebhookID           `json:"-"`
	Number        int64               `json:"number"`           // from 1
	StatusCode    int64               `json:"status_code"`      // 0: no response
	ErrorClass    string              `json:"error_class"`      // timeout, refused, tls, dns, blocked, ...; empty when the status says it all
	Header        map[string][]string `json:"response_headers"` // of the response, cut to a few KiB
	Response      string              `json:"response_body"`    // the beginning of the response's body
	DurationMS    int64               `json:"duration_ms"`
	CreatedAt     Time                `json:"created_at"`
}

// TriedDelivery is a delivery with what was tried for it.
type TriedDelivery struct {
	Delivery
	Tries []Attempt
}

// Backlog says what waits for a webhook.
type Backlog struct {
	Pending         int64 `json:"pending"`           // deliveries, without those that runs send themselves
	OldestPendingAt Time  `json:"oldest_pending_at"` // when the first in line was made
	NextAttemptAt   Time  `json:"next_attempt_at"`   // null: at once, or not before the webhook is active again
	ParkedRuns      int64 `json:"parked_runs"`       // sync job runs that wait for the webhook to respond
}

// RunDeliveryID returns the id of a run's delivery. It follows from the sequence number in the run, so a repeated delivery
// has the id that it had before. Ids of deliveries are unique in all environments, ids of runs in their own only.
func RunDeliveryID(env EnvironmentID, run SyncJobRunID, sequence int64) DeliveryID {
	return DeriveID[DeliveryID](string(run), strconv.FormatInt(sequence, 10), string(env))
}

// EventDeliveryID returns the id of the delivery of an event to a webhook.
func EventDeliveryID(e *Event, w *Webhook) DeliveryID {
	return DeriveID[DeliveryID](string(e.ID), string(w.ID), string(w.EnvironmentID))
}
