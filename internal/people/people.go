package people

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// How long what lets people in works.
const (
	SessionLife = 30 * 24 * time.Hour
	LinkLife    = 24 * time.Hour
	seenEvery   = time.Hour
)

// Wrong passwords of one address in a row, and for how long no other is tried then.
const (
	maxFailures = 10
	lockTime    = 15 * time.Minute
)

const (
	minPassword = 12
	maxPassword = 256
	maxText     = 200
)

// People is the door of the dashboard. It may be used by any number of goroutines.
type People struct {
	db *store.DB

	once  sync.Once
	decoy string // hash of a password that no user has

	hashing chan struct{} // a hash takes 64 MiB
}

// New returns the door over a database.
func New(db *store.DB) *People { return &People{db: db, hashing: make(chan struct{}, 2)} }

// errSignIn does not tell an unknown address from a wrong password.
func errSignIn() error {
	return millrace.Errorf(millrace.KindUnauthorized, "the address or the password is wrong")
}

// FirstLink returns the token of a link that signs the first owner in, or nothing once a user has signed in.
func (p *People) FirstLink(ctx context.Context) (string, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) (string, error) {
		all, err := tx.Users().All(ctx)
		if err != nil {
			return "", err
		}
		for i := range all {
			if all[i].SignedInAt != 0 {
				return "", nil
			}
		}
		return ownerLink(ctx, tx, all)
	})
}

// ownerLink returns the token of a link for the first of some users who is an owner, who is made if there is none.
func ownerLink(ctx context.Context, tx *store.Tx, all []millrace.User) (string, error) {
	for i := range all {
		if all[i].Role == millrace.RoleOwner && all[i].DisabledAt == 0 {
			return newLink(ctx, tx, all[i].ID)
		}
	}
	owner := &millrace.User{Email: "owner", Name: "Owner", Role: millrace.RoleOwner, SeesPayloads: true}
	if err := tx.Users().Create(ctx, owner); err != nil {
		return "", err
	}
	return newLink(ctx, tx, owner.ID)
}

// LinkFor returns the token of a link that signs in the user with an address, of which the empty one is the first owner's. It returns an
// error of KindNotFound when there is none.
func LinkFor(ctx context.Context, tx *store.Tx, email string) (string, error) {
	if email != "" {
		v, err := tx.Users().ByEmail(ctx, email)
		switch {
		case err != nil:
			return "", err
		case v == nil:
			return "", millrace.NotFound("user", email)
		case v.DisabledAt != 0:
			return "", millrace.Errorf(millrace.KindConflict, "the user %s is disabled", email)
		}
		return newLink(ctx, tx, v.ID)
	}
	all, err := tx.Users().All(ctx)
	if err != nil {
		return "", err
	}
	return ownerLink(ctx, tx, all)
}

func newLink(ctx context.Context, tx *store.Tx, id millrace.UserID) (string, error) {
	token := secret.NewToken()
	link := &millrace.SignInLink{ID: secret.HashToken(token), UserID: id, ExpiresAt: tx.Now().Add(LinkLife)}
	return token, tx.Users().Sessions().AddLink(ctx, link)
}

// LinkWorks reports whether a link can still be used, without using it.
func (p *People) LinkWorks(ctx context.Context, token string) (bool, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) (bool, error) {
		_, err := linked(ctx, tx, token)
		if millrace.KindOf(err) == millrace.KindUnauthorized && err != nil {
			return false, nil //nolint:nilerr // it does not work
		}
		return err == nil, err
	})
}

// linked returns the link with a token, locked.
func linked(ctx context.Context, tx *store.Tx, token string) (*millrace.SignInLink, error) {
	link, err := tx.Users().Sessions().Link(ctx, secret.HashToken(token))
	if err != nil {
		return nil, err
	}
	if link == nil || link.UsedAt != 0 || link.ExpiresAt <= tx.Now() {
		return nil, millrace.Errorf(millrace.KindUnauthorized, "this link was used or is over; make another with: millrace sign-in-link")
	}
	return link, nil
}

