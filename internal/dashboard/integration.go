package dashboard

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

func (h *Handler) integrations(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.Integration], error) {
		return tx.Integrations().List(ctx, r.env.ID, q)
	}, "name")
	return &view{name: "integrations", title: "Integrations", body: l}, err
}

// integrationPage is one integration as it is installed.
type integrationPage struct {
	Integration *millrace.Integration
	Config      json.RawMessage // without secrets
	Install     *millrace.EnvironmentIntegration
	Override    json.RawMessage // without secrets
}

func (h *Handler) integration(r *request) (*view, error) {
	id := millrace.IntegrationID(strings.ToLower(r.PathValue("id")))
	v := new(integrationPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		ctx, env := r.Context(), r.env.ID
		var err error
		if v.Integration, err = tx.Integrations().Get(ctx, env, id); err != nil {
			return err
		}
		v.Config = account.WithoutSecrets(v.Integration.Config, secret.NewSet())
		if v.Install, err = tx.Installs().Of(ctx, env, id); err != nil || v.Install == nil {
			return err
		}
		shown, err := account.ShowInstalls(ctx, tx, []millrace.EnvironmentIntegration{*v.Install})
		if err == nil {
			v.Override = shown[0].Override
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &view{name: "integration", title: v.Integration.Name, body: v}, nil
}

func (h *Handler) inboundHooks(r *request) (*view, error) {
	l, err := listed(h, r, func(ctx context.Context, tx *store.Tx, q millrace.Query) (millrace.Page[millrace.InboundHook], error) {
		return tx.Hooks().List(ctx, r.env.ID, q)
	}, "status", "integrated_account_id", "environment_integration_id")
	if err != nil {
		return nil, err
	}
	l.Filters = choices(r, "status", millrace.InboundStatuses())
	return &view{name: "inbound-hooks", title: "Inbound hooks", body: l, live: true}, nil
}

// hookPage is one inbound hook with what was made of it.
type hookPage struct {
	Hook   *millrace.InboundHook
	Events []string
	Body   string
}

func (h *Handler) inboundHook(r *request) (*view, error) {
	id := millrace.InboundHookID(strings.ToLower(r.PathValue("id")))
	v := new(hookPage)
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		if v.Hook, err = tx.Hooks().Get(r.Context(), r.env.ID, id); err != nil {
			return err
		}
		_ = json.Unmarshal(v.Hook.EventIDs, &v.Events) // what is not there is not shown
		v.Body = strings.ToValidUTF8(string(v.Hook.Body), "�")
		return nil
	})
	return &view{name: "inbound-hook", title: "Inbound hook", body: v}, err
}
