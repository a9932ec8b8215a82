package httpapi

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// access says who may use a route.
type access string

const (
	public access = "public" // anyone who reaches the server
	bearer access = "bearer" // the holder of an API token of an environment
	admin  access = "admin"  // the holder of an admin token
	either access = "either" // the holder of an API token of whatever scope
)

// allows returns an error of KindForbidden when a token is not for a route.
func (who access) allows(token *millrace.APIToken) error {
	isAdmin := token.Scope == millrace.ScopeAdmin
	switch {
	case who == admin && !isAdmin:
		return millrace.Errorf(millrace.KindForbidden, "this needs an admin token; make one with: millrace token create --scope admin")
	case who == bearer && isAdmin:
		return millrace.Errorf(millrace.KindForbidden, "an admin token belongs to no environment; use a token of one")
	}
	return nil
}

// A token that was found is not looked up again for a while, so that a busy client costs no query per request. A
// token that is deleted works that much longer.
const (
	tokenMemory    = 5 * time.Second
	maxKnownTokens = 10_000
)

// tokens finds the environment of a token.
type tokens struct {
	db    *store.DB
	clock func() time.Time

	mu    sync.Mutex
	known map[string]knownToken
}

type knownToken struct {
	token *millrace.APIToken
	until time.Time
}

// read returns the token in an Authorization header. Its errors are of KindUnauthorized.
func (t *tokens) read(ctx context.Context, header string) (*millrace.APIToken, error) {
	scheme, sent, _ := strings.Cut(strings.TrimSpace(header), " ")
	sent = strings.TrimSpace(sent)
	if !strings.EqualFold(scheme, "Bearer") || sent == "" {
		return nil, millrace.Errorf(millrace.KindUnauthorized, "no token; send the header Authorization: Bearer <API token>")
	}
	token, err := t.find(ctx, secret.HashToken(sent))
	if err != nil {
		return nil, err
	}
	if token == nil {
		return nil, millrace.Errorf(millrace.KindUnauthorized, "the token is not valid")
	}
	if token.ExpiresAt != 0 && token.ExpiresAt <= millrace.TimeOf(t.clock()) {
		return nil, millrace.Errorf(millrace.KindUnauthorized, "the token has expired")
	}
	return token, nil
}

// find returns the token with a hash, or nil.
func (t *tokens) find(ctx context.Context, hash string) (*millrace.APIToken, error) {
	now := t.clock()
	t.mu.Lock()
	entry, ok := t.known[hash]
	t.mu.Unlock()
	if ok && now.Before(entry.until) {
		return entry.token, nil
	}
	var token *millrace.APIToken
	err := t.db.View(ctx, func(tx *store.Tx) error {
		var err error
		token, err = tx.APITokenByHash(ctx, hash)
		return err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil || token == nil {
		delete(t.known, hash)
		return nil, err
	}
	if len(t.known) >= maxKnownTokens {
		clear(t.known)
	}
	t.known[hash] = knownToken{token, now.Add(tokenMemory)}
	return token, nil
}
