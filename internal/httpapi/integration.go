package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

const patchIntegrationNote = "config is merged at any depth: arrays are replaced, null removes a member. " +
	"version must be that of the integration as it was read."

type integrations struct {
	*noun[millrace.IntegrationID, millrace.Integration, millrace.Integration]
}

func (a *api) integrations() integrations {
	return integrations{&noun[millrace.IntegrationID, millrace.Integration, millrace.Integration]{
		api: a, one: (*store.Tx).Integration, many: (*store.Tx).ListIntegrations, drop: dropIntegration,
		show: each(func(v *millrace.Integration) millrace.Integration {
			shown := *v
			shown.Config = withoutSecrets(v.Config, secret.NewSet(v.Config))
			return shown
		}),
	}}
}

var slug = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// integrationBody is the body of a create.
type integrationBody struct {
	Identity
	Name     string  `json:"name" minLength:"1" maxLength:"100" doc:"A slug, unique in the environment." example:"calcom"`
	Config   object  `json:"config" doc:"The definition of the third-party API."`
	Category string  `json:"category,omitempty" maxLength:"100" example:"calendar"`
	IsBeta   bool    `json:"is_beta,omitempty"`
	Sharing  string  `json:"sharing,omitempty" enum:"deny,ask,allow" doc:"deny when absent."`
	TeamID   *string `json:"team_id,omitempty" maxLength:"100"`
}

func (b *integrationBody) validate(a *api, _ json.RawMessage) []millrace.Failure {
	return append(checkName(b.Name), checkConfig(a, b.Config)...)
}

func checkName(name string) []millrace.Failure {
	if name == "" || slug.MatchString(name) {
		return nil // an empty one is reported as such
	}
	return []millrace.Failure{{Path: "name", Message: "must consist of letters, digits, dots, dashes and underscores"}}
}

func checkConfig(a *api, config object) []millrace.Failure {
	if a.cfg.CheckIntegrationConfig == nil || len(config.RawMessage) == 0 {
		return nil
	}
	return failuresOf("config", a.cfg.CheckIntegrationConfig(config.RawMessage))
}

// failuresOf turns the answer of a check into findings below a path, which may be empty.
func failuresOf(path string, err error) []millrace.Failure {
	if err == nil {
		return nil
	}
	known, ok := asError(err)
	if !ok || len(known.Failures) == 0 {
		return []millrace.Failure{{Path: path, Message: err.Error()}}
	}
	if path == "" {
		return known.Failures
	}
	out := make([]millrace.Failure, len(known.Failures))
	for i, f := range known.Failures {
		if f.Path != path && !hasPrefixPath(f.Path, path) {
			f.Path = join(path, f.Path)
		}
		out[i] = f
	}
	return out
}

func (n integrations) create(ctx context.Context, in *createIn[integrationBody]) (*reply[millrace.Integration], error) {
	b := in.Data
	if err := b.own(in.Environment); err != nil {
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
	return n.update(ctx, func(tx *store.Tx) (*millrace.Integration, error) { return v, tx.InsertIntegration(ctx, v) })
}

// integrationPatch is the body of a change.
type integrationPatch struct {
	Version  int64       `json:"version" doc:"The version that the change is based on."`
	Name     opt[string] `json:"name,omitzero" minLength:"1" maxLength:"100" nullable:"false"`
	Config   opt[object] `json:"config,omitzero" doc:"Merged into the config."`
	Category opt[string] `json:"category,omitzero" maxLength:"100"`
	IsBeta   opt[bool]   `json:"is_beta,omitzero"`
	Sharing  opt[string] `json:"sharing,omitzero" enum:"deny,ask,allow" nullable:"false"`
}

func (b *integrationPatch) validate(*api, json.RawMessage) []millrace.Failure {
	return checkName(b.Name.Value)
}

func (n integrations) patch(ctx context.Context, in *patchIn[millrace.IntegrationID, integrationPatch]) (*reply[millrace.Integration], error) {
	b := in.Data
	return n.update(ctx, func(tx *store.Tx) (*millrace.Integration, error) {
		v, err := tx.Integration(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		if v.Version != b.Version {
			return nil, millrace.Invalid("version", "is %d by now, not %d; read the integration again", v.Version, b.Version)
		}
		before := v.Config
		if err := n.mergeConfig(v, b.Config); err != nil {
			return nil, err
		}
		v.Name, v.Category = b.Name.or(v.Name), b.Category.or(v.Category)
		v.IsBeta, v.Sharing = b.IsBeta.or(v.IsBeta), b.Sharing.or(v.Sharing)
		v.Version++
		if err := tx.UpdateIntegration(ctx, v); err != nil {
			return nil, err
		}
		install, err := tx.EnvironmentIntegrationOf(ctx, in.Environment, v.ID)
		if err != nil || install == nil {
			return v, err
		}
		return v, sealAccounts(ctx, tx, install, secret.NewSet(before, install.Override), secret.NewSet(v.Config, install.Override))
	})
}

func (n integrations) mergeConfig(v *millrace.Integration, patch opt[object]) error {
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
	return millrace.InvalidAll(checkConfig(n.api, object{v.Config}))
}

// dropIntegration deletes an integration that is not installed.
func dropIntegration(tx *store.Tx, ctx context.Context, env millrace.EnvironmentID, id millrace.IntegrationID) error {
	install, err := tx.EnvironmentIntegrationOf(ctx, env, id)
	if err != nil {
		return err
	}
	if install != nil {
		return millrace.Errorf(millrace.KindConflict, "the integration is installed; delete environment integration %s first", install.ID)
	}
	return tx.DeleteIntegration(ctx, env, id)
}
