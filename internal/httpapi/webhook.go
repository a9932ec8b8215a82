package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

const secretNote = "The signing secret is in this answer and in no other. A secret of your own is taken; " +
	"otherwise it is a random UUID."

// webhookView is a webhook on the wire.
type webhookView struct {
	millrace.Webhook
	EventTypes []string          `json:"event_types" nullable:"true" doc:"The events that are sent; null is all."`
	RateLimit  *webhookRateLimit `json:"rate_limit" doc:"null: no limit."`
	Secret     string            `json:"secret,omitempty" doc:"The signing secret, only in the answer that creates the webhook."`
}

func showWebhook(v *millrace.Webhook) webhookView {
	shown := webhookView{Webhook: *v}
	_ = json.Unmarshal(v.EventTypes, &shown.EventTypes) // checked when saved
	if v.RateLimit > 0 {
		shown.RateLimit = &webhookRateLimit{v.RateLimit, v.RatePeriod}
	}
	return shown
}

type webhooks struct {
	*noun[millrace.WebhookID, millrace.Webhook, webhookView]
}

func (a *api) webhooks() webhooks {
	return webhooks{&noun[millrace.WebhookID, millrace.Webhook, webhookView]{
		api: a, one: (*store.Tx).Webhook, many: (*store.Tx).ListWebhooks, drop: (*store.Tx).DeleteWebhook,
		show: each(showWebhook),
	}}
}

// webhookDetailView is a webhook with what waits for it.
type webhookDetailView struct {
	webhookView
	Backlog millrace.Backlog `json:"backlog" doc:"What waits to be sent."`
}

func (n webhooks) getWithBacklog(ctx context.Context, in *getIn[millrace.WebhookID]) (*reply[webhookDetailView], error) {
	out := &reply[webhookDetailView]{}
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		backlog, err := tx.BacklogOf(ctx, w)
		out.Body = webhookDetailView{showWebhook(w), backlog}
		return err
	})
	return out, err
}

// webhookBody is the body of a create.
type webhookBody struct {
	Identity
	TargetURL         string   `json:"target_url" minLength:"1" maxLength:"2048" doc:"Where events are sent by POST." example:"https://example.com/hooks"`
	IsActive          *bool    `json:"is_active,omitempty" doc:"true when absent."`
	EventTypes        []string `json:"event_types,omitempty" maxItems:"200" doc:"The events to send; all when absent or null, and for all."`
	Secret            string   `json:"secret,omitempty" minLength:"1" maxLength:"512" doc:"The key of the signatures."`
	SignatureEncoding string   `json:"signature_encoding,omitempty" enum:"base64,hex" doc:"base64 when absent."`
	Pace
}

func (b *webhookBody) validate(*api, json.RawMessage) []millrace.Failure {
	return slices.Concat(checkTarget(b.TargetURL), checkEventTypes(b.EventTypes), failuresOf("", checkPace(b.apply(&millrace.Webhook{}))))
}

func checkTarget(target string) []millrace.Failure {
	if target == "" {
		return nil // an empty one is reported as such
	}
	u, err := url.Parse(target)
	var message string
	switch {
	case err != nil:
		message = "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		message = "must be an absolute URL that starts with https:// or http://"
	case u.Hostname() == "":
		message = "has no host"
	case u.User != nil:
		message = "must not contain a user name or password"
	default:
		return nil
	}
	return []millrace.Failure{{Path: "target_url", Message: message}}
}

func checkEventTypes(names []string) []millrace.Failure {
	var out []millrace.Failure
	catalogue := append(millrace.EventNames(), "all", "*")
	known := map[string]bool{}
	for _, name := range catalogue {
		known[name] = true
	}
	for i, name := range names {
		if known[name] || millrace.IsCustomEvent(name) {
			continue
		}
		out = append(out, unknownEvent(fmt.Sprintf("event_types[%d]", i), name, catalogue))
	}
	return out
}

func unknownEvent(path, name string, catalogue []string) millrace.Failure {
	f := millrace.Failure{Path: path, Message: fmt.Sprintf("unknown event %q", shorten(name))}
	f.Suggest(name, catalogue)
	return f
}

func encodeEventTypes(names []string) json.RawMessage {
	if names == nil {
		return json.RawMessage("null")
	}
	raw, _ := json.Marshal(names) // texts can always be encoded
	return raw
}

func (n webhooks) create(ctx context.Context, in *createIn[webhookBody]) (*reply[webhookView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.Webhook{
		ID: millrace.WebhookID(b.ID), EnvironmentID: in.Environment, TargetURL: b.TargetURL, IsActive: true,
		EventTypes: encodeEventTypes(b.EventTypes), Secret: b.Secret, SignatureEncoding: b.SignatureEncoding,
	}
	if b.IsActive != nil {
		v.IsActive = *b.IsActive
	}
	if v.Secret == "" {
		v.Secret = millrace.NewSecret()
	}
	if v.SignatureEncoding == "" {
		v.SignatureEncoding = "base64"
	}
	b.apply(v)
	out, err := n.update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) { return v, tx.InsertWebhook(ctx, v) })
	if err != nil {
		return nil, err
	}
	out.Body.Secret = v.Secret
	return out, nil
}

