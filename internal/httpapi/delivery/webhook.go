package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// SecretNote is the description of POST /webhook.
const SecretNote = "The signing secret is in this response and in no other. A secret of your own is taken; " +
	"otherwise it is a random UUID."

// WebhookView is a webhook on the wire.
type WebhookView struct {
	millrace.Webhook
	EventTypes []string           `json:"event_types" nullable:"true" doc:"The events that are sent; null is all."`
	RateLimit  *webhookRateLimit  `json:"rate_limit" doc:"null: no limit."`
	Secret     string             `json:"secret,omitempty" doc:"The signing secret, only in the response that creates the webhook."`
	Warnings   []millrace.Failure `json:"warnings,omitempty" doc:"What is not wrong but probably not meant. Not in lists."`
}

func viewWebhook(v *millrace.Webhook) WebhookView {
	shown := WebhookView{Webhook: *v}
	_ = json.Unmarshal(v.EventTypes, &shown.EventTypes) // checked when saved
	if v.RateLimit > 0 {
		shown.RateLimit = &webhookRateLimit{v.RateLimit, v.RatePeriod}
	}
	return shown
}

// Handlers are the handlers of what is sent to endpoints.
type Handlers struct {
	DB          *store.DB
	Sender      *deliver.Sender
	Clock       func() time.Time
	BlockReason func(host string) string // why requests to a host are blocked; empty: they are not
}

type webhooks struct {
	*rest.Resource[millrace.WebhookID, millrace.Webhook, WebhookView]
	tests       tester
	blockReason func(host string) string
}

// Webhooks are the handlers of webhooks.
func (h *Handlers) Webhooks() webhooks {
	return webhooks{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Webhooks, rest.DeleteOf((*store.Tx).Webhooks)), rest.Each(viewWebhook)), tester{h.Sender, h.Clock}, h.BlockReason}
}

// webhookDetailView is a webhook with what waits for it.
type webhookDetailView struct {
	WebhookView
	Backlog millrace.Backlog `json:"backlog" doc:"What waits to be sent."`
}

func (n webhooks) GetWithBacklog(ctx context.Context, in *rest.GetIn[millrace.WebhookID]) (*rest.Reply[webhookDetailView], error) {
	out := &rest.Reply[webhookDetailView]{}
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhooks().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		backlog, err := tx.Deliveries().CountBacklog(ctx, w)
		out.Body = webhookDetailView{viewWebhook(w), backlog}
		return err
	})
	n.warn(&out.Body.WebhookView)
	return out, err
}

// warn adds the warnings about a webhook that can never be reached or never has anything to send.
func (n webhooks) warn(v *WebhookView) {
	u, err := url.Parse(v.TargetURL)
	if err == nil && n.blockReason != nil {
		if reason := n.blockReason(u.Hostname()); reason != "" {
			v.Warnings = append(v.Warnings, millrace.Failure{Path: "target_url", Message: fmt.Sprintf(
				"nothing will be sent to %s: %s; millrace serve --allow-network allows it", u.Hostname(), reason)})
		}
	}
	for i, name := range v.EventTypes {
		if t, known := catalogue.Find(name); known && t.Example == nil && !t.Open {
			v.Warnings = append(v.Warnings, millrace.Failure{Path: fmt.Sprintf("event_types[%d]", i), Message: "this server never emits " + name})
		}
	}
}

// webhookBody is the body of a create.
type webhookBody struct {
	rest.Identity
	TargetURL         string   `json:"target_url" minLength:"1" maxLength:"2048" doc:"Where events are sent by POST." example:"https://example.com/hooks"`
	IsActive          *bool    `json:"is_active,omitempty" doc:"true when absent."`
	EventTypes        []string `json:"event_types,omitempty" maxItems:"200" doc:"The events to send; all when absent or null, and for all. record:* is the four about records."`
	Secret            string   `json:"secret,omitempty" minLength:"1" maxLength:"512" doc:"The key of the signatures."`
	SignatureEncoding string   `json:"signature_encoding,omitempty" enum:"base64,hex" doc:"base64 when absent."`
	Pace
}

func (b *webhookBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return slices.Concat(checkTarget(b.TargetURL), checkEventTypes(b.EventTypes), millrace.FailuresOf("", checkPace(b.apply(&millrace.Webhook{}))))
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
	catalogue := append(millrace.EventNames(), "all", "*", millrace.AllRecordEvents)
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
	f := millrace.Failure{Path: path, Message: fmt.Sprintf("unknown event %q", millrace.Shorten(name))}
	f.Suggest(name, catalogue)
	return f
}

