package people

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// Change says what is to be changed of a user.
type Change struct {
	Role         millrace.Role
	SeesPayloads bool
	Disabled     bool
	Unlinked     bool // the next sign-in at the identity provider finds the user by the address again
}

// may returns an error of KindForbidden when who is signed in may not make or change a user of a role.
func may(who *Who, role millrace.Role) error {
	if !who.Role.AtLeast(millrace.RoleAdmin) || role == millrace.RoleOwner && who.Role != millrace.RoleOwner {
		return millrace.Errorf(millrace.KindForbidden, "the role %s may not do that", who.Role)
	}
	return nil
}

// Invite adds a user and returns the token of a link with which they sign in. It returns errors of KindInvalid, KindConflict and
// KindForbidden.
func (p *People) Invite(ctx context.Context, who *Who, v *millrace.User) (string, error) {
	v.Email, v.Name = strings.TrimSpace(v.Email), strings.TrimSpace(v.Name)
	var failures []millrace.Failure
	if a, err := mail.ParseAddress(v.Email); err != nil || a.Address != v.Email || len(v.Email) > maxText {
		failures = append(failures, millrace.Failure{Path: "email", Message: "must be an address such as ann@example.com"})
	}
	if utf8.RuneCountInString(v.Name) > maxText {
		failures = append(failures, millrace.Failure{Path: "name", Message: fmt.Sprintf("must have at most %d characters", maxText)})
	}
	if !v.Role.AtLeast(millrace.RoleViewer) {
		failures = append(failures, millrace.Failure{Path: "role", Message: "must be owner, admin, member or viewer"})
	}
	if err := millrace.InvalidAll(failures); err != nil {
		return "", err
	}
	if err := may(who, v.Role); err != nil {
		return "", err
	}
	return store.Compute(ctx, p.db, func(tx *store.Tx) (string, error) {
		row := *v
		if err := tx.Users().Create(ctx, &row); err != nil {
			return "", err
		}
		return newLink(ctx, tx, row.ID)
	})
}

// Change changes a user; one that is disabled or unlinked is signed out. It returns errors of KindNotFound, KindForbidden, and KindConflict when no
// owner would be left.
func (p *People) Change(ctx context.Context, who *Who, id millrace.UserID, c Change) error {
	if !c.Role.AtLeast(millrace.RoleViewer) {
		return millrace.Invalid("role", "must be owner, admin, member or viewer")
	}
	return p.db.Update(ctx, func(tx *store.Tx) error {
		owners, err := tx.Users().Owners(ctx)
		if err != nil {
			return err
		}
		v, err := tx.Users().Get(ctx, id, true)
		if err != nil {
			return err
		}
		for _, role := range []millrace.Role{v.Role, c.Role} {
			if err := may(who, role); err != nil {
				return err
			}
		}
		if v.Role == millrace.RoleOwner && v.DisabledAt == 0 && owners == 1 && (c.Role != millrace.RoleOwner || c.Disabled) {
			return millrace.Errorf(millrace.KindConflict, "there must be an owner")
		}
		v.Role, v.SeesPayloads = c.Role, c.SeesPayloads //commit:allow the row was read in the same transaction
		if c.Disabled && v.DisabledAt == 0 || c.Unlinked && v.Subject != "" {
			if err := tx.Users().EndSessions(ctx, id, ""); err != nil {
				return err
			}
		}
		switch {
		case c.Disabled && v.DisabledAt == 0:
			v.DisabledAt = tx.Now() //commit:allow the row was read in the same transaction
		case !c.Disabled:
			v.DisabledAt = 0 //commit:allow the row was read in the same transaction
		}
		if c.Unlinked {
			v.Issuer, v.Subject = "", "" //commit:allow the row was read in the same transaction
		}
		return tx.Users().Update(ctx, v)
	})
}

// NewLinkFor returns the token of another link for a user, whose sessions go on. It returns errors of KindNotFound and KindForbidden.
func (p *People) NewLinkFor(ctx context.Context, who *Who, id millrace.UserID) (string, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) (string, error) {
		v, err := tx.Users().Get(ctx, id, true)
		if err != nil {
			return "", err
		}
		if err := may(who, v.Role); err != nil {
			return "", err
		}
		return newLink(ctx, tx, id)
	})
}

// All returns all users by address.
func (p *People) All(ctx context.Context) ([]millrace.User, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) ([]millrace.User, error) { return tx.Users().All(ctx) })
}
