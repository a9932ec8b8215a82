package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// identityMember is where the context says which account at the provider it is, by the expression of the config.
const identityMember = "provider_identity"

// save stores the account that a session has made, or the new credentials of the one that is connected again, with the end of the
// session, and begins what follows.
func (f *Flow) save(ctx context.Context, t *taken) error {
	identity, err := f.identity(ctx, t)
	if err != nil {
		return err
	}
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		// What an integration declares is held before its accounts: a change of it seals these.
		if _, _, err := tx.Installs().Lock(ctx, t.row.EnvironmentID, t.row.EnvironmentIntegrationID); err != nil {
			return err
		}
		links := tx.Accounts().Links()
		link, err := links.Get(ctx, t.link.row.ID, true)
		switch {
		case err != nil:
			return err
		case link == nil || link.ExpiresAt < tx.Now():
			return ErrToken
		case link.UsedAt != 0:
			return ErrUsed
		}
		if id := link.Options.StaticGateID; id != "" { // it is not deleted before the account uses it
			if _, err := tx.Accounts().Gates().Lock(ctx, link.EnvironmentID, id); err != nil {
				return hidden(err)
			}
		}
		v, began, err := f.row(ctx, tx, t, link)
		if err != nil {
			return err
		}
		if err := sameIdentity(v, identity); err != nil {
			return err
		}
		if err := f.fill(ctx, tx, t, v, link, identity); err != nil {
			return err
		}
		if began == millrace.EventAccountCreated {
			if err := tx.Accounts().Create(ctx, v); err != nil {
				return err
			}
		}
		e, err := account.NewEvent(ctx, tx, began, v)
		if err != nil {
			return err
		}
		if err := provider.Connect(ctx, tx, v, e); err != nil {
			return err
		}
		link.IntegratedAccountID = v.ID //commit:allow it was read in this transaction
		if v.Status == millrace.AccountActive {
			link.UsedAt = tx.Now() //commit:allow the same
		}
		if err := links.Save(ctx, link); err != nil {
			return err
		}
		row, err := links.Session(ctx, t.row.ID)
		if err != nil || row == nil || row.IntegratedAccountID != "" || row.Failure != "" {
			return cmp.Or(err, error(ErrSession))
		}
		row.IntegratedAccountID, row.Secrets, row.Response = v.ID, nil, nil
		return links.SaveSession(ctx, row)
	})
}

// test tries the credentials that a customer has typed before they are stored. Those that came on a redirect are from the provider itself,
// and could not be had a second time: what is wrong with such an account is found when it is connected.
func (f *Flow) test(ctx context.Context, t *taken) error {
	if t.secrets.RedirectURI != "" {
		return nil
	}
	c, err := store.Compute(ctx, f.DB, func(tx *store.Tx) (provider.Candidate, error) { // it stores nothing, but takes locks
		var c provider.Candidate
		var err error
		if c.Install, c.Integration, err = tx.Installs().Lock(ctx, t.row.EnvironmentID, t.row.EnvironmentIntegrationID); err != nil {
			return c, err
		}
		if c.Account, _, err = f.row(ctx, tx, t, t.link.row); err != nil {
			return c, err
		}
		c.Gate = t.link.gate
		return c, f.fill(ctx, tx, t, c.Account, t.link.row, "")
	})
	if err != nil {
		return err
	}
	rejected, err := f.Test(ctx, c)
	switch {
	case err != nil || rejected == nil:
		return err
	case rejected.Passes:
		return &Error{Type: "connection_error", Message: "provider_silent", Detail: rejected.Message, Retry: true}
	}
	return &Error{Type: "validation_error", Message: "credentials_rejected", Detail: rejected.Message, Retry: true}
}

// row returns the account that is to be stored, and the event that begins its connection.
func (f *Flow) row(ctx context.Context, tx *store.Tx, t *taken, link *millrace.LinkToken) (*millrace.IntegratedAccount, string, error) {
	if link.IntegratedAccountID != "" {
		v, err := tx.Accounts().Lock(ctx, link.EnvironmentID, link.IntegratedAccountID)
		if err != nil {
			return nil, "", hidden(err)
		}
		if v.Status == millrace.AccountDeleting {
			return nil, "", &Error{Type: "connection_error", Message: "account_gone"}
		}
		v.AuthenticationMethod, v.Status = t.row.Method, millrace.AccountConnecting //commit:allow it was read in this transaction
		if link.Options.StaticGateID != "" {
			v.StaticGateID = link.Options.StaticGateID //commit:allow the same
		}
		return v, millrace.EventAccountUpdated, nil
	}
	none := json.RawMessage("{}")
	return &millrace.IntegratedAccount{
		EnvironmentID: link.EnvironmentID, TenantID: link.TenantID, EnvironmentIntegrationID: t.row.EnvironmentIntegrationID,
		AuthenticationMethod: t.row.Method, Status: millrace.AccountConnecting, IsSandbox: link.Options.IsSandbox, StaticGateID: link.Options.StaticGateID,
		Region: cmp.Or(link.Options.Region, "wnam"), Features: none, UnifiedModelOverride: none, IntegrationOverride: none,
	}, millrace.EventAccountCreated, nil
}

