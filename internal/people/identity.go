package people

import (
	"cmp"
	"context"
	"net/mail"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Identity is what an identity provider says of who signs in.
type Identity struct {
	Issuer, Subject string // who it is; the rest may change
	Email           string
	Verified        bool // the address is theirs
	Name            string
	Role            millrace.Role // that the provider gives; empty: it gives none
	State           string        // of the sign-in, which makes one session
	ExpiresAt       millrace.Time // when the sign-in is over
}

// Admission says who gets an account by signing in at the identity provider. The zero value lets in only who is a user already.
type Admission struct {
	Domains []string // of addresses, in lower case
	Role    millrace.Role
}

func errNotAdmitted(format string, args ...any) error {
	return millrace.Errorf(millrace.KindForbidden, format, args...)
}

// SignInByIdentity signs in who an identity provider has identified, and returns what the browser is to keep. A user who comes for the
// first time is found by a verified address, and from then on only by the subject. It returns an error of KindForbidden, for people, when
// there is no user for it, and of KindUnauthorized for a sign-in that made a session before.
func (p *People) SignInByIdentity(ctx context.Context, id *Identity, by Admission, agent string) (string, error) {
	token, err := p.signInByIdentity(ctx, id, by, agent)
	if millrace.KindOf(err) == millrace.KindConflict { // another browser of the same new user was first
		token, err = p.signInByIdentity(ctx, id, by, agent)
	}
	return token, err
}

func (p *People) signInByIdentity(ctx context.Context, id *Identity, by Admission, agent string) (string, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) (string, error) {
		unused, err := tx.Users().Sessions().UseSignIn(ctx, secret.HashToken(id.State), id.ExpiresAt)
		if err != nil {
			return "", err
		}
		if !unused {
			return "", millrace.Errorf(millrace.KindUnauthorized, "this sign-in was used already; begin again")
		}
		v, err := admit(ctx, tx, id, by)
		if err != nil {
			return "", err
		}
		if v.DisabledAt != 0 {
			return "", errNotAdmitted("the user %s may not sign in here any more; ask an owner", v.Email)
		}
		if err := promote(ctx, tx, v, id.Role); err != nil {
			return "", err
		}
		return begin(ctx, tx, v, agent)
	})
}

// promote gives a user the role that the identity provider gives, but for the last owner, who stays.
func promote(ctx context.Context, tx *store.Tx, v *millrace.User, role millrace.Role) error {
	if role == "" || role == v.Role {
		return nil
	}
	if v.Role == millrace.RoleOwner {
		owners, err := tx.Users().Owners(ctx)
		if err != nil || owners == 1 {
			return err
		}
	}
	v.Role = role //commit:allow the row was read in the same transaction
	return tx.Users().Update(self(ctx, v), v)
}

// admit returns the user that an identity belongs to, locked.
func admit(ctx context.Context, tx *store.Tx, id *Identity, by Admission) (*millrace.User, error) {
	v, err := tx.Users().ByIdentity(ctx, id.Issuer, id.Subject)
	if v != nil || err != nil {
		return v, err
	}
	address, err := mail.ParseAddress(id.Email)
	switch {
	case err != nil || address.Address != id.Email || len(id.Email) > maxText:
		return nil, errNotAdmitted("the identity provider did not say your address; ask whoever runs it")
	case !id.Verified:
		return nil, errNotAdmitted("the identity provider does not vouch for the address %s; ask whoever runs it to verify it", id.Email)
	}
	if v, err = tx.Users().ByEmail(ctx, id.Email); err != nil {
		return nil, err
	}
	if v == nil {
		return create(ctx, tx, id, by)
	}
	if v.Issuer == id.Issuer && v.Subject == id.Subject { // another browser has made it since it was looked for
		return v, nil
	}
	if v.Subject != "" {
		return nil, errNotAdmitted("the user %s belongs to another account of the identity provider; ask an owner", id.Email)
	}
	if v.DisabledAt != 0 {
		return v, nil
	}
	v.Issuer, v.Subject = id.Issuer, id.Subject //commit:allow the row was read in the same transaction
	return v, tx.Users().Update(self(ctx, v), v)
}

// create makes a user of who may have an account of their own accord.
func create(ctx context.Context, tx *store.Tx, id *Identity, by Admission) (*millrace.User, error) {
	domain := strings.ToLower(id.Email[strings.LastIndexByte(id.Email, '@')+1:])
	if !slices.Contains(by.Domains, domain) {
		return nil, errNotAdmitted("ask an owner to invite %s, who is no user here yet", id.Email)
	}
	v := &millrace.User{
		ID: millrace.NewID[millrace.UserID](), Email: id.Email, Name: cut(strings.TrimSpace(id.Name)), Role: cmp.Or(id.Role, by.Role, millrace.RoleViewer),
		Issuer: id.Issuer, Subject: id.Subject,
	}
	if err := tx.Users().Create(self(ctx, v), v); err != nil {
		return nil, err
	}
	return tx.Users().Get(ctx, v.ID, true)
}

// self is a context in which a user makes the changes.
func self(ctx context.Context, v *millrace.User) context.Context {
	return store.By(ctx, store.Actor{Kind: store.ActorUser, ID: string(v.ID), Name: v.Email, Via: "sign-in"})
}
