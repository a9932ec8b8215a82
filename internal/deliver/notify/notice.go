package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
)

const (
	maxNoticeText = 300 // runes of a text that a provider may have had a hand in
	maxNamed      = 5   // notices of a summary that are named one by one
)

// Notice is what a message says to people: what happened, since when, and what to do. It carries no records and no secrets.
type Notice struct {
	Title string
	Lines []string
}

// noticePayload is what notices read of payloads.
type noticePayload struct {
	ID               string           `json:"id"`
	TargetURL        string           `json:"target_url"`
	NotificationType string           `json:"notification_type"`
	FailingSince     string           `json:"failing_since"`
	FailingPercent   int64            `json:"failing_percent"`
	InactiveAt       string           `json:"inactive_at"`
	Reason           string           `json:"reason"`
	Backlog          millrace.Backlog `json:"backlog"`
	LastError        json.RawMessage  `json:"last_error"`
	Error            json.RawMessage  `json:"error"`
	FirstError       json.RawMessage  `json:"first_error"`
	ErrorCount       int64            `json:"error_count"`
	SyncJobID        string           `json:"sync_job_id"`
	AccountID        string           `json:"integrated_account_id"`
	TenantID         string           `json:"tenant_id"`
	Integration      struct {
		Name string `json:"name"`
	} `json:"integration"`
}

// Of returns what to say of one event, or of several at once. They are the bodies of deliveries.
func Of(body []byte, more ...[]byte) (Notice, error) {
	if len(more) == 0 {
		return single(body)
	}
	events, first := map[string]int{}, []string{}
	for _, body := range append([][]byte{body}, more...) {
		var e millrace.Envelope
		if err := json.Unmarshal(body, &e); err != nil {
			return Notice{}, fmt.Errorf("read event: %w", err)
		}
		events[e.Event]++
		if len(first) < maxNamed {
			one, err := single(body)
			if err != nil {
				return Notice{}, err
			}
			first = append(first, one.Title+" ("+e.CreatedAt.String()+")")
		}
	}
	n := Notice{Title: fmt.Sprintf("%d notifications at once", len(more)+1)}
	for _, name := range slices.Sorted(maps.Keys(events)) {
		n.Lines = append(n.Lines, fmt.Sprintf("%d x %s", events[name], name))
	}
	n.Lines = append(n.Lines, "The first of them:")
	n.Lines = append(n.Lines, first...)
	n.Lines = append(n.Lines, "All of them: GET /event")
	return n, nil
}

func single(body []byte) (Notice, error) {
	var e millrace.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return Notice{}, fmt.Errorf("read event: %w", err)
	}
	var p noticePayload
	_ = json.Unmarshal(e.Payload, &p) // an event of a caller's own may have nothing to read
	n := p.about(e.Event)
	n.Lines = append(n.Lines, fmt.Sprintf("%s at %s, event %s in environment %s", e.Event, e.CreatedAt, e.ID, e.EnvironmentID))
	return n, nil
}