// fill puts the context together: what was typed and what the provider sent, and over it what the link token gives. What the account had
// stays where the token says so, or where this token has made the account.
func (f *Flow) fill(ctx context.Context, tx *store.Tx, t *taken, v *millrace.IntegratedAccount, link *millrace.LinkToken, identity string) error {
	set, err := account.SecretsOf(ctx, tx, v)
	if err != nil {
		return err
	}
	if !link.Options.PersistPrevious {
		if err := v.ClearContext(); err != nil {
			return err
		}
	}
	context := maps.Clone(t.typed)
	if identity != "" {
		context[identityMember] = identity
	}
	if t.result != nil {
		maps.Copy(context, t.result.Extra)
	}
	given, err := decode(link.Context)
	if err != nil {
		return err
	}
	maps.Copy(context, given)
	raw, err := json.Marshal(context)
	if err != nil {
		return err
	}
	account.HideOverride(v, set)
	if err := v.MergeContext(raw, set.Paths(), account.EnvironmentVariables); err != nil || t.result == nil {
		return err
	}
	scope := map[string]any{}
	if len(t.result.Scope) > 0 {
		scope["oauth"] = map[string]any{"scope": t.result.Scope}
	}
	return v.SetToken(t.result.Token, scope, set.Paths(), t.result.SecretPaths)
}

// identity returns the account at the provider that was connected, as the expression of the config has it; empty: it says nothing.
func (f *Flow) identity(ctx context.Context, t *taken) (string, error) {
	if t.credential.OAuth == nil || t.credential.OAuth.Identity == nil || t.result == nil {
		return "", nil
	}
	data := map[string]any{"token": t.result.Token, "redirect": t.redirect, "context": t.typed}
	raw, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	scope, err := expr.ParseJSON(raw)
	if err != nil {
		return "", err
	}
	limits := expr.LimitsTransform()
	limits.Timeout = time.Second
	v, err := t.credential.OAuth.Identity.EvalInput(ctx, expr.Input{Data: scope, Limits: limits, Now: f.Clock})
	if err != nil || v == nil {
		return "", &Error{Type: "connection_error", Message: "no_identity"}
	}
	return expr.Text(v), nil
}

// sameIdentity rejects the credentials of another account at the provider.
func sameIdentity(v *millrace.IntegratedAccount, identity string) error {
	var known struct {
		Identity string `json:"provider_identity"`
	}
	if len(v.Context) > 0 {
		_ = json.Unmarshal(v.Context, &known) // an identity of another type is none
	}
	if identity == "" || known.Identity == "" || known.Identity == identity {
		return nil
	}
	return &Error{Type: "connection_error", Message: "other_account", Retry: true}
}

// State says how far a session has come.
type State string

// The states of a session.
const (
	StateOpen      State = "open"      // the customer is at the provider
	StateWorking   State = "working"   // the account is being checked
	StateConnected State = "connected" // it is active
	StateFailed    State = "failed"
)

// Status is what a session is shown as.
type Status struct {
	State       State
	Integration string
	Method      string
	AccountID   millrace.IntegratedAccountID // with connected, post_install_error and validation_error
	Type        string                       // of the error
	Message     string                       // a key of the catalogues: what has failed, or what is being done; empty: nothing to be said
	Detail      string                       // what was said
	Link        *Link
	Again       bool // the customer may begin again with the same link token

	Owner    string // hash of the secret by which it was found
	Current  bool   // it has not expired
	Framed   bool   // a page in a frame has begun it in a window of its own, and asks for the outcome
	SkipForm bool   // no form is to follow
}

// Look returns how far a session has come, for the browser that it belongs to.
func (f *Flow) Look(ctx context.Context, state, browser string) (*Status, error) {
	if state == "" || len(state) > maxText {
		return nil, ErrSession
	}
	row, v, err := f.look(ctx, func(links store.Links) (*store.ConnectSession, error) {
		return links.Look(ctx, secret.HashToken(state))
	})
	if err != nil {
		return nil, err
	}
	if !belongs(row, state, browser) {
		return nil, ErrSession
	}
	return f.status(ctx, row, v, state)
}

// belongs reports whether a session is that of a browser. One without a redirect belongs to the holder of its state.
func belongs(row *store.ConnectSession, state, browser string) bool {
	if row == nil {
		return false
	}
	return row.Browser == secret.HashToken(state) || browser != "" && row.Browser == secret.HashToken(browser)
}

