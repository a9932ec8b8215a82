package trigger

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/store"
)

// maxScopes bounds the text of the decoded events that are kept, with the contexts of their accounts. What does not fit is
// decoded again for each workflow, at the expense of its environment.
const maxScopes = 4 << 20

// scopes are the documents of events for expressions.
type scopes struct {
	*Matcher
	of       map[millrace.EventID]expr.Value
	accounts map[millrace.IntegratedAccountID]json.RawMessage // their contexts; nil: there is none
	size     int
}

func newScopes(m *Matcher) *scopes {
	s := &scopes{Matcher: m}
	s.clear()
	return s
}

func (s *scopes) clear() {
	s.of, s.accounts, s.size = map[millrace.EventID]expr.Value{}, map[millrace.IntegratedAccountID]json.RawMessage{}, 0
}

// get returns the document of an event.
func (s *scopes) get(ctx context.Context, e *millrace.Event) (expr.Value, error) {
	if scope := s.of[e.ID]; scope != nil {
		return scope, nil
	}
	if s.size > maxScopes {
		s.clear()
	}
	var o *expr.Occurrence
	var err error
	s.cfg.Budget.Use(e.EnvironmentID, func() { o, err = expr.NewOccurrence(e) })
	if err != nil {
		return nil, millrace.Permanent(err)
	}
	public, err := s.account(ctx, e.EnvironmentID, o.AccountID())
	if err != nil {
		return nil, err
	}
	if public != nil {
		s.cfg.Budget.Use(e.EnvironmentID, func() { err = o.SetAccountContext(public) })
		if err != nil {
			return nil, err
		}
	}
	s.size += len(e.Payload) + len(public)
	s.of[e.ID] = o.Scope()
	return s.of[e.ID], nil
}

// account returns the context of the account that an event is about, or nil.
func (s *scopes) account(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (json.RawMessage, error) {
	if id == "" {
		return nil, nil
	}
	if public, known := s.accounts[id]; known {
		return public, nil
	}
	var public json.RawMessage
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		account, err := tx.Accounts().Get(ctx, env, id)
		if millrace.KindOf(err) == millrace.KindNotFound {
			return nil
		}
		if err == nil {
			public = account.Context
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.accounts[id] = public
	return public, nil
}