// SignInByLink uses a link and returns what the browser is to keep. It returns an error of KindUnauthorized when the link does not work.
func (p *People) SignInByLink(ctx context.Context, token, agent string) (string, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) (string, error) {
		link, err := linked(ctx, tx, token)
		if err != nil {
			return "", err
		}
		link.UsedAt = tx.Now() //commit:allow the row was read in the same transaction
		if err := tx.Users().Sessions().Use(ctx, link); err != nil {
			return "", err
		}
		v, err := tx.Users().Get(ctx, link.UserID, true)
		if err != nil {
			return "", err
		}
		return begin(ctx, tx, v, agent)
	})
}

// begin makes a session for a user that is locked.
func begin(ctx context.Context, tx *store.Tx, v *millrace.User, agent string) (string, error) {
	if v.DisabledAt != 0 {
		return "", millrace.Errorf(millrace.KindUnauthorized, "this user is disabled")
	}
	v.SignedInAt, v.Failures, v.LockedUntil = tx.Now(), 0, 0 //commit:allow the row was read in the same transaction
	if err := tx.Users().Update(ctx, v); err != nil {
		return "", err
	}
	token := secret.NewToken()
	s := &millrace.UserSession{ID: secret.HashToken(token), UserID: v.ID, Agent: cut(agent), ExpiresAt: tx.Now().Add(SessionLife)}
	return token, tx.Users().Sessions().Begin(ctx, s)
}

// SignIn checks a password and returns what the browser is to keep. It returns an error of KindUnauthorized that does not say what of
// both is wrong, and of KindRateLimited when too many passwords of the address were wrong.
func (p *People) SignIn(ctx context.Context, email, password, agent string) (string, error) {
	user, err := store.Compute(ctx, p.db, func(tx *store.Tx) (*millrace.User, error) { return tx.Users().ByEmail(ctx, email) })
	if err != nil {
		return "", err
	}
	hash := ""
	if user != nil {
		hash = user.PasswordHash
	}
	right, err := p.compare(ctx, password, hash)
	if err != nil {
		return "", err
	}
	if user == nil {
		return "", errSignIn()
	}
	type outcome struct {
		token string
		err   error // what the user gets, beside what is stored
	}
	out, err := store.Compute(ctx, p.db, func(tx *store.Tx) (outcome, error) {
		v, err := tx.Users().Get(ctx, user.ID, true)
		if err != nil {
			return outcome{}, err
		}
		if v.LockedUntil > tx.Now() {
			return outcome{err: millrace.Errorf(millrace.KindRateLimited, "too many wrong passwords; the next one is tried after %s", v.LockedUntil.Std().Format("15:04 MST"))}, nil
		}
		if right && v.PasswordHash == hash && v.DisabledAt == 0 {
			token, err := begin(ctx, tx, v, agent)
			return outcome{token: token}, err
		}
		v.Failures++ //commit:allow the row was read in the same transaction
		if v.Failures >= maxFailures {
			v.Failures, v.LockedUntil = 0, tx.Now().Add(lockTime) //commit:allow the row was read in the same transaction
		}
		return outcome{err: errSignIn()}, tx.Users().Update(ctx, v)
	})
	if err != nil {
		return "", err
	}
	return out.token, out.err
}

