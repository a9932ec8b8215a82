package millrace

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// NotificationType says what a notification destination is. Such a destination is a webhook with a type: events wait for it
// in order, are tried again and judged like those of any other.
type NotificationType string

// The types of destinations.
const (
	NoNotification  NotificationType = ""        // an ordinary webhook
	NotifySlack     NotificationType = "slack"   // an incoming webhook of Slack
	NotifyEmail     NotificationType = "email"   // mail through the server's SMTP server
	NotifyToWebhook NotificationType = "webhook" // signed like a delivery
)

// NotificationConfig says where a destination is. Which members it has follows from the type; those of a webhook are
// the webhook's own.
type NotificationConfig struct {
	WebhookURL         string   `json:"webhook_url,omitempty"` // a secret: it lets everyone who knows it write to the channel
	IgnoredStatusCodes []int64  `json:"ignored_status_codes,omitempty"`
	To                 []string `json:"to,omitempty"`
	Cc                 []string `json:"cc,omitempty"`
	Bcc                []string `json:"bcc,omitempty"`
	SubjectPrefix      string   `json:"subject_prefix,omitempty"`
}

// NotificationLimit is how many messages a destination gets at once, and again in each period of 60 s. What is more is sent
// together.
const NotificationLimit = 5

// DefaultNotificationEvents returns the events that a destination gets when it names none: those that need a person to act.
func DefaultNotificationEvents() []string {
	return []string{
		EventWebhookFailing, EventWebhookDisabled, EventCronFailed, EventRunFailed, EventRunPartial, EventAccountAuthError,
	}
}

// Notice returns the config of a destination; the zero value for an ordinary webhook.
func (w *Webhook) Notice() NotificationConfig {
	var c NotificationConfig
	if len(w.Config) > 0 {
		_ = json.Unmarshal(w.Config, &c) // checked when saved
	}
	return c
}

// Ignores reports whether a destination does not want an event because of the HTTP status of the error that it tells of.
func (w *Webhook) Ignores(e *Event) bool {
	if w.Notification == NoNotification {
		return false
	}
	ignored := w.Notice().IgnoredStatusCodes
	return len(ignored) > 0 && slices.Contains(ignored, e.errorStatus())
}

// errorStatus returns the HTTP status of the error that an event tells of, or 0.
func (e *Event) errorStatus() int64 {
	type status struct {
		Code       any   `json:"code"`
		StatusCode int64 `json:"status_code"`
	}
	var payload struct {
		Error     json.RawMessage `json:"error"`
		LastError json.RawMessage `json:"last_error"`
	}
	if json.Unmarshal(e.Payload, &payload) != nil {
		return 0
	}
	for _, raw := range []json.RawMessage{payload.LastError, payload.Error} {
		var s status
		if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
			continue // a text says nothing of a status
		}
		if s.StatusCode != 0 {
			return s.StatusCode
		}
		code, _ := s.Code.(string)
		if text, ok := strings.CutPrefix(code, "http_"); ok {
			n, _ := strconv.ParseInt(text, 10, 64)
			return n
		}
	}
	return 0
}
