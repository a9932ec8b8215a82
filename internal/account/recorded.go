package account

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Recorded is what the record of changes shows of the columns of a row that hold secrets, as [store.DB.SetShown] asks for: what the API shows of
// them.
func Recorded(ctx context.Context, tx *store.Tx, row any) (map[string]json.RawMessage, error) {
	switch v := row.(type) {
	case *millrace.Integration:
		return map[string]json.RawMessage{"config": WithoutSecrets(v.Config, secret.NewSet(v.Config))}, nil
	case *millrace.EnvironmentIntegration:
		of, err := tx.Integrations().Get(ctx, v.EnvironmentID, v.IntegrationID)
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil, nil // what is secret of it cannot be known
		}
		if err != nil {
			return nil, err
		}
		return map[string]json.RawMessage{"override": WithoutSecrets(v.Override, secret.NewSet(of.Config, v.Override))}, nil
	case *millrace.IntegratedAccount:
		if v.Sealed {
			return nil, nil // what is secret is in columns of its own
		}
		return map[string]json.RawMessage{"context": nil, "integration_override": nil}, nil
	case *millrace.Webhook:
		if v.Notification == millrace.NoNotification {
			return nil, nil
		}
		shown := v.Notice()
		shown.WebhookURL = ""
		config, err := json.Marshal(shown)
		return map[string]json.RawMessage{"config": config}, err
	}
	return nil, nil
}
