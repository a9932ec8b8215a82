package connect

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// How long a link token, and a session of a browser, may be used.
const (
	LinkTime    = 7 * 24 * time.Hour
	sessionTime = 30 * time.Minute
)

// newUUID returns a random UUID of version 4, which nothing else is derived from.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// NewLink stores a link token and returns the token itself, which cannot be read later.
func NewLink(ctx context.Context, tx *store.Tx, v *millrace.LinkToken) (string, error) {
	token := newUUID()
	v.ID, v.ExpiresAt = secret.HashToken(token), tx.Now().Add(LinkTime) //commit:allow callers make it in the transaction
	v.Options.IsNew = v.IntegratedAccountID == ""                       //commit:allow the same
	return token, tx.Accounts().Links().Create(ctx, v)
}

// Error is what is wrong with a connection, for the page and for the product that opened it.
type Error struct {
	Type    string // invalid_token, invalid_integration, connection_error, post_install_error, validation_error
	Message string // a key of the catalogues of texts, or what a provider said
	Detail  string // what was said, for people; empty: nothing more
	Retry   bool   // trying again may help
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// The errors of tokens and integrations. They say nothing that a stranger may not know.
var (
	ErrToken       = &Error{Type: "invalid_token", Message: "link_invalid"}
	ErrUsed        = &Error{Type: "invalid_token", Message: "link_used"}
	ErrSession     = &Error{Type: "connection_error", Message: "session_invalid", Retry: true}
	ErrIntegration = &Error{Type: "invalid_integration", Message: "integration_invalid"}
)

// Link is a link token that may be used.
type Link struct {
	row         *millrace.LinkToken
	Environment *millrace.Environment
	account     *millrace.IntegratedAccount // nil: none yet
	gate        *egress.Gate                // through which requests go; nil: straight
}

// RedirectURI is where the product wants the browser in the end; empty: nowhere.
func (l *Link) RedirectURI() string { return l.row.Options.RedirectURI }

// Origins returns the origins of the pages that may show the connect page and are told the outcome.
func (l *Link) Origins() []string {
	out := slices.Clone(l.Environment.Connect.Origins)
	if u, err := url.Parse(l.row.Options.RedirectURI); err == nil && u.Host != "" {
		out = append(out, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return PlainOrigins(out)
}

// PlainOrigins returns the origins that a policy can name, sorted, each once.
func PlainOrigins(origins []string) []string {
	out := slices.DeleteFunc(slices.Clone(origins), func(origin string) bool { return !plainOrigin.MatchString(origin) })
	slices.Sort(out)
	return slices.Compact(out)
}

// plainOrigin is an origin without anything that a policy would read as a wildcard or as the end of a directive, which names of hosts
// may have in an address.
var plainOrigin = regexp.MustCompile(`^https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]+)?$`)

// Open finds a link token. The errors are [ErrToken] and [ErrUsed]. A token whose account became active is used up here.
func (f *Flow) Open(ctx context.Context, token string) (*Link, error) {
	if len(token) > maxText {
		return nil, ErrToken
	}
	return f.open(ctx, secret.HashToken(token))
}

func (f *Flow) open(ctx context.Context, hash string) (*Link, error) {
	return store.Compute(ctx, f.DB, func(tx *store.Tx) (*Link, error) {
		row, err := tx.Accounts().Links().Get(ctx, hash, true)
		switch {
		case err != nil:
			return nil, err
		case row == nil || row.ExpiresAt < tx.Now():
			return nil, ErrToken
		}
		l := &Link{row: row}
		if l.Environment, err = tx.Environments().Get(ctx, row.EnvironmentID); err != nil {
			return nil, hidden(err)
		}
		if l.gate, err = account.GateOf(ctx, tx, row.EnvironmentID, row.Options.StaticGateID); err != nil {
			return nil, hidden(err)
		}
		if row.IntegratedAccountID == "" {
			return l, nil
		}
		l.account, err = tx.Accounts().Get(ctx, row.EnvironmentID, row.IntegratedAccountID)
		switch {
		case millrace.KindOf(err) == millrace.KindNotFound && err != nil && row.Options.IsNew:
			row.IntegratedAccountID = "" //commit:allow it was read in this transaction
			return l, nil
		case err != nil:
			return nil, hidden(err)
		case row.UsedAt == 0 && row.Options.IsNew && l.account.Status == millrace.AccountActive:
			row.UsedAt = tx.Now() //commit:allow it was read in this transaction
			err = tx.Accounts().Links().Save(ctx, row)
		}
		if err == nil && l.gate == nil {
			l.gate, err = account.GateOf(ctx, tx, row.EnvironmentID, l.account.StaticGateID)
		}
		return l, err
	})
}

// Usable returns [ErrUsed] when the token is used up.
func (l *Link) Usable() error {
	if l.row.UsedAt != 0 {
		return ErrUsed
	}
	return nil
}

// hidden keeps from strangers whether something is there.
func hidden(err error) error {
	if millrace.KindOf(err) == millrace.KindNotFound {
		return ErrToken
	}
	return err
}

// maxText bounds what a page sends in one field, in bytes.
const maxText = 16 << 10

// decode decodes an object; nothing is an empty one.
func decode(raw json.RawMessage) (map[string]any, error) {
	out := map[string]any{}
	if len(raw) == 0 {
		return out, nil
	}
	err := json.Unmarshal(raw, &out)
	return out, err
}
