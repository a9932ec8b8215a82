package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
)

// healthTimeout bounds how long it takes to write down that an account has lost or found its credentials.
const healthTimeout = 5 * time.Second

// judge moves an account on when a request shows that its credentials no longer work, or that they work again. It does
// so once: only for an account that is still as it was when the request was made, because an account that was
// reconnected meanwhile has other credentials.
func (f *Fetcher) judge(ctx context.Context, a *loadedAccount, o *fetch.Outcome) error {
	status, name, message := millrace.AccountStatus(""), "", ""
	responded := o.Status != 0 && o.Kind != fetch.KindUnauthorized // any response but 401 shows that the credentials are known
	switch {
	case o.Foreign:
	case o.Kind == fetch.KindUnauthorized && a.row.Status == millrace.AccountActive:
		status, name, message = millrace.AccountNeedsReauth, millrace.EventAccountAuthError, o.Message
	case (o.Kind == fetch.KindOK || responded) && a.row.Status == millrace.AccountNeedsReauth:
		status, name = millrace.AccountActive, millrace.EventAccountReactivated
	}
	if status == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	return f.db.Update(ctx, func(tx *store.Tx) error {
		row := *a.row
		row.Status, row.LastError = status, message
		moved, err := tx.Accounts().Move(ctx, &row, a.row.Status, a.row.UpdatedAt)
		if err != nil || !moved {
			return err
		}
		if status == millrace.AccountActive {
			if err := tx.Accounts().WakeRuns(ctx, row.EnvironmentID, row.ID); err != nil {
				return err
			}
		}
		changed, err := account.NewEvent(ctx, tx, name, &row)
		if err != nil {
			return err
		}
		return event.Emit(ctx, tx, changed)
	})
}

// missingScopes returns the scopes of a method that an account was not granted; all of them where nothing says which it was.
func missingScopes(a *loadedAccount, m *config.Method) []string {
	missing := []string{}
	if m == nil {
		return missing
	}
	oauth, _ := a.full["oauth"].(map[string]any)
	token, _ := oauth["token"].(map[string]any)
	text, _ := token["scope"].(string)
	granted := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' })
	for _, scope := range m.Scopes {
		if !slices.Contains(granted, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// isForbidden reports that the provider forbids what it was asked for, to an account that it knows.
func isForbidden(o *fetch.Outcome) bool {
	return o.Kind == fetch.KindRemoteError && o.Status == http.StatusForbidden && !o.Foreign
}

// forbid keeps with the account what the provider forbids it, until a request succeeds. It writes where that changes something
// only, and when the account is still as it was.
func (f *Fetcher) forbid(ctx context.Context, a *loadedAccount, req fetch.Request, o *fetch.Outcome) error {
	had := a.row.LastForbiddenError
	var seen *millrace.ForbiddenError
	switch {
	case isForbidden(o):
		var last millrace.ForbiddenError
		_ = json.Unmarshal(had, &last) // there may be none
		if last.Resource == req.Resource && last.Method == req.Method && last.OccurredAt != 0 {
			return nil
		}
		method := req.Custom
		if method == nil {
			method, _ = a.config.Method(req.Resource, req.Method)
		}
		seen = &millrace.ForbiddenError{Resource: req.Resource, Method: req.Method, MissingScopes: missingScopes(a, method)}
	case o.Kind == fetch.KindOK && !o.Foreign && len(had) > 0:
	default:
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	return f.db.Update(ctx, func(tx *store.Tx) error {
		next := *a.row
		next.LastForbiddenError = nil
		if seen != nil {
			at := *seen
			at.OccurredAt = tx.Now()
			var err error
			if next.LastForbiddenError, err = json.Marshal(at); err != nil {
				return fmt.Errorf("encode what is forbidden: %w", err)
			}
		}
		_, err := tx.Accounts().Move(ctx, &next, a.row.Status, a.row.UpdatedAt)
		return err
	})
}
