package account

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// InstallView is an environment integration on the wire.
type InstallView struct {
	millrace.EnvironmentIntegration
	Integration *IntegrationIdentity `json:"integration" doc:"The integration that is installed."`

	secrets *secret.Set // of its accounts
}

// IntegrationIdentity is an integration embedded in other objects: all but its definition.
type IntegrationIdentity struct {
	ID        millrace.IntegrationID `json:"id"`
	Name      string                 `json:"name"`
	Category  string                 `json:"category"`
	IsBeta    bool                   `json:"is_beta"`
	TeamID    string                 `json:"team_id"`
	Sharing   string                 `json:"sharing"`
	Config    IntegrationLabel       `json:"config"`
	CreatedAt millrace.Time          `json:"created_at"`
	UpdatedAt millrace.Time          `json:"updated_at"`
}

// IntegrationLabel is what is shown of an integration's config.
type IntegrationLabel struct {
	Label string `json:"label"`
}

func identityOf(v *millrace.Integration) *IntegrationIdentity {
	var label IntegrationLabel
	_ = json.Unmarshal(v.Config, &label) // a label that is no text is no label
	return &IntegrationIdentity{
		ID: v.ID, Name: v.Name, Category: v.Category, IsBeta: v.IsBeta, TeamID: v.TeamID, Sharing: v.Sharing,
		Config: label, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
}

// ShowInstalls shows installations to a client.
func ShowInstalls(ctx context.Context, tx *store.Tx, rows []millrace.EnvironmentIntegration) ([]InstallView, error) {
	out := make([]InstallView, len(rows))
	seen := map[millrace.IntegrationID]*millrace.Integration{}
	for i := range rows {
		id := rows[i].IntegrationID
		if seen[id] == nil {
			integration, err := tx.Integrations().Get(ctx, rows[i].EnvironmentID, id)
			if err != nil {
				return nil, err
			}
			seen[id] = integration
		}
		out[i] = InstallView{rows[i], identityOf(seen[id]), secret.NewSet(seen[id].Config, rows[i].Override)}
		out[i].Override = WithoutSecrets(rows[i].Override, out[i].secrets)
	}
	return out, nil
}
