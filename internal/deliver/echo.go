package deliver

import (
	"maps"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/secret"
)

// maxEcho is what is kept of the response to a Slack message. It is far less than what is read, so that a secret which stands cut
// off at the end of that is not part of it.
const maxEcho = 1 << 10

// hideEcho removes from a response what lets anyone write to a Slack channel: its address, or parts of it, that an error repeats.
// Responses are stored and shown.
func hideEcho(w *millrace.Webhook, o *Outcome) {
	if w.Notification != millrace.NotifySlack {
		return
	}
	s := secret.NewScrubber(notify.AddressSecrets(w.Notice().WebhookURL), secret.MinData)
	o.Response = s.ScrubPrefix(o.Response, maxEcho)
	o.Header = maps.Clone(o.Header)
	maps.DeleteFunc(o.Header, func(name string, values []string) bool { // values are cut, and so may secrets be
		return !slices.Contains([]string{"Content-Type", "Date", "Retry-After"}, name) || slices.ContainsFunc(values, s.Hides)
	})
}
