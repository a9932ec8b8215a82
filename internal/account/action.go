package account

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// PlanActions begins the schedules of the actions of an account that becomes active, in the transaction that stores it afterwards.
func PlanActions(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) error {
	install, integration, err := tx.Installs().Lock(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return err
	}
	if v.ActionAt = 0; !config.MayHaveSchedules(integration.Config, install.Override, v.Override()) { //commit:allow the row was read in the same transaction
		return nil
	}
	v.ActionAt = tx.Now() //commit:allow the same
	return tx.Enqueue(ctx, millrace.ActionTask(v))
}

// FollowSchedules has the accounts of an installation follow a change of the schedules of its actions.
func FollowSchedules(ctx context.Context, tx *store.Tx, install *millrace.EnvironmentIntegration, before, after []byte) error {
	if !config.MayHaveSchedules(before, after) {
		return nil
	}
	return tx.Accounts().WakeActions(ctx, install.EnvironmentID, install.ID)
}
