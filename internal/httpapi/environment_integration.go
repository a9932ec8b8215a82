package httpapi

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

const (
	installNote  = "Installing an integration again returns the installation that is there."
	overrideNote = "override is replaced as a whole; {} clears it."
)

// installView is an environment integration on the wire.
type installView struct {
	millrace.EnvironmentIntegration
	Integration *integrationIdentity `json:"integration" doc:"The integration that is installed."`

	secrets *secret.Set // of its accounts
}

// integrationIdentity is an integration as it is embedded in other objects: all but its definition.
type integrationIdentity struct {
	ID        millrace.IntegrationID `json:"id"`
	Name      string                 `json:"name"`
	Category  string                 `json:"category"`
	IsBeta    bool                   `json:"is_beta"`
	TeamID    string                 `json:"team_id"`
	Sharing   string                 `json:"sharing"`
	Config    integrationLabel       `json:"config"`
	CreatedAt millrace.Time          `json:"created_at"`
	UpdatedAt millrace.Time          `json:"updated_at"`
}

type integrationLabel struct {
	Label string `json:"label"`
}

func identityOf(v *millrace.Integration) *integrationIdentity {
	var label integrationLabel
	_ = json.Unmarshal(v.Config, &label) // a label that is no text is no label
	return &integrationIdentity{
		ID: v.ID, Name: v.Name, Category: v.Category, IsBeta: v.IsBeta, TeamID: v.TeamID, Sharing: v.Sharing,
		Config: label, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
}

type installs struct {
	*noun[millrace.EnvironmentIntegrationID, millrace.EnvironmentIntegration, installView]
}

func (a *api) environmentIntegrations() installs {
	return installs{&noun[millrace.EnvironmentIntegrationID, millrace.EnvironmentIntegration, installView]{
		api: a, one: (*store.Tx).EnvironmentIntegration, many: (*store.Tx).ListEnvironmentIntegrations,
		drop: a.uninstall, show: showInstalls,
	}}
}

func showInstalls(ctx context.Context, tx *store.Tx, rows []millrace.EnvironmentIntegration) ([]installView, error) {
	out := make([]installView, len(rows))
	seen := map[millrace.IntegrationID]*millrace.Integration{}
	for i := range rows {
		id := rows[i].IntegrationID
		if seen[id] == nil {
			integration, err := tx.Integration(ctx, rows[i].EnvironmentID, id)
			if err != nil {
				return nil, err
			}
			seen[id] = integration
		}
		out[i] = installView{rows[i], identityOf(seen[id]), secret.NewSet(seen[id].Config, rows[i].Override)}
		out[i].Override = withoutSecrets(rows[i].Override, out[i].secrets)
	}
	return out, nil
}

// installBody is the body of a create.
type installBody struct {
	Identity
	IntegrationID string  `json:"integration_id" format:"uuid" doc:"The integration to install."`
	IsEnabled     *bool   `json:"is_enabled,omitempty" doc:"true when absent."`
	ShowInCatalog *bool   `json:"show_in_catalog,omitempty" doc:"true when absent."`
	Override      *object `json:"override,omitempty" doc:"Merged over the integration's config when it is used."`
}

func (n installs) create(ctx context.Context, in *createIn[installBody]) (*reply[installView], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.EnvironmentIntegration{
		ID: millrace.EnvironmentIntegrationID(b.ID), EnvironmentID: in.Environment, IsEnabled: true, ShowInCatalog: true,
		IntegrationID: millrace.IntegrationID(lower(b.IntegrationID)), Override: json.RawMessage("{}"),
	}
	if b.IsEnabled != nil {
		v.IsEnabled = *b.IsEnabled
	}
	if b.ShowInCatalog != nil {
		v.ShowInCatalog = *b.ShowInCatalog
	}
	if b.Override != nil {
		v.Override = rawOr(b.Override.RawMessage, "{}")
	}
	return n.update(ctx, func(tx *store.Tx) (*millrace.EnvironmentIntegration, error) {
		if _, err := tx.Integration(ctx, in.Environment, v.IntegrationID); err != nil {
			return nil, at("integration_id", err)
		}
		there, err := tx.EnvironmentIntegrationOf(ctx, in.Environment, v.IntegrationID)
		if there != nil || err != nil {
			return there, err
		}
		if err := tx.InsertEnvironmentIntegration(ctx, v); err != nil {
			return nil, err
		}
		return v, n.api.emitInstall(ctx, tx, "environment_integration:created", v)
	})
}

// installPatch is the body of a change.
type installPatch struct {
	IsEnabled     opt[bool]   `json:"is_enabled,omitzero" nullable:"false"`
	ShowInCatalog opt[bool]   `json:"show_in_catalog,omitzero" nullable:"false"`
	Override      opt[object] `json:"override,omitzero" doc:"Replaces the override as a whole."`
}

func (n installs) patch(ctx context.Context, in *patchIn[millrace.EnvironmentIntegrationID, installPatch]) (*reply[installView], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.EnvironmentIntegration, error) {
		v, err := tx.EnvironmentIntegration(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		v.IsEnabled, v.ShowInCatalog = b.IsEnabled.or(v.IsEnabled), b.ShowInCatalog.or(v.ShowInCatalog)
		integration, err := tx.Integration(ctx, in.Environment, v.IntegrationID)
		if err != nil {
			return nil, err
		}
		before := secret.NewSet(integration.Config, v.Override)
		v.Override = sentRaw(b.Override, v.Override, "{}")
		if err := tx.UpdateEnvironmentIntegration(ctx, v); err != nil {
			return nil, err
		}
		if err := sealAccounts(ctx, tx, v, before, secret.NewSet(integration.Config, v.Override)); err != nil {
			return nil, err
		}
		return v, n.api.emitInstall(ctx, tx, "environment_integration:updated", v)
	})
}

// uninstall deletes an installation and all its accounts.
func (a *api) uninstall(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) error {
	if _, err := tx.EnvironmentIntegration(ctx, env, id); err != nil {
		return err
	}
	query := millrace.Query{Limit: 500, Filters: []millrace.Filter{{
		Field: "environment_integration_id", Op: millrace.OpEq, Values: []string{string(id)},
	}}}
	for {
		page, err := tx.ListIntegratedAccounts(ctx, env, query)
		if err != nil {
			return err
		}
		if len(page.Result) == 0 {
			break
		}
		for _, account := range page.Result {
			if err := a.dropAccount(tx, ctx, env, account.ID); err != nil {
				return err
			}
		}
	}
	if err := tx.DeleteEnvironmentIntegration(ctx, env, id); err != nil {
		return err
	}
	return a.emit(ctx, tx, env, "environment_integration:deleted", deleted{string(id)})
}

func (a *api) emitInstall(ctx context.Context, tx *store.Tx, event string, v *millrace.EnvironmentIntegration) error {
	shown, err := showInstalls(ctx, tx, []millrace.EnvironmentIntegration{*v})
	if err != nil {
		return err
	}
	return a.emit(ctx, tx, v.EnvironmentID, event, shown[0])
}
