package people

import (
	"context"
	"fmt"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Sessions are the browsers that users have signed in with, and the links with which they do.
type Sessions struct{ tx *sqldb.Tx }

// Sessions returns the handle of the sessions.
func (h Users) Sessions() Sessions { return Sessions(h) }

var sessionTable = sync.OnceValue(func() *table.Table[millrace.UserSession] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.UserSession
	return &table.Table[row]{
		Name: "user_session", What: "session", Root: true,
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *string { return &v.ID }),
			table.Text("user_id", func(v *row) *millrace.UserID { return &v.UserID }),
			table.Text("agent", func(v *row) *string { return &v.Agent }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("seen_at", func(v *row) *millrace.Time { return &v.SeenAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { v.CreatedAt, v.SeenAt = tx.Now(), tx.Now() },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

var linkTable = sync.OnceValue(func() *table.Table[millrace.SignInLink] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.SignInLink
	return &table.Table[row]{
		Name: "sign_in_link", What: "sign-in link", Root: true,
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *string { return &v.ID }),
			table.Text("user_id", func(v *row) *millrace.UserID { return &v.UserID }),
			table.Stamp("expires_at", func(v *row) *millrace.Time { return &v.ExpiresAt }),
			table.Stamp("used_at", func(v *row) *millrace.Time { return &v.UsedAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { v.CreatedAt = tx.Now() },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

// UseSignIn notes that a sign-in at an identity provider was used, by the hash of its state, and reports whether it had not been. The note
// is not needed after a time.
func (h Sessions) UseSignIn(ctx context.Context, id string, until millrace.Time) (bool, error) {
	n, err := h.tx.Exec(ctx, "INSERT INTO used_sign_in (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, int64(until))
	if err != nil {
		return false, fmt.Errorf("use sign-in: %w", err)
	}
	return n == 1, nil
}

// Begin adds a session.
func (h Sessions) Begin(ctx context.Context, v *millrace.UserSession) error {
	return sessionTable().Insert(ctx, h.tx, v)
}

// Get returns a session by its hash, or nil.
func (h Sessions) Get(ctx context.Context, id string) (*millrace.UserSession, error) {
	return sessionTable().Find(ctx, h.tx, "id = $1", id)
}

// Of returns the sessions of a user that have not ended, the last first.
func (h Sessions) Of(ctx context.Context, id millrace.UserID) ([]millrace.UserSession, error) {
	return sessionTable().All(ctx, h.tx, "user_id = $1 AND expires_at > $2 ORDER BY created_at DESC LIMIT 100", string(id), int64(h.tx.Now()))
}

// See notes that a session is in use.
func (h Sessions) See(ctx context.Context, id string) error {
	if _, err := h.tx.Exec(ctx, "UPDATE user_session SET seen_at = $2 WHERE id = $1", id, int64(h.tx.Now())); err != nil {
		return fmt.Errorf("note session: %w", err)
	}
	return nil
}

// End removes a session.
func (h Sessions) End(ctx context.Context, id string) error {
	if _, err := h.tx.Exec(ctx, "DELETE FROM user_session WHERE id = $1", id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// AddLink adds a sign-in link.
func (h Sessions) AddLink(ctx context.Context, v *millrace.SignInLink) error {
	return linkTable().Insert(ctx, h.tx, v)
}

// Link returns a sign-in link by its hash, locked, or nil.
func (h Sessions) Link(ctx context.Context, id string) (*millrace.SignInLink, error) {
	return linkTable().Find(ctx, h.tx, "id = $1"+h.tx.Dialect().ForUpdate(), id)
}

// Use marks a sign-in link that is locked as used.
func (h Sessions) Use(ctx context.Context, v *millrace.SignInLink) error {
	return table.MustUpdate(ctx, h.tx, linkTable(), v, "")
}

// Prune removes some sessions, links and used sign-ins that ended before a time, and returns how many.
func (h Sessions) Prune(ctx context.Context, before millrace.Time, most int) (int64, error) {
	total := int64(0)
	for _, name := range []string{"user_session", "sign_in_link", "used_sign_in"} {
		n, err := h.tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)", name, name), int64(before), most)
		if err != nil {
			return total, fmt.Errorf("prune %s: %w", name, err)
		}
		total += n
	}
	return total, nil
}
