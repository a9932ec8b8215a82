package form

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
	"github.com/millrace/millrace/internal/connect"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Config is what [Forms] need. All of it is required.
type Config struct {
	DB      *store.DB
	Proxy   provider.Proxy
	Configs func(*millrace.IntegratedAccount, *millrace.EnvironmentIntegration, *millrace.Integration) (*config.Config, error)
	Keys    *secret.Keyring
	Clock   func() time.Time
	Logger  *slog.Logger
}

// Forms show and take forms.
type Forms struct {
	Config
	small, large *cache.Cache[string, *listed]
	busy         *gate
}

// New returns forms.
func New(cfg Config) *Forms {
	return &Forms{
		cfg, cache.New[string, *listed](smallLists, listLife, cfg.Clock), cache.New[string, *listed](largeLists, listLife, cfg.Clock), newGate(),
	}
}

// Error is why there is no form: of the type rapid_form_error.
type Error struct {
	Message string // a key of the catalogues of texts
	Detail  string // what a provider said; empty: nothing
	Retry   bool   // trying again may help
	Visit   *Visit // nil: nothing is known of the account
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ErrToken rejects a token that is unknown, has expired, or whose account is gone. Which of these says nothing to strangers.
var ErrToken = &Error{Message: "form_token"}

// ErrBusy rejects one that asks for too much at once.
var ErrBusy = millrace.Errorf(millrace.KindRateLimited, "too many requests at once")

// Visit is a form that a customer may fill in.
type Visit struct {
	Environment *millrace.Environment
	AccountID   millrace.IntegratedAccountID
	Integration string // its name
	Label       string

	row    *millrace.IntegratedAccount
	steps  []config.ActionStep
	public *expr.Object   // the context without its secrets
	has    map[string]any // the whole one
	bind   string         // whom it is shown to: the hash of the token
	token  bool           // that is the token of an account, which may end
}

// Origins returns the origins of the pages that may show the form and are told the outcome.
func (v *Visit) Origins() []string { return connect.PlainOrigins(v.Environment.Connect.Origins) }

// maxToken bounds what is taken for a token, in bytes.
const maxToken = 1 << 10

// Open returns the form of the account that a token is for. The errors are of type [*Error], and ours.
func (f *Forms) Open(ctx context.Context, token string) (*Visit, error) {
	if token == "" || len(token) > maxToken {
		return nil, ErrToken
	}
	hash := secret.HashToken(token)
	var row *millrace.AccountToken
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		row, err = tx.Accounts().Tokens().ByHash(ctx, hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	if row == nil || row.ExpiresAt < millrace.TimeOf(f.Clock()) {
		return nil, ErrToken
	}
	v, err := f.visit(ctx, row.EnvironmentID, row.AccountID)
	if v != nil {
		v.bind, v.token = hash, true
	}
	return v, err
}

// OpenAfter returns the form of the account that a session has connected, for the browser that it belongs to.
func (f *Forms) OpenAfter(ctx context.Context, s *connect.Status) (*Visit, error) {
	if s.State != connect.StateConnected || !s.Current {
		return nil, ErrToken
	}
	v, err := f.visit(ctx, s.Link.Environment.ID, s.AccountID)
	if v != nil {
		v.bind = s.Owner
	}
	return v, err
}

// Follows reports whether a form follows on a connection. An integration whose form is broken has one, which says so.
func (f *Forms) Follows(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) bool {
	_, err := f.visit(ctx, env, id)
	known, ok := errors.AsType[*Error](err)
	return err == nil || ok && known.Message == "form_broken"
}

func (f *Forms) visit(ctx context.Context, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (*Visit, error) {
	v := &Visit{AccountID: id}
	var install *millrace.EnvironmentIntegration
	var integration *millrace.Integration
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		if v.Environment, err = tx.Environments().Get(ctx, env); err != nil {
			return err
		}
		if v.row, err = tx.Accounts().Get(ctx, env, id); err != nil {
			return err
		}
		if install, err = tx.Installs().Get(ctx, env, v.row.EnvironmentIntegrationID); err != nil {
			return err
		}
		integration, err = tx.Integrations().Get(ctx, env, install.IntegrationID)
		return err
	})
	switch {
	case err != nil && millrace.KindOf(err) == millrace.KindNotFound:
		return nil, ErrToken
	case err != nil:
		return nil, err
	}
	v.Integration, v.Label = integration.Name, integration.Name
	compiled, err := f.Configs(v.row, install, integration)
	if err != nil {
		return v, &Error{Message: "form_broken", Visit: v}
	}
	if compiled.Label != "" {
		v.Label = compiled.Label
	}
	if v.steps = compiled.Forms(); len(v.steps) == 0 {
		return v, &Error{Message: "form_missing", Visit: v}
	}
	for i := range v.steps {
		if err := v.steps[i].Form.Wrong; err != nil {
			f.Logger.WarnContext(ctx, "the form of an integration is wrong", slog.String("environment_id", string(env)), slog.String("integration", v.Integration), slog.Any("err", err))
			return v, &Error{Message: "form_broken", Visit: v}
		}
	}
	if v.row.Status != millrace.AccountActive || !install.IsEnabled {
		return v, &Error{Message: "form_inactive", Visit: v}
	}
	return v, v.readContext()
}

func (v *Visit) readContext() error {
	public, err := expr.ParseJSON(v.row.ReadContext())
	if err != nil {
		return err
	}
	v.public = expr.OrEmpty(nil)
	if o, ok := public.(*expr.Object); ok {
		v.public = o
	}
	v.has, err = v.row.FullContext()
	return err
}

// ticket is what a page that was shown carries.
type ticket struct {
	Number  string            `json:"n"`
	Prevent map[string]string `json:"p,omitempty"` // fields whose stored choices stay, with why
	Fixed   map[string]string `json:"f,omitempty"` // fields that cannot be changed, with why
	Further json.RawMessage   `json:"c,omitempty"` // members of the context beside the answers
}

// Options are what the product that shows a form wants of it: JSON texts of the address.
type Options struct{ AdditionalContext, PreventDeselect, DisabledFields string }

// maxOption bounds each of the options, in bytes.
const maxOption = 8 << 10

// Ticket makes the ticket of a page. What is no JSON of its form is an error.
func (f *Forms) Ticket(v *Visit, o Options) (string, error) {
	t := ticket{Number: millrace.NewID[string]()}
	if v.token { // who has connected an account a moment ago gives no options
		if len(o.AdditionalContext) > maxOption || len(o.PreventDeselect) > maxOption || len(o.DisabledFields) > maxOption {
			return "", &Error{Message: "form_options", Visit: v}
		}
		further := map[string]json.RawMessage{}
		var err error
		if t.Prevent, err = reasons(o.PreventDeselect); err == nil {
			t.Fixed, err = reasons(o.DisabledFields)
		}
		if err == nil && o.AdditionalContext != "" {
			err = json.Unmarshal([]byte(o.AdditionalContext), &further)
		}
		if err != nil {
			return "", &Error{Message: "form_options", Visit: v}
		}
		if len(further) > 0 {
			t.Further, _ = json.Marshal(further)
		}
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return f.seal(raw, v.about("ticket"))
}

// reasons reads { "<field>": { "message": "..." } }.
func reasons(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	var sent map[string]struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(text), &sent); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, why := range sent {
		out[name] = why.Message
	}
	return out, nil
}

func (f *Forms) readTicket(v *Visit, sealed string) (*ticket, error) {
	t := &ticket{}
	raw, err := f.open(sealed, v.about("ticket"))
	if err == nil {
		err = json.Unmarshal(raw, t)
	}
	if err != nil {
		return nil, &Error{Message: "form_stale", Retry: true, Visit: v}
	}
	return t, nil
}
