package form

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// Show returns the first view of a form, with the stored values.
func (f *Forms) Show(ctx context.Context, v *Visit, ticket string) (*Page, error) {
	p, r, err := f.read(ctx, v, ticket, nil)
	if err != nil {
		return nil, err
	}
	return p, f.fill(ctx, v, p, r, nil)
}

// Look returns a form with what was sent, and nothing of it stored.
func (f *Forms) Look(ctx context.Context, v *Visit, request *Request) (*Page, error) {
	p, r, err := f.read(ctx, v, request.Ticket, request)
	if err != nil {
		return nil, err
	}
	return p, f.fill(ctx, v, p, r, request)
}

// Submit stores the answers of a form with their event. A page that is returned says what is wrong with them, and nothing is stored. The
// same answers of the same page count once, however often they come.
func (f *Forms) Submit(ctx context.Context, v *Visit, request *Request) (*Page, error) {
	request.Strict = true
	p, r, err := f.read(ctx, v, request.Ticket, request)
	if err != nil {
		return nil, err
	}
	if len(r.failures) > 0 {
		return p, f.fill(ctx, v, p, r, request)
	}
	members, err := r.members()
	if err != nil {
		return nil, err
	}
	err = f.DB.Update(ctx, func(tx *store.Tx) error { return f.save(ctx, tx, v, r, members) })
	if err == nil {
		f.Logger.InfoContext(ctx, "a form was submitted", slog.String("environment_id", string(v.row.EnvironmentID)),
			slog.String("integrated_account_id", string(v.AccountID)), slog.String("integration", v.Integration))
	}
	if millrace.KindOf(err) == millrace.KindNotFound {
		err = ErrToken
	}
	return nil, err
}

// members are the answers as members of the context.
func (r *reader) members() (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	for name, value := range r.store {
		raw, err := expr.EncodeJSON(value)
		if err != nil {
			return nil, err
		}
		members[name] = raw
	}
	return json.Marshal(members)
}

func (f *Forms) save(ctx context.Context, tx *store.Tx, v *Visit, r *reader, members json.RawMessage) error {
	if v.token {
		row, err := tx.Accounts().Tokens().ByHash(ctx, v.bind)
		if err != nil {
			return err
		}
		if row == nil || row.ExpiresAt < tx.Now() {
			return ErrToken
		}
	}
	// What an integration declares is held before its accounts: a change of it seals these.
	set, err := account.SecretsOf(ctx, tx, v.row)
	if err != nil {
		return err
	}
	row, err := tx.Accounts().Lock(ctx, v.row.EnvironmentID, v.AccountID)
	if err != nil {
		return err
	}
	if row.Status != millrace.AccountActive {
		return &Error{Message: "form_inactive", Visit: v}
	}
	if len(r.ticket.Further) > 0 {
		if err := account.AdmitOwn(ctx, tx, row, "truto_additional_context", r.ticket.Further); err != nil {
			if millrace.KindOf(err) == millrace.KindForbidden {
				return &Error{Message: "form_options", Detail: err.Error(), Visit: v}
			}
			return err
		}
	}
	if err := account.MergeSealed(row, set, members); err != nil {
		return err
	}
	if err := account.Update(ctx, tx, row); err != nil {
		return err
	}
	e, err := account.NewEvent(ctx, tx, millrace.EventFormSubmitted, row)
	if err != nil {
		return err
	}
	// What was sent, not what follows from it: a second request may find the first one's answers stored.
	sum := sha256.Sum256([]byte(string(row.ID) + "\x00" + r.ticket.Number + "\x00" + r.request.Values.Encode()))
	e.IdempotencyKey = "form:" + hex.EncodeToString(sum[:])
	return event.Emit(ctx, tx, e)
}
