package rest

import (
	"context"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Principal is who makes a request, and what follows from that. Handlers get it with their input and ask it for nothing
// but the environment whose rows they may see. Today it is the holder of a token; the zero value is anybody.
type Principal struct {
	Environment millrace.EnvironmentID // empty: none or, of an admin, all

	token   *millrace.APIToken
	account millrace.IntegratedAccountID
}

// Account returns the account that a request may be about, if it came with the token of one. Empty: it did not.
func (p *Principal) Account() millrace.IntegratedAccountID { return p.account }

// has returns what the principal may do.
func (p *Principal) has() Need {
	switch p.token.Scope {
	case millrace.ScopeRead:
		return ofRead
	case millrace.ScopeWrite, writeBefore:
		return ofRead | ofWrite
	case millrace.ScopeAdmin:
		return ofAdmin
	case millrace.ScopeAccount:
		return ofAccount
	}
	return Nothing // of a newer version
}

// writeBefore is what earlier versions call the scope write. A node of one may still make tokens while others are upgraded.
const writeBefore millrace.TokenScope = "environment"

// TokenID returns the id of the token that the request came with.
func (p *Principal) TokenID() millrace.APITokenID { return p.token.ID }

// TokenEnds returns when that token ends; 0: never.
func (p *Principal) TokenEnds() millrace.Time { return p.token.ExpiresAt }

// actor is who the record of changes names for a request to a route. A user who is signed in is in the context already.
func (p *Principal) actor(ctx context.Context, route string) store.Actor {
	a := store.ActorOf(ctx)
	switch {
	case a.Kind != "" || p.token == nil:
	case p.account != "":
		a = store.Actor{Kind: store.ActorAccount, ID: string(p.account)}
	default:
		a = store.Actor{Kind: store.ActorToken, ID: string(p.token.ID), Name: p.token.Name}
	}
	a.Via = route
	return a
}

type actingKey struct{}

// Acting returns a context in which a request to a [Router] of the same process is made by a user who is signed in, with the scope
// read or write in an environment, and needs no token. user names who it is where tokens are named by their id.
func Acting(ctx context.Context, env millrace.EnvironmentID, scope millrace.TokenScope, user string) context.Context {
	token := &millrace.APIToken{ID: millrace.APITokenID(user), EnvironmentID: env, Scope: scope}
	return context.WithValue(ctx, actingKey{}, &Principal{Environment: env, token: token})
}

// Need says who may use a route, as a set of scopes of which one is enough. A route with the empty set is for anyone who
// reaches the server.
type Need uint8

// What a route may need.
const (
	Nothing Need = 0
	ofRead  Need = 1 << iota
	ofWrite
	ofAdmin
	ofAccount
)

// Needs returns the need for any of some scopes.
func Needs(scopes ...millrace.TokenScope) Need {
	n := Nothing
	for _, scope := range scopes {
		switch scope {
		case millrace.ScopeRead:
			n |= ofRead
		case millrace.ScopeWrite:
			n |= ofWrite
		case millrace.ScopeAdmin:
			n |= ofAdmin
		case millrace.ScopeAccount:
			n |= ofAccount
		}
	}
	return n
}

// allows returns an error of KindForbidden when a route is not for a principal.
func (n Need) allows(p *Principal) error {
	switch has := p.has(); {
	case n&has != 0:
		return nil
	case n == ofAdmin:
		return millrace.Errorf(millrace.KindForbidden, "this needs an admin token; make one with: millrace token create --scope admin")
	case has == ofAccount:
		return millrace.Errorf(millrace.KindForbidden, "the token of an account is for /proxy, /custom and /integrated-account/me only")
	case n == ofAccount:
		return millrace.Errorf(millrace.KindForbidden, "this needs the token of an account; POST /integrated-account/token makes one")
	case has == ofAdmin:
		return millrace.Errorf(millrace.KindForbidden, "an admin token belongs to no environment; use a token of one")
	case has == ofRead:
		return millrace.Errorf(millrace.KindForbidden, "the token has the scope read, and this needs write")
	}
	return millrace.Errorf(millrace.KindForbidden, "this version does not know the scope %q of the token", p.token.Scope)
}

// A token that was found is not looked up again for a while, so that a busy client costs no query per request. A
// token that is deleted works that much longer.
const (
	tokenMemory    = 5 * time.Second
	maxKnownTokens = 10_000
)

// holder is who has a token.
type holder struct {
	token   *millrace.APIToken
	account millrace.IntegratedAccountID // empty: it is not that of an account
}

// tokens finds the holders of tokens.
type tokens struct {
	db    *store.DB
	clock func() time.Time
	known *cache.Cache[string, holder] // by hash
}

func newTokens(db *store.DB, clock func() time.Time) *tokens {
	return &tokens{db: db, clock: clock, known: cache.New[string, holder](maxKnownTokens, tokenMemory, clock)}
}

// read returns the holder of the token in an Authorization header. Its errors are of KindUnauthorized.
func (t *tokens) read(ctx context.Context, header string) (Principal, error) {
	scheme, sent, _ := strings.Cut(strings.TrimSpace(header), " ")
	sent = strings.TrimSpace(sent)
	if !strings.EqualFold(scheme, "Bearer") || sent == "" {
		return Principal{}, millrace.Errorf(millrace.KindUnauthorized, "no token; send the header Authorization: Bearer <API token>")
	}
	who, err := t.find(ctx, secret.HashToken(sent))
	if err != nil {
		return Principal{}, err
	}
	token := who.token
	if token.ExpiresAt != 0 && token.ExpiresAt <= millrace.TimeOf(t.clock()) {
		return Principal{}, millrace.Errorf(millrace.KindUnauthorized, "the token expired at %s", token.ExpiresAt)
	}
	return Principal{Environment: token.EnvironmentID, token: token, account: who.account}, nil
}

// find returns the holder of the token with a hash, or an error of KindUnauthorized. What is no token is looked up each time.
func (t *tokens) find(ctx context.Context, hash string) (holder, error) {
	if who, ok := t.known.Get(hash); ok {
		return who, nil
	}
	var who holder
	var deletedAt millrace.Time
	err := t.db.View(ctx, func(tx *store.Tx) error {
		var err error
		if who.token, err = tx.APITokens().ByHash(ctx, hash); err != nil || who.token != nil {
			return err
		}
		of, err := tx.Accounts().Tokens().ByHash(ctx, hash)
		if err != nil || of == nil {
			deletedAt, err = tx.APITokens().DeletedAt(ctx, hash)
			return err
		}
		who.account = of.AccountID
		who.token = &millrace.APIToken{
			ID: millrace.APITokenID(of.AccountID), EnvironmentID: of.EnvironmentID, Scope: millrace.ScopeAccount, ExpiresAt: of.ExpiresAt,
		}
		return nil
	})
	switch {
	case err != nil:
		return holder{}, err
	case deletedAt != 0:
		return holder{}, millrace.Errorf(millrace.KindUnauthorized, "the token was deleted at %s", deletedAt)
	case who.token == nil:
		return holder{}, millrace.Errorf(millrace.KindUnauthorized, "the token is not valid: no such token is known here")
	}
	t.known.Set(hash, who)
	return who, nil
}
