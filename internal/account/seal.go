package account

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// SecretsOf returns what is secret of an account. Until the transaction ends its integration declares nothing else. An account
// whose installation is gone has the fixed paths.
func SecretsOf(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) (*secret.Set, error) {
	install, integration, err := tx.Installs().Lock(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return secret.NewSet(v.Override()), nil
	}
	if err != nil {
		return nil, err
	}
	return secretsOf(v, install, integration), nil
}

func secretsOf(v *millrace.IntegratedAccount, install *millrace.EnvironmentIntegration, integration *millrace.Integration) *secret.Set {
	return secret.NewSet(integration.Config, install.Override, v.Override())
}

// SetOverride replaces an account's override.
func SetOverride(v *millrace.IntegratedAccount, override json.RawMessage) {
	v.FullOverride, v.IntegrationOverride = nil, override
}

// HideOverride keeps what is secret in an account's override apart from the rest, which is all that is shown.
func HideOverride(v *millrace.IntegratedAccount, set *secret.Set) {
	full := v.Override()
	if !isObject(full) {
		return
	}
	v.FullOverride, v.IntegrationOverride = full, WithoutSecrets(full, set)
}

func isObject(raw json.RawMessage) bool {
	v, err := document.ParseJSON(raw)
	return err == nil && v.Kind == document.KindObject && len(v.Members) > 0
}

// hideSecrets makes a copy of an account fit to be shown. One that was stored by an older version may have secrets in its
// context still.
func hideSecrets(v *millrace.IntegratedAccount, set *secret.Set) error {
	if v.Sealed {
		return nil
	}
	HideOverride(v, set)
	_, err := v.Seal(set.Paths())
	return err
}

// SealStored sets secrets apart in some accounts that were stored by a version that did not, and returns how many it has looked
// at.
func SealStored(ctx context.Context, tx *store.Tx, most int) (int, error) {
	rows, err := tx.Accounts().Unsealed(ctx, most)
	if err != nil {
		return 0, err
	}
	for i := range rows {
		v := &rows[i]
		set, err := SecretsOf(ctx, tx, v)
		if err != nil {
			return 0, err
		}
		HideOverride(v, set)
		if _, err := v.Seal(set.Paths()); err != nil {
			return 0, err
		}
		if err := tx.Accounts().Update(ctx, v); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// sealedAtOnce is how many accounts are read at once.
const sealedAtOnce = 500

// SealAccounts follows a change of what an installation declares: what is secret from now on is set apart in its accounts, in
// the transaction of the change, so that no moment shows it. Only accounts that have such a member are read. What is secret no
// longer stays sealed.
func SealAccounts(ctx context.Context, tx *store.Tx, install *millrace.EnvironmentIntegration, before, after *secret.Set) error {
	fresh := after.Beyond(before)
	if install == nil || len(fresh) == 0 {
		return nil
	}
	names := make([]string, len(fresh))
	for i, path := range fresh {
		names[i] = path[0]
	}
	last := millrace.IntegratedAccountID("")
	for {
		rows, err := tx.Accounts().With(ctx, install.ID, names, last, sealedAtOnce)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			// This follows from the change: it is no change of the account by who makes it.
			ctx := store.By(ctx, store.Actor{})
			changed, err := rows[i].Seal(after.Paths())
			if err == nil && changed {
				err = tx.Accounts().Update(ctx, &rows[i])
			}
			if err != nil {
				return err
			}
		}
		last = rows[len(rows)-1].ID
	}
}
