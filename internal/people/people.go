package people

import (
	"context"
	"strings"
	"sync"
	"time"

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
	if err := tx.Users().Sessions().AddLink(ctx, link); err != nil {
		return "", err
	}
	return token, record(ctx, tx, id, "sign-in link created")
}

// record stores what was done about a user beside what their row shows.
func record(ctx context.Context, tx *store.Tx, id millrace.UserID, action string) error {
	return store.AuditOf(tx).Record(ctx, &store.AuditEntry{Resource: "user", ResourceID: string(id), Action: action})
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
	if err := record(self(ctx, v), tx, v.ID, "signed in"); err != nil {
		return "", err
	}
	token := secret.NewToken()
	s := &millrace.UserSession{ID: secret.HashToken(token), UserID: v.ID, Agent: cut(agent), ExpiresAt: tx.Now().Add(SessionLife)}
	return token, tx.Users().Sessions().Begin(ctx, s)
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

// Sessions returns the sessions of who is signed in.
func (p *People) Sessions(ctx context.Context, who *Who) ([]millrace.UserSession, error) {
	return store.Compute(ctx, p.db, func(tx *store.Tx) ([]millrace.UserSession, error) { return tx.Users().Sessions().Of(ctx, who.ID) })
}

// EndOthers signs who is signed in out everywhere else.
func (p *People) EndOthers(ctx context.Context, who *Who) error {
	return p.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Users().EndSessions(ctx, who.ID, who.Session); err != nil {
			return err
		}
		return record(ctx, tx, who.ID, "other sessions ended")
	})
}

// EndTour notes that who is signed in has had enough of the tour of what happened first.
func (p *People) EndTour(ctx context.Context, who *Who) error {
	return p.db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.Users().Get(ctx, who.ID, true)
		if err != nil {
			return err
		}
		v.TouredAt = tx.Now() //commit:allow the row was read in the same transaction
		return tx.Users().Update(ctx, v)
	})
}

func cut(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.ToValidUTF8(text, "")
}