// webhookPatch is the body of a change.
type webhookPatch struct {
	TargetURL         opt[string]   `json:"target_url,omitzero" minLength:"1" maxLength:"2048" nullable:"false"`
	IsActive          opt[bool]     `json:"is_active,omitzero" nullable:"false"`
	EventTypes        opt[[]string] `json:"event_types,omitzero" maxItems:"200" doc:"null is all."`
	SignatureEncoding opt[string]   `json:"signature_encoding,omitzero" enum:"base64,hex" nullable:"false"`
	Pace
}

func (b *webhookPatch) validate(*api, json.RawMessage) []millrace.Failure {
	return append(checkTarget(b.TargetURL.Value), checkEventTypes(b.EventTypes.Value)...)
}

func (n webhooks) patch(ctx context.Context, in *patchIn[millrace.WebhookID, webhookPatch]) (*reply[webhookView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) {
		if b.IsActive.Value {
			// The others may have to hear of it, and their locks come first.
			if _, err := tx.LockWebhooks(ctx, in.Environment); err != nil {
				return nil, err
			}
		}
		// The lock keeps the webhook's pump from moving on meanwhile: a revival resets what it remembers of failures.
		v, err := tx.LockWebhook(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		revived := !v.IsActive && b.IsActive.or(v.IsActive)
		moved := b.TargetURL.or(v.TargetURL) != v.TargetURL || b.Ordering.or(v.Ordering) != v.Ordering
		v.TargetURL, v.IsActive = b.TargetURL.or(v.TargetURL), b.IsActive.or(v.IsActive)
		v.SignatureEncoding = b.SignatureEncoding.or(v.SignatureEncoding)
		if b.EventTypes.Sent {
			v.EventTypes = encodeEventTypes(b.EventTypes.Value)
		}
		if err := checkPace(b.apply(v)); err != nil {
			return nil, err
		}
		if revived {
			if err := n.reactivated(ctx, tx, v); err != nil {
				return nil, err
			}
		}
		if err := tx.UpdateWebhook(ctx, v); err != nil || !v.IsActive || (!revived && !moved) {
			return v, err
		}
		v.FailingSince, v.FailingTold, v.NotBefore, v.Attempt, v.PutAside = 0, 0, 0, 0, 0
		if _, err := tx.SaveWebhookProgress(ctx, v); err != nil {
			return nil, err
		}
		return v, tx.WakeWebhook(ctx, in.Environment, v.ID)
	})
}

// reactivated tells the others that somebody has activated a webhook that Millrace had set inactive. It is still inactive in
// the database, so that it gets no event about itself.
func (n webhooks) reactivated(ctx context.Context, tx *store.Tx, v *millrace.Webhook) error {
	if v.FailingTold < millrace.FailureOver {
		return nil
	}
	shown := *v
	shown.FailingSince = 0
	backlog, err := tx.BacklogOf(ctx, &shown)
	if err != nil {
		return err
	}
	e, err := millrace.NewEvent(v.EnvironmentID, millrace.EventWebhookReactivated, millrace.WebhookPayload{Webhook: &shown, Backlog: backlog})
	if err != nil {
		return err
	}
	return n.api.cfg.Emitter.EmitTx(ctx, tx, e)
}

// testBody is the body of a test.
type testBody struct {
	ID        string `json:"id" format:"uuid" doc:"The webhook to test."`
	EventType string `json:"event_type,omitempty" doc:"The event to send, with its example as payload; test when absent." example:"sync_job_run:completed"`
}

func (b *testBody) validate(*api, json.RawMessage) []millrace.Failure {
	t, known := findEventType(b.event())
	switch {
	case !known:
		return []millrace.Failure{unknownEvent("event_type", b.EventType, millrace.EventNames())}
	case t.example == nil:
		return []millrace.Failure{{Path: "event_type", Message: fmt.Sprintf("this server does not emit %s and has no example of it", b.EventType)}}
	}
	return nil
}

func (b *testBody) event() string {
	if b.EventType == "" {
		return millrace.EventTest
	}
	return b.EventType
}

func (n webhooks) test(ctx context.Context, in *createIn[testBody]) (*reply[success], error) {
	var v *millrace.Webhook
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = tx.Webhook(ctx, in.Environment, millrace.WebhookID(lower(in.Data.ID)))
		return err
	})
	if err != nil {
		return nil, at("id", err)
	}
	return sendTest(ctx, n.api, v, in.Data.event())
}

// sendTest sends an event with its example once, and says how it was answered.
func sendTest(ctx context.Context, a *api, v *millrace.Webhook, name string) (*reply[success], error) {
	t, _ := findEventType(name) // known: whoever asks has looked
	event, err := millrace.NewEvent(v.EnvironmentID, name, t.example)
	if err != nil {
		return nil, err
	}
	event.ID, event.CreatedAt = millrace.NewID[millrace.EventID](), a.now()
	status, message, ok := a.cfg.Tester.Test(ctx, v, event)
	if ok {
		return succeeded(), nil
	}
	if status != 0 {
		message = fmt.Sprintf("the endpoint answered %d: %s", status, message)
	}
	return nil, millrace.Errorf(millrace.KindInvalid, "the test event was not delivered: %s", message)
}
