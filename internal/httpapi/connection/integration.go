package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/definition"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// PatchIntegrationNote is the description of PATCH /integration/{id}.
const PatchIntegrationNote = "config is merged at any depth: arrays are replaced, null removes a member. " +
	"version must be that of the integration as it was read."

// integrationView is an integration on the wire.
type integrationView struct {
	millrace.Integration
	Warnings   []millrace.Failure       `json:"warnings,omitempty" doc:"Members of the config that have no effect, and what it needs that this server does not do. Not in lists."`
	Team       *string                  `json:"team" doc:"Always null: there are no teams."`
	Installed  []millrace.EnvironmentID `json:"installed_environment" doc:"The environment of the token, when the integration is installed there."`
	CanInstall bool                     `json:"can_install" doc:"Always true: an integration is shown to those who may install it."`
}

type integrations struct {
	*rest.Resource[millrace.IntegrationID, millrace.Integration, integrationView]
}

// showIntegrations shows integrations without their secrets.
func showIntegrations(ctx context.Context, tx *store.Tx, rows []millrace.Integration) ([]integrationView, error) {
	out := make([]integrationView, len(rows))
	if len(rows) == 0 {
		return out, nil
	}
	installed, err := tx.Installs().Installed(ctx, rows[0].EnvironmentID)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		v := &rows[i]
		out[i] = integrationView{Integration: *v, Installed: []millrace.EnvironmentID{}, CanInstall: true}
		out[i].Config = account.WithoutSecrets(v.Config, secret.NewSet(v.Config))
		if installed[v.ID] {
			out[i].Installed = append(out[i].Installed, v.EnvironmentID)
		}
	}
	return out, nil
}

// Handlers are the handlers of what connects to providers.
type Handlers struct {
	DB    *store.DB
	Renew provider.Renew // gets accounts new tokens
}

// Settle waits until a change of an account, or of what it is a connection of, holds on every node.
func (h *Handlers) Settle(ctx context.Context) { provider.Settle(ctx, h.DB) }

// Integrations are the handlers of integrations.
func (h *Handlers) Integrations() integrations {
	return integrations{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Integrations, dropIntegration), showIntegrations)}
}

// warned adds the warnings about its config to a response.
func (n integrations) warned(out *rest.Reply[integrationView], err error) (*rest.Reply[integrationView], error) {
	if err == nil {
		out.Body.Warnings = config.Warn(out.Body.Config)
	}
	return out, err
}

// integrationBody is the body of a create.
type integrationBody struct {
	rest.Identity
	Name     string      `json:"name" minLength:"1" maxLength:"100" doc:"A slug, unique in the environment." example:"calcom"`
	Config   rest.Object `json:"config" doc:"The definition of the provider's API."`
	Category string      `json:"category,omitempty" maxLength:"100" example:"calendar"`
	IsBeta   bool        `json:"is_beta,omitempty"`
	Sharing  string      `json:"sharing,omitempty" enum:"deny,ask,allow" doc:"deny when absent."`
	TeamID   *string     `json:"team_id,omitempty" maxLength:"100"`
}

func (b *integrationBody) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return append(definition.CheckIntegrationName(b.Name), definition.CheckIntegrationConfig(b.Config.RawMessage)...)
}

func (n integrations) Create(ctx context.Context, in *rest.CreateIn[integrationBody]) (*rest.Reply[integrationView], error) {
	b := in.Data
	if err := b.Own(in.Environment); err != nil {
		return nil, err
	}
	v := &millrace.Integration{
		ID: millrace.IntegrationID(b.ID), EnvironmentID: in.Environment, Name: b.Name, Category: b.Category,
		IsBeta: b.IsBeta, Sharing: b.Sharing, Version: 1, Config: b.Config.RawMessage,
	}
	if v.Sharing == "" {
		v.Sharing = "deny"
	}
	if b.TeamID != nil {
		v.TeamID = *b.TeamID
	}
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.Integration, error) { return v, tx.Integrations().Create(ctx, v) }))
}