// compare checks a password. Without a hash it takes as long and is false.
func (p *People) compare(ctx context.Context, password, hash string) (bool, error) {
	select {
	case p.hashing <- struct{}{}:
		defer func() { <-p.hashing }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	var err error
	p.once.Do(func() { p.decoy, err = argon2id.CreateHash(secret.NewToken(), argon2id.DefaultParams) })
	if err != nil {
		return false, fmt.Errorf("hash password: %w", err)
	}
	if len(password) > maxPassword {
		password = ""
	}
	against := hash
	if hash == "" {
		against = p.decoy
	}
	same, err := argon2id.ComparePasswordAndHash(password, against)
	return same && hash != "", err
}

// Who is a user in a session.
type Who struct {
	millrace.User
	Session string // the id of the session
}

// Find returns who a browser's session belongs to, or an error of KindUnauthorized.
func (p *People) Find(ctx context.Context, token string) (*Who, error) {
	out := errUnknown()
	var who Who
	stale := false
	err := p.db.View(ctx, func(tx *store.Tx) error {
		s, err := tx.Users().Sessions().Get(ctx, secret.HashToken(token))
		if err != nil || s == nil || s.ExpiresAt <= tx.Now() {
			return err
		}
		v, err := tx.Users().Get(ctx, s.UserID, false)
		if err != nil {
			return err
		}
		if v.DisabledAt == 0 {
			who, out = Who{*v, s.ID}, nil
			stale = tx.Now().Std().Sub(s.SeenAt.Std()) > seenEvery
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out == nil && stale {
		out = p.db.Update(ctx, func(tx *store.Tx) error { return tx.Users().Sessions().See(ctx, who.Session) })
	}
	if out != nil {
		return nil, out
	}
	return &who, nil
}

func errUnknown() error { return millrace.Errorf(millrace.KindUnauthorized, "no session; sign in") }

// SignOut ends one session.
func (p *People) SignOut(ctx context.Context, who *Who) error {
	return p.db.Update(ctx, func(tx *store.Tx) error { return tx.Users().Sessions().End(ctx, who.Session) })
}

// SetPassword changes the password of who is signed in, and ends the other sessions. It returns an error of KindInvalid for one that is
// too short.
func (p *People) SetPassword(ctx context.Context, who *Who, old, password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return millrace.Invalid("password", "must have at least %d characters", minPassword)
	case len(password) > maxPassword:
		return millrace.Invalid("password", "must have at most %d bytes", maxPassword)
	}
	if who.PasswordHash != "" {
		right, err := p.compare(ctx, old, who.PasswordHash)
		if err != nil {
			return err
		}
		if !right {
			return millrace.Invalid("old_password", "is wrong")
		}
	}
	hash, err := argon2id.CreateHash(password, argon2id.DefaultParams)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	return p.db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Users().Get(ctx, who.ID, true)
		if err != nil {
			return err
		}
		if v.PasswordHash != who.PasswordHash {
			return millrace.Errorf(millrace.KindConflict, "the password was changed meanwhile")
		}
		v.PasswordHash = hash //commit:allow the row was read in the same transaction
		if err := tx.Users().Update(ctx, v); err != nil {
			return err
		}
		return tx.Users().EndSessions(ctx, who.ID, who.Session)
	})
}

// Change says what is to be changed of a user.
type Change struct {
	Role         millrace.Role
	SeesPayloads bool
	Disabled     bool
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

// Change changes a user; one that is disabled is signed out. It returns errors of KindNotFound, KindForbidden, and KindConflict when no
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
		switch {
		case c.Disabled && v.DisabledAt == 0:
			v.DisabledAt = tx.Now() //commit:allow the row was read in the same transaction
			if err := tx.Users().EndSessions(ctx, id, ""); err != nil {
				return err
			}
		case !c.Disabled:
			v.DisabledAt = 0 //commit:allow the row was read in the same transaction
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

// Sessions returns the sessions of who is signed in.
func (p *People) Sessions(ctx context.Context, who *Who) ([]millrace.UserSession, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) ([]millrace.UserSession, error) { return tx.Users().Sessions().Of(ctx, who.ID) })
}

// EndOthers signs who is signed in out everywhere else.
func (p *People) EndOthers(ctx context.Context, who *Who) error {
	return p.db.Update(ctx, func(tx *store.Tx) error { return tx.Users().EndSessions(ctx, who.ID, who.Session) })
}

func cut(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.ToValidUTF8(text, "")
}
