package deliver

import (
	"encoding/json"

	"github.com/millrace/millrace"
)

// render returns the body of an event's delivery to a webhook: a millrace.Envelope. It depends on the event's row and
// the webhook's id alone, so that a repetition, however late, has the same bytes and the same signature. The payload is
// copied as it was stored: no number is rounded, no character re-escaped.
func render(e *millrace.Event, webhook millrace.WebhookID) []byte {
	payload := []byte(e.Payload)
	if len(payload) == 0 {
		payload = []byte("null")
	}
	b := make([]byte, 0, len(payload)+320)
	b = append(b, `{"id":`...)
	b = appendString(b, string(e.ID))
	b = append(b, `,"event":`...)
	b = appendString(b, e.Name)
	b = append(b, `,"payload":`...)
	b = append(b, payload...)
	b = append(b, `,"environment_id":`...)
	b = appendString(b, string(e.EnvironmentID))
	b = append(b, `,"created_at":`...)
	b = appendString(b, e.CreatedAt.String())
	b = append(b, `,"webhook_id":`...)
	b = appendString(b, string(webhook))
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has an encoding
	return append(b, quoted...)
}
