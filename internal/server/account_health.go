package server

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/store"
)

// healthTimeout bounds how long it takes to write down that an account has lost or found its credentials.
const healthTimeout = 5 * time.Second

// judge moves an account on when a request shows that its credentials no longer work, or that they work again. It does
// so once: only for an account that is still as it was when the request was made, because an account that was
// reconnected meanwhile has other credentials.
func (f *accountFetcher) judge(ctx context.Context, account *loadedAccount, o *fetch.Outcome) error {
	status, name, message := millrace.AccountStatus(""), "", ""
	switch {
	case o.Foreign:
	case o.Kind == fetch.KindUnauthorized && account.row.Status == millrace.AccountActive:
		status, name, message = millrace.AccountNeedsReauth, millrace.EventAccountAuthError, o.Message
	case o.Kind == fetch.KindOK && account.row.Status == millrace.AccountNeedsReauth:
		status, name = millrace.AccountActive, millrace.EventAccountReactivated
	}
	if status == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	err := f.db.Update(ctx, func(tx *store.Tx) error {
		row := *account.row
		row.Status, row.LastError = status, message
		moved, err := tx.MoveIntegratedAccount(ctx, &row, account.row.Status, account.row.UpdatedAt)
		if err != nil || !moved {
			return err
		}
		changed, err := httpapi.AccountEvent(ctx, tx, name, &row)
		if err != nil {
			return err
		}
		return event.Emit(ctx, tx, changed)
	})
	f.accounts.forget(accountKey{account.row.EnvironmentID, account.row.ID})
	return err
}

func asError(err error) (*millrace.Error, bool) {
	var known *millrace.Error
	ok := errors.As(err, &known)
	return known, ok
}