// OpenAgain finds the link token of a session whose attempt has failed, for the browser that it belongs to. The errors are those of
// [Flow.Open], and [ErrSession].
func (f *Flow) OpenAgain(ctx context.Context, state, browser string) (*Link, error) {
	s, err := f.Look(ctx, state, browser)
	if err != nil {
		return nil, err
	}
	if err := s.Link.Usable(); err != nil {
		return s.Link, err
	}
	if !s.Again {
		return s.Link, ErrSession
	}
	return s.Link, nil
}

// LookFrom returns how far the last attempt of a page in a frame has come, whose own browser window for the provider may have lost it.
func (f *Flow) LookFrom(ctx context.Context, l *Link, page string) (*Status, error) {
	if page == "" || len(page) > maxText {
		return nil, ErrSession
	}
	row, v, err := f.look(ctx, func(links store.Links) (*store.ConnectSession, error) {
		return links.Attempt(ctx, l.row.ID, secret.HashToken(page))
	})
	if err != nil || row == nil {
		return nil, cmp.Or(err, error(ErrSession))
	}
	return f.status(ctx, row, v, page)
}

func (f *Flow) status(ctx context.Context, row *store.ConnectSession, v *millrace.IntegratedAccount, by string) (*Status, error) {
	s := &Status{Integration: row.Integration, Method: row.Method, Owner: secret.HashToken(by), Framed: row.Attempt != "", SkipForm: row.SkipForm}
	var err error
	if s.Link, err = f.open(ctx, row.LinkTokenID); err != nil {
		return nil, err
	}
	now := millrace.TimeOf(f.Clock())
	switch {
	case row.Failure != "":
		s.State, s.Type = StateFailed, row.FailureType
		s.Message, s.Detail, _ = strings.Cut(row.Failure, "\n")
	case v != nil:
		s.of(v)
	case row.IntegratedAccountID != "":
		s.State, s.Type, s.Message = StateFailed, "connection_error", "account_gone"
	case abandoned(row, now):
		s.State, s.Type, s.Message = StateFailed, "connection_error", "interrupted"
	case row.TakenAt != 0:
		s.State = StateWorking
	case row.ExpiresAt < now:
		s.State, s.Type, s.Message = StateFailed, "connection_error", "session_invalid"
	default:
		s.State = StateOpen
	}
	s.Current = row.ExpiresAt >= now
	s.Again = s.State == StateFailed && s.Current && s.Link.Usable() == nil
	return s, nil
}

// of shows the status of the account.
func (s *Status) of(v *millrace.IntegratedAccount) {
	s.AccountID, s.Detail = v.ID, v.LastError
	switch v.Status {
	case millrace.AccountActive:
		s.State, s.Detail = StateConnected, ""
	case millrace.AccountConnecting:
		s.State, s.Detail = StateWorking, ""
		var result millrace.ActionRunResult
		if json.Unmarshal(v.LastActionRunResult, &result) == nil && result.Workflows != nil {
			s.Message = "validating_text"
		}
	case millrace.AccountPostInstallError:
		s.State, s.Type, s.Message = StateFailed, "post_install_error", "post_install_error"
	case millrace.AccountValidationError:
		s.State, s.Type, s.Message = StateFailed, "validation_error", "validation_error"
	case millrace.AccountDeleting:
		s.State, s.Type, s.Message = StateFailed, "connection_error", "account_gone"
	case millrace.AccountNeedsReauth:
		s.State, s.Type, s.Message = StateFailed, "connection_error", "needs_reauth"
	}
}

// look reads a session and its account. One that a dead server has left behind with the response of the token endpoint goes on.
func (f *Flow) look(ctx context.Context, find func(store.Links) (*store.ConnectSession, error)) (*store.ConnectSession, *millrace.IntegratedAccount, error) {
	row, v, err := f.see(ctx, find)
	if err != nil || row == nil || len(row.Response) == 0 || !abandoned(row, millrace.TimeOf(f.Clock())) {
		return row, v, err
	}
	if err := f.resume(ctx, row.ID); err != nil {
		return nil, nil, fmt.Errorf("go on with a connect session: %w", err)
	}
	return f.see(ctx, find)
}

func (f *Flow) see(ctx context.Context, find func(store.Links) (*store.ConnectSession, error)) (*store.ConnectSession, *millrace.IntegratedAccount, error) {
	var row *store.ConnectSession
	var v *millrace.IntegratedAccount
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		if row, err = find(tx.Accounts().Links()); err != nil || row == nil || row.IntegratedAccountID == "" {
			return err
		}
		if v, err = tx.Accounts().Get(ctx, row.EnvironmentID, row.IntegratedAccountID); millrace.KindOf(err) == millrace.KindNotFound {
			v, err = nil, nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("read a connect session: %w", err)
	}
	return row, v, err
}
