package dashboard

import (
	"context"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/entry"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// destinationPage lists the notification destinations, or changes one.
type destinationPage struct {
	*list[destinationLine]
	One    *destinationLine // nil: the list
	Types  []millrace.NotificationType
	Secret string // of a destination that was made just now; shown once
}

// destinationLine is a destination as it is shown: without what lets others write to it.
type destinationLine struct {
	webhookLine
	Config millrace.NotificationConfig
}

func lineOf(v *millrace.Webhook) destinationLine {
	l := destinationLine{webhookLine{Webhook: *v}, v.Notice()}
	l.Config.WebhookURL = secret.MaskURL(l.Config.WebhookURL)
	l.Secret, l.PreviousSecret, l.Webhook.Config = "", "", nil
	return l
}

// Where says where it leads.
func (l *destinationLine) Where() string {
	switch l.Notification {
	case millrace.NotifySlack:
		return l.Config.WebhookURL
	case millrace.NotifyEmail:
		return strings.Join(l.Config.To, ", ")
	case millrace.NotifyToWebhook, millrace.NoNotification:
	}
	return l.TargetURL
}

// Lines are addresses, one a line, as a form has them.
func (*destinationLine) Lines(list []string) string { return strings.Join(list, "\n") }

func destinationTypes() []millrace.NotificationType {
	return []millrace.NotificationType{millrace.NotifySlack, millrace.NotifyEmail, millrace.NotifyToWebhook}
}

func (h *Handler) destinations(r *request) (*view, error) {
	v := &destinationPage{Types: destinationTypes()}
	var err error
	v.list, err = listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[destinationLine], error) {
		page, err := tx.Notifications().List(ctx, r.env.ID, q)
		out := millrace.Page[destinationLine]{NextCursor: page.NextCursor}
		for i := range page.Result {
			out.Result = append(out.Result, lineOf(&page.Result[i]))
		}
		return out, err
	})
	return &view{name: "destinations", title: "Notification destinations", body: v}, err
}

func (h *Handler) destination(r *request) (*view, error) {
	v := &destinationPage{list: &list[destinationLine]{}, Types: destinationTypes()}
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.Notifications().Get(r.Context(), r.env.ID, millrace.WebhookID(strings.ToLower(r.PathValue("id"))))
		if err == nil {
			line := lineOf(row)
			v.One = &line
		}
		return err
	})
	return &view{name: "destinations", title: "Notification destination", body: v}, err
}

// createDestination makes a destination, and shows its secret if it has one.
func (h *Handler) createDestination(r *request) (string, error) {
	kind := millrace.NotificationType(r.PostFormValue("type"))
	body := entry.Destination(r.Request, kind)
	body["type"] = kind
	var made struct {
		ID     string
		Config struct{ Secret string }
	}
	if err := h.call(r, &apiRequest{method: http.MethodPost, path: "/notification-destination", body: body}, &made); err != nil {
		return "", err
	}
	if made.Config.Secret == "" {
		return r.path("notification-destinations", made.ID) + "?done=saved", nil
	}
	v, err := h.destinations(r)
	if err != nil {
		return "", err
	}
	if page, ok := v.body.(*destinationPage); ok {
		page.Secret = made.Config.Secret
	}
	h.render(r, v, http.StatusOK, notice{})
	return "", nil
}

// saveDestination changes a destination. What a form does not show of its config stays.
func saveDestination(h *Handler, r *request, id string) (*apiRequest, error) {
	var now *millrace.Webhook
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		now, err = tx.Notifications().Get(r.Context(), r.env.ID, millrace.WebhookID(id))
		return err
	})
	if err != nil {
		return nil, err
	}
	body := entry.Destination(r.Request, now.Notification)
	if config, ok := body["config"].(map[string]any); ok && len(now.Notice().IgnoredStatusCodes) > 0 {
		config["ignored_status_codes"] = now.Notice().IgnoredStatusCodes
	}
	return &apiRequest{method: http.MethodPatch, path: "/notification-destination/" + id, body: body}, nil
}

// destinationActions are what can be done with a destination.
func destinationActions() []action {
	const pages, path = "notification-destinations/{id}/", "/notification-destination/"
	return []action{
		{pages + "save", "saved", saveDestination},
		{pages + "on", "notify-on", setActive(path, true)},
		{pages + "off", "notify-off", setActive(path, false)},
		{pages + "test", "notified", aboutAccount(path + "test")},
	}
}

func (h *Handler) deleteDestination(r *request) (string, error) {
	id := r.PathValue("id")
	if !millrace.IsID(id) {
		return "", millrace.NotFound("page", id)
	}
	err := h.call(r, &apiRequest{method: http.MethodDelete, path: "/notification-destination/" + strings.ToLower(id)}, nil)
	return r.path("notification-destinations") + "?done=deleted", err
}