func (n webhooks) Create(ctx context.Context, in *rest.CreateIn[webhookBody]) (*rest.Reply[WebhookView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.Webhook{
		ID: millrace.WebhookID(b.ID), EnvironmentID: in.Environment, TargetURL: b.TargetURL, IsActive: true,
		EventTypes: rest.RawTexts(b.EventTypes), Secret: b.Secret, SignatureEncoding: b.SignatureEncoding,
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
	out, err := n.Update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) { return v, tx.Webhooks().Create(ctx, v) })
	if err != nil {
		return nil, err
	}
	out.Body.Secret = v.Secret
	n.warn(&out.Body)
	return out, nil
}

// webhookPatch is the body of a change.
type webhookPatch struct {
	TargetURL         rest.Opt[string]   `json:"target_url,omitzero" minLength:"1" maxLength:"2048" nullable:"false"`
	IsActive          rest.Opt[bool]     `json:"is_active,omitzero" nullable:"false"`
	EventTypes        rest.Opt[[]string] `json:"event_types,omitzero" maxItems:"200" doc:"null is all."`
	SignatureEncoding rest.Opt[string]   `json:"signature_encoding,omitzero" enum:"base64,hex" nullable:"false"`
	Pace
}

func (b *webhookPatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return append(checkTarget(b.TargetURL.Value), checkEventTypes(b.EventTypes.Value)...)
}

func (n webhooks) Patch(ctx context.Context, in *rest.PatchIn[millrace.WebhookID, webhookPatch]) (*rest.Reply[WebhookView], error) {
	b := in.Data
	out, err := n.Update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) {
		if b.IsActive.Value {
			// The others may have to hear of it, and their locks come first.
			if _, err := tx.Webhooks().LockAll(ctx, in.Environment); err != nil {
				return nil, err
			}
		}
		// The lock keeps the webhook's pump from moving on meanwhile: a revival resets what it remembers of failures.
		v, err := tx.Webhooks().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		revived := !v.IsActive && b.IsActive.Or(v.IsActive)
		moved := b.TargetURL.Or(v.TargetURL) != v.TargetURL || b.Ordering.Or(v.Ordering) != v.Ordering
		v.TargetURL, v.IsActive = b.TargetURL.Or(v.TargetURL), b.IsActive.Or(v.IsActive)
		v.SignatureEncoding = b.SignatureEncoding.Or(v.SignatureEncoding)
		if b.EventTypes.Sent {
			v.EventTypes = rest.RawTexts(b.EventTypes.Value)
		}
		if err := checkPace(b.apply(v)); err != nil {
			return nil, err
		}
		if revived {
			if err := n.reactivated(ctx, tx, v); err != nil {
				return nil, err
			}
		}
		if err := tx.Webhooks().Update(ctx, v); err != nil || !v.IsActive || (!revived && !moved) {
			return v, err
		}
		v.FailingSince, v.NotifiedPercent, v.NotBefore, v.Attempt, v.DeferredInRow = 0, 0, 0, 0, 0
		if _, err := tx.Webhooks().SaveProgress(ctx, v); err != nil {
			return nil, err
		}
		return v, tx.Webhooks().Wake(ctx, in.Environment, v.ID)
	})
	if err == nil {
		n.warn(&out.Body)
	}
	return out, err
}

// reactivated notifies the other webhooks that a client has activated a webhook that Millrace had set inactive. It is still inactive in
// the database, so that it gets no event about itself.
func (n webhooks) reactivated(ctx context.Context, tx *store.Tx, v *millrace.Webhook) error {
	if v.NotifiedPercent < millrace.FailureOver {
		return nil
	}
	shown := *v
	shown.FailingSince = 0
	backlog, err := tx.Deliveries().CountBacklog(ctx, &shown)
	if err != nil {
		return err
	}
	e, err := millrace.NewEvent(v.EnvironmentID, millrace.EventWebhookReactivated, millrace.WebhookPayload{Webhook: &shown, Backlog: backlog})
	if err != nil {
		return err
	}
	return event.Emit(ctx, tx, e)
}

// testBody is the body of a test.
type testBody struct {
	ID        string `json:"id" format:"uuid" doc:"The webhook to test."`
	EventType string `json:"event_type,omitempty" doc:"The event to send, with its example as payload; test when absent." example:"sync_job_run:completed"`
}

func (b *testBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	t, known := catalogue.Find(b.event())
	switch {
	case !known:
		return []millrace.Failure{unknownEvent("event_type", b.EventType, millrace.EventNames())}
	case t.Example == nil:
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

func (n webhooks) Test(ctx context.Context, in *rest.CreateIn[testBody]) (*rest.Reply[rest.Success], error) {
	var v *millrace.Webhook
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = tx.Webhooks().Get(ctx, in.Environment, millrace.WebhookID(strings.ToLower(in.Data.ID)))
		return err
	})
	if err != nil {
		return nil, rest.At("id", err)
	}
	return n.tests.send(ctx, v, in.Data.event())
}
