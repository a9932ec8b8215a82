package people

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// errSignIn does not tell an unknown address from a wrong password.
func errSignIn() error {
	return millrace.Errorf(millrace.KindUnauthorized, "the address or the password is wrong")
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
