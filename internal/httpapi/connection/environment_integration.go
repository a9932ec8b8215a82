package connection

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/disconnect"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Descriptions of routes.
const (
	InstallNote  = "Installing an integration again returns the installation that is there."
	OverrideNote = "override is replaced as a whole; {} clears it."
)

type installs struct {
	*rest.Resource[millrace.EnvironmentIntegrationID, millrace.EnvironmentIntegration, account.InstallView]
}

// EnvironmentIntegrations are the handlers of installed integrations.
func (h *Handlers) EnvironmentIntegrations() installs {
	return installs{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Installs, uninstall), account.ShowInstalls)}
}

// installBody is the body of a create.
type installBody struct {
	rest.Identity
	IntegrationID string       `json:"integration_id" format:"uuid" doc:"The integration to install."`
	IsEnabled     *bool        `json:"is_enabled,omitempty" doc:"true when absent."`
	ShowInCatalog *bool        `json:"show_in_catalog,omitempty" doc:"true when absent."`
	Override      *rest.Object `json:"override,omitempty" doc:"Merged over the integration's config when it is used."`
}

func (n installs) Create(ctx context.Context, in *rest.CreateIn[installBody]) (*rest.Reply[account.InstallView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.EnvironmentIntegration{
		ID: millrace.EnvironmentIntegrationID(b.ID), EnvironmentID: in.Environment, IsEnabled: true, ShowInCatalog: true,
		IntegrationID: millrace.IntegrationID(strings.ToLower(b.IntegrationID)), Override: json.RawMessage("{}"),
	}
	if b.IsEnabled != nil {
		v.IsEnabled = *b.IsEnabled
	}
	if b.ShowInCatalog != nil {
		v.ShowInCatalog = *b.ShowInCatalog
	}
	if b.Override != nil {
		v.Override = rest.RawOr(b.Override.RawMessage, "{}")
	}
	return n.Update(ctx, func(tx *store.Tx) (*millrace.EnvironmentIntegration, error) {
		integration, err := tx.Integrations().Get(ctx, in.Environment, v.IntegrationID)
		if err != nil {
			return nil, rest.At("integration_id", err)
		}
		if err := millrace.InvalidAll(definition.CheckOverride("override", v.Override, integration.Config)); err != nil {
			return nil, err
		}
		there, err := tx.Installs().Of(ctx, in.Environment, v.IntegrationID)
		if there != nil || err != nil {
			return there, err
		}
		if err := tx.Installs().Create(ctx, v); err != nil {
			return nil, err
		}
		return v, emitInstall(ctx, tx, "environment_integration:created", v)
	})
}

// installPatch is the body of a change.
type installPatch struct {
	IsEnabled     rest.Opt[bool]        `json:"is_enabled,omitzero" nullable:"false"`
	ShowInCatalog rest.Opt[bool]        `json:"show_in_catalog,omitzero" nullable:"false"`
	Override      rest.Opt[rest.Object] `json:"override,omitzero" doc:"Replaces the override as a whole."`
}

func (n installs) Patch(ctx context.Context, in *rest.PatchIn[millrace.EnvironmentIntegrationID, installPatch]) (*rest.Reply[account.InstallView], error) {
	b := in.Data
	return n.Update(ctx, func(tx *store.Tx) (*millrace.EnvironmentIntegration, error) {
		v, err := tx.Installs().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.IsEnabled, v.ShowInCatalog = b.IsEnabled.Or(v.IsEnabled), b.ShowInCatalog.Or(v.ShowInCatalog)
		integration, err := tx.Integrations().Get(ctx, in.Environment, v.IntegrationID)
		if err != nil {
			return nil, err
		}
		before := secret.NewSet(integration.Config, v.Override)
		if err := millrace.InvalidAll(definition.CheckOverride("override", b.Override.Value.RawMessage, integration.Config)); err != nil {
			return nil, err
		}
		v.Override = rest.SentRaw(b.Override, v.Override, "{}")
		if err := tx.Installs().Update(ctx, v); err != nil {
			return nil, err
		}
		if err := account.SealAccounts(ctx, tx, v, before, secret.NewSet(integration.Config, v.Override)); err != nil {
			return nil, err
		}
		if err := account.FollowSchedules(ctx, tx, v, integration.Config, v.Override); err != nil {
			return nil, err
		}
		return v, emitInstall(ctx, tx, "environment_integration:updated", v)
	})
}

// uninstall deletes an installation and all its accounts.
func uninstall(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) error {
	if _, err := tx.Installs().Get(ctx, env, id); err != nil {
		return err
	}
	query := millrace.Query{Limit: 500, Filters: []millrace.Filter{{
		Field: "environment_integration_id", Op: millrace.OpEq, Values: []string{string(id)},
	}}}
	for {
		page, err := tx.Accounts().List(ctx, env, query)
		if err != nil {
			return err
		}
		if len(page.Result) == 0 {
			break
		}
		for _, account := range page.Result {
			if err := disconnect.Now(ctx, tx, env, account.ID); err != nil {
				return err
			}
		}
	}
	if err := tx.Installs().Delete(ctx, env, id); err != nil {
		return err
	}
	return emit(ctx, tx, env, "environment_integration:deleted", millrace.DeletedPayload{ID: string(id)})
}

func emitInstall(ctx context.Context, tx *store.Tx, name string, v *millrace.EnvironmentIntegration) error {
	shown, err := account.ShowInstalls(ctx, tx, []millrace.EnvironmentIntegration{*v})
	if err != nil {
		return err
	}
	return emit(ctx, tx, v.EnvironmentID, name, shown[0])
}
