package people

import (
	"context"
	"fmt"
	"sync"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"
)

// Users are the users of the dashboard.
type Users struct{ tx *sqldb.Tx }

// NewUsers returns the handle of the users.
func NewUsers(tx *sqldb.Tx) Users { return Users{tx} }

var userTable = sync.OnceValue(func() *table.Table[millrace.User] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.User
	return &table.Table[row]{
		Name: "app_user", What: "user", Root: true,
		Audit: &table.Audit[row]{
			Resource: func(*row) string { return "user" }, Without: []string{"email_key", "failures", "locked_until", "signed_in_at", "toured_at"},
		},
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.UserID { return &v.ID }),
			table.Text("email", func(v *row) *string { return &v.Email }),
			table.Text("email_key", func(v *row) *string { return &v.EmailKey }),
			table.Text("name", func(v *row) *string { return &v.Name }),
			table.Text("role", func(v *row) *millrace.Role { return &v.Role }),
			table.Flag("sees_payloads", func(v *row) *bool { return &v.SeesPayloads }),
			table.Secret(table.Text("password_hash", func(v *row) *string { return &v.PasswordHash })),
			table.Number("failures", func(v *row) *int64 { return &v.Failures }),
			table.Stamp("locked_until", func(v *row) *millrace.Time { return &v.LockedUntil }),
			table.Stamp("disabled_at", func(v *row) *millrace.Time { return &v.DisabledAt }),
			table.Stamp("signed_in_at", func(v *row) *millrace.Time { return &v.SignedInAt }),
			table.Stamp("toured_at", func(v *row) *millrace.Time { return &v.TouredAt }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
			table.Stamp("updated_at", func(v *row) *millrace.Time { return &v.UpdatedAt }),
			table.Text("issuer", func(v *row) *string { return &v.Issuer }),
			table.Text("subject", func(v *row) *string { return &v.Subject }),
		},
		Fill: func(tx *sqldb.Tx, v *row) {
			table.NewRow(tx, &v.ID, &v.CreatedAt, &v.UpdatedAt)
			v.EmailKey = millrace.EmailKey(v.Email)
		},
		Touch: func(tx *sqldb.Tx, v *row) { v.UpdatedAt, v.EmailKey = tx.Now(), millrace.EmailKey(v.Email) },
	}
})

// Create adds a user. It returns an error of KindConflict when there is one with the address.
func (h Users) Create(ctx context.Context, v *millrace.User) error {
	if err := userTable().Insert(ctx, h.tx, v); millrace.KindOf(err) == millrace.KindConflict {
		return millrace.Errorf(millrace.KindConflict, "there is a user with the address %s already", v.Email)
	} else if err != nil {
		return err
	}
	return nil
}

// Get returns a user, locked if it is to be changed, or an error of KindNotFound.
func (h Users) Get(ctx context.Context, id millrace.UserID, lock bool) (*millrace.User, error) {
	suffix := ""
	if lock {
		suffix = h.tx.Dialect().ForUpdate()
	}
	v, err := userTable().Find(ctx, h.tx, "id = $1"+suffix, string(id))
	if err == nil && v == nil {
		err = millrace.NotFound("user", string(id))
	}
	return v, err
}

// ByEmail returns the user with an address, locked, or nil.
func (h Users) ByEmail(ctx context.Context, email string) (*millrace.User, error) {
	return userTable().Find(ctx, h.tx, "email_key = $1"+h.tx.Dialect().ForUpdate(), millrace.EmailKey(email))
}

// ByIdentity returns the user that an identity provider knows by a subject, locked, or nil.
func (h Users) ByIdentity(ctx context.Context, issuer, subject string) (*millrace.User, error) {
	return userTable().Find(ctx, h.tx, "issuer = $1 AND subject = $2 AND subject <> ''"+h.tx.Dialect().ForUpdate(), issuer, subject)
}

// All returns the users by address, at most 1,000.
func (h Users) All(ctx context.Context) ([]millrace.User, error) {
	return userTable().All(ctx, h.tx, "1 = 1 ORDER BY email_key LIMIT 1000")
}

// Owners returns how many users that are not disabled have the role owner, and locks them.
func (h Users) Owners(ctx context.Context) (int, error) {
	ids, err := table.ReadIDs[millrace.UserID](ctx, h.tx, "SELECT id FROM app_user WHERE role = 'owner' AND disabled_at = 0 ORDER BY id"+h.tx.Dialect().ForUpdate())
	return len(ids), err
}

// Update writes all of a user that is locked.
func (h Users) Update(ctx context.Context, v *millrace.User) error {
	return table.MustUpdate(ctx, h.tx, userTable(), v, string(v.ID))
}

// EndSessions signs a user out everywhere but in one session, and takes the links that were not used. Without the id of one it ends all.
func (h Users) EndSessions(ctx context.Context, id millrace.UserID, but string) error {
	_, err := h.tx.Exec(ctx, "DELETE FROM user_session WHERE user_id = $1 AND id <> $2", string(id), but)
	if err == nil {
		_, err = h.tx.Exec(ctx, "DELETE FROM sign_in_link WHERE user_id = $1", string(id))
	}
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}