// integrationPatch is the body of a change.
type integrationPatch struct {
	Version  int64                 `json:"version" doc:"The version that the change is based on."`
	Name     rest.Opt[string]      `json:"name,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
	Config   rest.Opt[rest.Object] `json:"config,omitzero" doc:"Merged into the config."`
	Category rest.Opt[string]      `json:"category,omitzero" maxLength:"100"`
	IsBeta   rest.Opt[bool]        `json:"is_beta,omitzero"`
	Sharing  rest.Opt[string]      `json:"sharing,omitzero" enum:"deny,ask,allow" nullable:"false"`
}

func (b *integrationPatch) Validate(*rest.Request, json.RawMessage) []millrace.Failure {
	return definition.CheckIntegrationName(b.Name.Value)
}

func (n integrations) Patch(ctx context.Context, in *rest.SlugPatchIn[integrationPatch]) (*rest.Reply[integrationView], error) {
	b := in.Data
	return n.warned(n.Update(ctx, func(tx *store.Tx) (*millrace.Integration, error) {
		v, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if v.Version != b.Version {
			return nil, millrace.Invalid("version", "is %d by now, not %d; read the integration again", v.Version, b.Version)
		}
		before := v.Config
		if err := mergeConfig(v, b.Config); err != nil {
			return nil, err
		}
		v.Name, v.Category = b.Name.Or(v.Name), b.Category.Or(v.Category)
		v.IsBeta, v.Sharing = b.IsBeta.Or(v.IsBeta), b.Sharing.Or(v.Sharing)
		v.Version++
		if err := tx.Integrations().Update(ctx, v); err != nil {
			return nil, err
		}
		install, err := tx.Installs().Of(ctx, in.Environment, v.ID)
		if err != nil || install == nil {
			return v, err
		}
		if err := account.SealAccounts(ctx, tx, install, secret.NewSet(before, install.Override), secret.NewSet(v.Config, install.Override)); err != nil {
			return nil, err
		}
		return v, account.FollowSchedules(ctx, tx, install, before, v.Config)
	}))
}

func mergeConfig(v *millrace.Integration, patch rest.Opt[rest.Object]) error {
	if !patch.Sent || patch.Null {
		return nil
	}
	old, err := document.ParseJSON(v.Config)
	if err != nil {
		return fmt.Errorf("read config of integration %s: %v", v.ID, err) //nolint:errorlint // it is our fault, not the client's
	}
	change, err := document.ParseJSON(patch.Value.RawMessage)
	if err != nil {
		return fmt.Errorf("read patch of a config: %w", err)
	}
	old.Merge(change)
	v.Config = old.JSON()
	return millrace.InvalidAll(definition.CheckIntegrationConfig(v.Config))
}

// Delete deletes an integration, by its id or its name.
func (n integrations) Delete(ctx context.Context, in *rest.SlugIn) (*rest.Reply[rest.Deleted], error) {
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[rest.Deleted], error) {
		v, err := findIntegration(ctx, tx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		return &rest.Reply[rest.Deleted]{Body: rest.Deleted{ID: string(v.ID)}}, dropIntegration(tx, ctx, in.Environment, v.ID)
	})
}

// dropIntegration deletes an integration that is not installed.
func dropIntegration(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) error {
	install, err := tx.Installs().Of(ctx, env, id)
	if err != nil {
		return err
	}
	if install != nil {
		return millrace.Errorf(millrace.KindConflict, "the integration is installed; delete environment integration %s first", install.ID)
	}
	return tx.Integrations().Delete(ctx, env, id)
}

// findIntegration returns an integration by its id or by its name.
func findIntegration(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, name string) (*millrace.Integration, error) {
	if millrace.IsID(name) {
		return tx.Integrations().Get(ctx, env, millrace.IntegrationID(name))
	}
	if !rest.IsText(name) {
		return nil, millrace.NotFound("integration", millrace.Shorten(strings.ToValidUTF8(name, "\ufffd")))
	}
	return tx.Integrations().Named(ctx, env, name)
}
