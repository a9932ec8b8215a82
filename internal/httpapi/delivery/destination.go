package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// DestinationNote is the description of POST /notification-destination.
const DestinationNote = "slack needs config.webhook_url; email needs config.to; webhook needs config.target_url, and takes a secret or makes one, " +
	"which only the response to the create shows. What is secret of a Slack address is masked in every response."

// destinationView is a notification destination on the wire.
type destinationView struct {
	ID            millrace.WebhookID        `json:"id"`
	EnvironmentID millrace.EnvironmentID    `json:"environment_id"`
	Type          millrace.NotificationType `json:"type"`
	Label         string                    `json:"label"`
	IsActive      bool                      `json:"is_active" doc:"Set to false when it fails for too long, or responds with 410."`
	EventTypes    []string                  `json:"event_types" nullable:"true" doc:"The events that are sent; null is all."`
	Config        destinationConfig         `json:"config"`
	FailingSince  millrace.Time             `json:"failing_since"`
	CreatedAt     millrace.Time             `json:"created_at"`
	UpdatedAt     millrace.Time             `json:"updated_at"`
}

func viewDestination(v *millrace.Webhook) destinationView {
	shown := destinationView{
		ID: v.ID, EnvironmentID: v.EnvironmentID, Type: v.Notification, Label: v.Label, IsActive: v.IsActive,
		Config: configOf(v), FailingSince: v.FailingSince, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	_ = json.Unmarshal(v.EventTypes, &shown.EventTypes) // checked when saved
	shown.Config.WebhookURL, shown.Config.Secret = secret.MaskURL(shown.Config.WebhookURL), ""
	return shown
}

// destinationConfig says where a destination is. Which members it takes follows from the type.
type destinationConfig struct {
	WebhookURL         string   `json:"webhook_url,omitempty" maxLength:"2048" doc:"slack: the address of the incoming webhook."`
	IgnoredStatusCodes []int64  `json:"ignored_status_codes,omitempty" maxItems:"100" doc:"HTTP statuses of errors that are not sent."`
	To                 []string `json:"to,omitempty" maxItems:"50" doc:"email: who gets the mails."`
	Cc                 []string `json:"cc,omitempty" maxItems:"50"`
	Bcc                []string `json:"bcc,omitempty" maxItems:"50"`
	SubjectPrefix      string   `json:"subject_prefix,omitempty" maxLength:"100" doc:"email: what every subject begins with."`
	TargetURL          string   `json:"target_url,omitempty" maxLength:"2048" doc:"webhook: where events are sent by POST, signed as deliveries."`
	Secret             string   `json:"secret,omitempty" maxLength:"512" doc:"webhook: the key of the signatures; a random UUID when absent."`
}

// configOf returns the config of a stored destination, with its secrets.
func configOf(v *millrace.Webhook) destinationConfig {
	c := v.Notice()
	return destinationConfig{
		WebhookURL: c.WebhookURL, IgnoredStatusCodes: c.IgnoredStatusCodes, To: c.To, Cc: c.Cc, Bcc: c.Bcc, SubjectPrefix: c.SubjectPrefix,
		TargetURL: v.TargetURL, Secret: v.Secret,
	}
}

// apply writes the config into a destination.
func (c *destinationConfig) apply(v *millrace.Webhook) error {
	v.TargetURL, v.Secret = c.TargetURL, c.Secret
	if v.Notification == millrace.NotifyToWebhook && v.Secret == "" {
		v.Secret = millrace.NewSecret()
	}
	var err error
	v.Config, err = json.Marshal(millrace.NotificationConfig{
		WebhookURL: c.WebhookURL, IgnoredStatusCodes: c.IgnoredStatusCodes, To: c.To, Cc: c.Cc, Bcc: c.Bcc, SubjectPrefix: c.SubjectPrefix,
	})
	return err
}

// check returns what is wrong with the config of a destination of a type.
func (c *destinationConfig) check(kind millrace.NotificationType) []millrace.Failure {
	var out []millrace.Failure
	fail := func(name, message string) {
		out = append(out, millrace.Failure{Path: "config." + name, Message: message})
	}
	for _, m := range []struct {
		name  string
		given bool
		owner millrace.NotificationType
		need  bool
	}{
		{"webhook_url", c.WebhookURL != "", millrace.NotifySlack, true},
		{"to", len(c.To) > 0, millrace.NotifyEmail, true},
		{"cc", len(c.Cc) > 0, millrace.NotifyEmail, false},
		{"bcc", len(c.Bcc) > 0, millrace.NotifyEmail, false},
		{"subject_prefix", c.SubjectPrefix != "", millrace.NotifyEmail, false},
		{"target_url", c.TargetURL != "", millrace.NotifyToWebhook, true},
		{"secret", c.Secret != "", millrace.NotifyToWebhook, false},
	} {
		switch {
		case m.given && m.owner != kind:
			fail(m.name, fmt.Sprintf("belongs to type %s, not to %s", m.owner, kind))
		case !m.given && m.need && m.owner == kind:
			fail(m.name, "is required")
		}
	}
	for name, address := range map[string]string{"webhook_url": c.WebhookURL, "target_url": c.TargetURL} {
		for _, f := range checkTarget(address) {
			fail(name, f.Message)
		}
	}
	for _, list := range []struct {
		name      string
		addresses []string
	}{{"to", c.To}, {"cc", c.Cc}, {"bcc", c.Bcc}} {
		for i, address := range list.addresses {
			if _, err := mail.ParseAddress(address); err != nil {
				fail(fmt.Sprintf("%s[%d]", list.name, i), fmt.Sprintf("%q is not a mail address", millrace.Shorten(address)))
			}
		}
	}
	for i, status := range c.IgnoredStatusCodes {
		if status < 100 || status > 599 {
			fail(fmt.Sprintf("ignored_status_codes[%d]", i), "must be an HTTP status, 100 to 599")
		}
	}
	slices.SortFunc(out, func(a, b millrace.Failure) int { return strings.Compare(a.Path, b.Path) })
	return out
}

type destinations struct {
	*rest.Resource[millrace.WebhookID, millrace.Webhook, destinationView]
	tests tester
}

// Destinations are the handlers of notification destinations.
func (h *Handlers) Destinations() destinations {
	return destinations{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Notifications, rest.DeleteOf((*store.Tx).Notifications)), rest.Each(viewDestination)), tester{h.Sender, h.Clock}}
}