// about says what an event means.
func (p *noticePayload) about(event string) Notice {
	switch event {
	case millrace.EventWebhookFailing:
		return Notice{"The " + p.endpoint() + " keeps failing", []string{
			fmt.Sprintf("It has failed since %s: %d %% of the time that it may. %s", p.FailingSince, p.FailingPercent, p.lastResponse()),
			p.waiting(),
			"Unless it responds with 200, it is set inactive at " + p.InactiveAt + ". See GET " + p.path() + ".",
		}}
	case millrace.EventWebhookDisabled:
		why := "It has failed since " + p.FailingSince + "."
		if p.Reason == string(millrace.DisabledGone) {
			why = "It has unsubscribed."
		}
		return Notice{"The " + p.endpoint() + " was set inactive", []string{
			why + " " + p.lastResponse(),
			p.waiting(),
			"When it works again: PATCH " + p.path() + ` with {"is_active": true}. What waits is sent then.`,
		}}
	case millrace.EventWebhookReactivated:
		return Notice{"The " + p.endpoint() + " is active again", []string{p.waiting()}}
	case millrace.EventRunFailed:
		return Notice{"A sync job run failed", []string{
			fmt.Sprintf("Run %s of sync job %s for account %s.", p.ID, p.SyncJobID, p.AccountID),
			"Why: " + reason(p.Error), "See GET /sync-job-run/" + p.ID + ".",
		}}
	case millrace.EventRunPartial:
		return Notice{"A sync job run is partial", []string{
			fmt.Sprintf("Run %s of sync job %s for account %s is completed, and %d requests, expressions or destinations failed in it.", p.ID, p.SyncJobID, p.AccountID, p.ErrorCount),
			"The first: " + reason(p.FirstError), "The next run asks for what is missing. See GET /sync-job-run/" + p.ID + ".",
		}}
	case millrace.EventCronFailed:
		return Notice{"A schedule could not start a run", []string{
			fmt.Sprintf("Schedule %s of sync job %s.", p.ID, p.SyncJobID),
			"Why: " + reason(p.Error), "See GET /sync-job-cron-trigger/" + p.ID + "/fires.",
		}}
	case millrace.EventAccountAuthError:
		return Notice{"An account must be connected again", []string{
			fmt.Sprintf("The provider %s rejects the credentials of account %s (tenant %s).", shorten(p.Integration.Name), p.ID, shorten(p.TenantID)),
			"Why: " + reason(p.LastError),
			"Nothing is fetched for it until its owner reconnects it.",
		}}
	case millrace.EventTest:
		return Notice{"This is a test", []string{"Notifications of Millrace arrive here."}}
	}
	if p.ID == "" {
		return Notice{Title: event}
	}
	return Notice{event, []string{"About " + shorten(p.ID) + "."}}
}

// endpoint names a webhook without what may be secret in its address.
func (p *noticePayload) endpoint() string {
	if p.NotificationType != "" {
		return "notification destination " + p.ID + " (" + p.NotificationType + ")"
	}
	if u, err := url.Parse(p.TargetURL); err == nil && u.Host != "" {
		return "webhook at " + shorten(u.Host)
	}
	return "webhook " + p.ID
}

func (p *noticePayload) path() string {
	if p.NotificationType != "" {
		return "/notification-destination/" + p.ID
	}
	return "/webhook/" + p.ID
}

func (p *noticePayload) lastResponse() string {
	var e millrace.WebhookError
	if len(p.LastError) == 0 || json.Unmarshal(p.LastError, &e) != nil {
		return ""
	}
	if e.StatusCode != 0 {
		return fmt.Sprintf("Its last response was %d.", e.StatusCode)
	}
	return "It does not respond: " + e.ErrorClass + "."
}

func (p *noticePayload) waiting() string {
	return fmt.Sprintf("%d events and %d sync job runs wait for it.", p.Backlog.Pending, p.Backlog.ParkedRuns)
}

// reason returns the message of an error, which is a text or an object with one.
func reason(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return shorten(text)
	}
	var e millrace.RunError
	if json.Unmarshal(raw, &e) == nil && e.Message != "" {
		return shorten(e.Message)
	}
	return "not known"
}

// shorten makes one line of a stranger's text.
func shorten(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if utf8.RuneCountInString(s) <= maxNoticeText {
		return s
	}
	return string([]rune(s)[:maxNoticeText]) + "..."
}

// Text is the notice as plain text.
func (n Notice) Text() string {
	var b strings.Builder
	for _, line := range n.Lines {
		if line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Slack is the notice as the body of a request to an incoming webhook of Slack. Three characters are escaped; with them
// no text can link or call for people.
func (n Notice) Slack() ([]byte, error) {
	plain := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	return json.Marshal(map[string]any{
		"text":         "*" + strings.ReplaceAll(plain.Replace(n.Title), "*", "\u2217") + "*\n" + plain.Replace(n.Text()),
		"unfurl_links": false, "unfurl_media": false,
	})
}

// AddressSecrets lists what is secret of the address of a Slack channel.
func AddressSecrets(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	return append(strings.Split(u.Path, "/"), u.Path, u.EscapedPath(), u.RawQuery)
}
