package accounts

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

// Links are the link tokens, and the sessions of the browsers that use them.
type Links struct{ tx *sqldb.Tx }

// Links returns the handle of the link tokens.
func (h Accounts) Links() Links { return Links(h) }

// ConnectSession is one attempt of a customer's browser to connect an account. It is found by the hash of its id, which is also the
// state of the redirect, and bound to the browser by a cookie.
type ConnectSession struct {
	ID                       string // hash
	EnvironmentID            millrace.EnvironmentID
	LinkTokenID              string
	Browser                  string // hash of the cookie
	Attempt                  string // hash of what the page in a frame asks by; empty: nothing
	EnvironmentIntegrationID millrace.EnvironmentIntegrationID
	Integration              string // name
	Method                   string
	Secrets                  json.RawMessage              // what the flow keeps for the callback; sealed
	Response                 json.RawMessage              // of the token endpoint, before it was read; sealed
	IntegratedAccountID      millrace.IntegratedAccountID // that came of it; empty: none yet
	Failure                  string                       // why none came, for people
	FailureType              string                       // connection_error, ...
	SkipForm                 bool                         // no form follows on the connection
	TakenAt                  millrace.Time                // when its work was begun, for the last time; 0: not yet
	ExpiresAt                millrace.Time
	CreatedAt                millrace.Time
}

var linkTokenTable = sync.OnceValue(func() *table.Table[millrace.LinkToken] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.LinkToken
	return &table.Table[row]{
		Name: "link_token", What: "link token",
		Audit: &table.Audit[row]{
			ID:      func(v *row) string { return string(v.IntegratedAccountID) }, // its own is a hash
			Subject: func(v *row) string { return cmp.Or(string(v.IntegratedAccountID), v.TenantID) },
		},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *string { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("tenant_id", func(v *row) *string { return &v.TenantID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Encoded("options", func(v *row) any { return &v.Options }, nil),
			table.Sealed("link_token", "context", func(v *row) *json.RawMessage { return &v.Context }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("used_at", func(v *row) *millrace.Time { return &v.UsedAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { v.CreatedAt = tx.Now() },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

var connectSessionTable = sync.OnceValue(func() *table.Table[ConnectSession] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = ConnectSession
	return &table.Table[row]{
		Name: "connect_session", What: "connect session",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *string { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("link_token_id", func(v *row) *string { return &v.LinkTokenID }),
			table.Text("browser", func(v *row) *string { return &v.Browser }),
			table.Text("attempt", func(v *row) *string { return &v.Attempt }),
			table.Text("environment_integration_id", func(v *row) *millrace.EnvironmentIntegrationID { return &v.EnvironmentIntegrationID }),
			table.Text("integration", func(v *row) *string { return &v.Integration }),
			table.Text("method", func(v *row) *string { return &v.Method }),
			table.Sealed("connect_session", "secrets", func(v *row) *json.RawMessage { return &v.Secrets }),
			table.Sealed("connect_session", "response", func(v *row) *json.RawMessage { return &v.Response }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Text("failure", func(v *row) *string { return &v.Failure }),
			table.Text("failure_type", func(v *row) *string { return &v.FailureType }),
			table.Flag("skip_form", func(v *row) *bool { return &v.SkipForm }),
			table.Stamp("taken_at", func(v *row) *millrace.Time { return &v.TakenAt }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { v.CreatedAt = tx.Now() },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

// Create adds a link token.
func (h Links) Create(ctx context.Context, v *millrace.LinkToken) error {
	return linkTokenTable().Insert(ctx, h.tx, v)
}

// Get returns a link token by its hash, or nil. lock says that no other transaction changes it until this one ends.
func (h Links) Get(ctx context.Context, id string, lock bool) (*millrace.LinkToken, error) {
	suffix := ""
	if lock {
		suffix = h.tx.Dialect().ForUpdate()
	}
	return linkTokenTable().Find(ctx, h.tx, "id = $1"+suffix, id)
}

// Save writes all of a link token that is locked.
func (h Links) Save(ctx context.Context, v *millrace.LinkToken) error {
	return table.MustUpdate(ctx, h.tx, linkTokenTable(), v, "")
}

// Begin adds a session.
func (h Links) Begin(ctx context.Context, v *ConnectSession) error {
	return connectSessionTable().Insert(ctx, h.tx, v)
}

// Session returns a session by its hash, locked, or nil.
func (h Links) Session(ctx context.Context, id string) (*ConnectSession, error) {
	return connectSessionTable().Find(ctx, h.tx, "id = $1"+h.tx.Dialect().ForUpdate(), id)
}

// Look returns a session by its hash, or nil.
func (h Links) Look(ctx context.Context, id string) (*ConnectSession, error) {
	return connectSessionTable().Find(ctx, h.tx, "id = $1", id)
}

// Attempt returns the last session that a page has begun with a link token, or nil.
func (h Links) Attempt(ctx context.Context, link, attempt string) (*ConnectSession, error) {
	return connectSessionTable().Find(ctx, h.tx, "link_token_id = $1 AND attempt = $2 AND attempt <> '' ORDER BY created_at DESC LIMIT 1", link, attempt)
}

// SaveSession writes all of a session that is locked.
func (h Links) SaveSession(ctx context.Context, v *ConnectSession) error {
	return table.MustUpdate(ctx, h.tx, connectSessionTable(), v, "")
}

// Prune removes some tokens and sessions that have ended before a time, and returns how many.
func (h Links) Prune(ctx context.Context, before millrace.Time, most int) (int64, error) {
	total := int64(0)
	for _, name := range []string{"connect_session", "link_token"} {
		n, err := h.tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)", name, name), int64(before), most)
		if err != nil {
			return total, fmt.Errorf("prune %s: %w", name, err)
		}
		total += n
	}
	return total, nil
}