// destinationBody is the body of a create.
type destinationBody struct {
	rest.Identity
	Type       millrace.NotificationType `json:"type" enum:"slack,email,webhook"`
	Label      string                    `json:"label,omitempty" maxLength:"500"`
	IsActive   *bool                     `json:"is_active,omitempty" doc:"true when absent."`
	EventTypes []string                  `json:"event_types,omitempty" maxItems:"200" doc:"The events to send; when absent, those that need a person to act; all for all."`
	Config     destinationConfig         `json:"config"`
}

func (b *destinationBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return append(b.Config.check(b.Type), checkEventTypes(b.EventTypes)...)
}

func (*destinationBody) Example() string {
	return `{"type":"email","label":"On call","config":{"to":["on-call@example.com"],"subject_prefix":"[Millrace]"}}`
}

func (n destinations) Create(ctx context.Context, in *rest.CreateIn[destinationBody]) (*rest.Reply[destinationView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	if b.EventTypes == nil {
		b.EventTypes = millrace.DefaultNotificationEvents()
	}
	v := &millrace.Webhook{
		ID: millrace.WebhookID(b.ID), EnvironmentID: in.Environment, Notification: b.Type, Label: b.Label, IsActive: true,
		EventTypes: rest.RawTexts(b.EventTypes), SignatureEncoding: "base64", Ordering: millrace.OrderingStrict,
	}
	if b.Type != millrace.NotifyToWebhook {
		v.RateLimit, v.RatePeriod = millrace.NotificationLimit, 60
	}
	if b.IsActive != nil {
		v.IsActive = *b.IsActive
	}
	if err := b.Config.apply(v); err != nil {
		return nil, err
	}
	out, err := n.Update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) { return v, tx.Webhooks().Create(ctx, v) })
	if err != nil {
		return nil, err
	}
	out.Body.Config.Secret = v.Secret
	return out, nil
}

// destinationPatch is the body of a change. Its config replaces that which is there.
type destinationPatch struct {
	Label      rest.Opt[string]            `json:"label,omitzero" maxLength:"500"`
	IsActive   rest.Opt[bool]              `json:"is_active,omitzero" nullable:"false"`
	EventTypes rest.Opt[[]string]          `json:"event_types,omitzero" maxItems:"200" doc:"null is all."`
	Config     rest.Opt[destinationConfig] `json:"config,omitzero" nullable:"false" doc:"Replaces the config. A secret that is absent or masked as in responses stays."`
}

func (b *destinationPatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return checkEventTypes(b.EventTypes.Value)
}

func (n destinations) Patch(ctx context.Context, in *rest.PatchIn[millrace.WebhookID, destinationPatch]) (*rest.Reply[destinationView], error) {
	b := in.Data
	return n.Update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) {
		v, err := tx.Notifications().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		wake := b.Config.Sent || (!v.IsActive && b.IsActive.Value)
		v.Label, v.IsActive = b.Label.Or(v.Label), b.IsActive.Or(v.IsActive)
		if b.EventTypes.Sent {
			v.EventTypes = rest.RawTexts(b.EventTypes.Value)
		}
		if b.Config.Sent {
			config, old := b.Config.Value, configOf(v)
			if config.WebhookURL == secret.MaskURL(old.WebhookURL) {
				config.WebhookURL = old.WebhookURL
			}
			if config.Secret == "" {
				config.Secret = old.Secret
			}
			if failures := config.check(v.Notification); len(failures) > 0 {
				return nil, millrace.InvalidAll(failures)
			}
			if err := config.apply(v); err != nil {
				return nil, err
			}
		}
		if err := tx.Webhooks().Update(ctx, v); err != nil || !v.IsActive || !wake {
			return v, err
		}
		v.FailingSince = 0
		return v, tx.Webhooks().Wake(ctx, in.Environment, v.ID)
	})
}

// destinationTest is the body of a test.
type destinationTest struct {
	ID string `json:"id" format:"uuid" doc:"The destination to test."`
}

func (n destinations) Test(ctx context.Context, in *rest.CreateIn[destinationTest]) (*rest.Reply[rest.Success], error) {
	var v *millrace.Webhook
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = tx.Notifications().Get(ctx, in.Environment, millrace.WebhookID(strings.ToLower(in.Data.ID)))
		return err
	})
	if err != nil {
		return nil, rest.At("id", err)
	}
	return n.tests.send(ctx, v, millrace.EventTest)
}
