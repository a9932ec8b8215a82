package connect

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// Config is what a [Flow] needs. All of it is required.
type Config struct {
	DB        *store.DB
	Client    *oauth.Client
	Configs   func(*millrace.IntegratedAccount, *millrace.EnvironmentIntegration, *millrace.Integration) (*config.Config, error)
	Test      func(context.Context, provider.Candidate) (*provider.Rejection, error)
	Clock     func() time.Time
	Logger    *slog.Logger
	PublicURL func() string // of this server, as browsers know it, without a slash at the end
}

// Flow connects accounts.
type Flow struct{ Config }

// New returns a flow.
func New(cfg Config) *Flow { return &Flow{cfg} }

// Attempt is what a customer sends.
type Attempt struct {
	Integration string
	Method      string
	Fields      url.Values
	Browser     string // the cookie
	Page        string // a random text by which the page in a frame asks for the outcome; empty: it does not
	SkipForm    bool   // no form is to follow
}

// Step is what comes next: a redirect, or the session that is shown.
type Step struct {
	Session  string
	Redirect string // to the provider; empty: there is none
}

// Begin takes what a customer has typed. The account is stored, or the browser is sent to the provider. The error is an [*Error], or of
// KindInvalid with a failure for each field, or ours.
func (f *Flow) Begin(ctx context.Context, l *Link, a Attempt) (Step, error) {
	if err := l.Usable(); err != nil {
		return Step{}, err
	}
	choices, err := f.Choices(ctx, l, []string{a.Integration})
	if err != nil {
		return Step{}, err
	}
	if len(choices) != 1 {
		return Step{}, ErrIntegration
	}
	choice := &choices[0]
	i := slices.IndexFunc(choice.Methods, func(m Method) bool { return m.Format == a.Method })
	if i < 0 || a.Browser == "" {
		return Step{}, ErrIntegration
	}
	method := &choice.Methods[i]
	typed := map[string]any{}
	for _, field := range method.Fields {
		if text := a.Fields.Get(field.Name); text != "" && len(text) <= maxText {
			typed[field.Name] = strings.TrimSpace(text)
		}
	}
	given, err := decode(l.row.Context)
	if err != nil {
		return Step{}, err
	}
	maps.Copy(typed, given)
	credential := choice.config.Credentials[a.Method]
	if err := check(&credential, typed); err != nil {
		return Step{}, err
	}
	state := newUUID() + newUUID()
	session := &store.ConnectSession{
		ID: secret.HashToken(state), EnvironmentID: l.row.EnvironmentID, LinkTokenID: l.row.ID, Browser: secret.HashToken(a.Browser),
		EnvironmentIntegrationID: choice.install.ID, Integration: choice.Name, Method: a.Method, SkipForm: a.SkipForm,
	}
	browser := a.Browser
	if !method.Redirects {
		// No provider ever knows the state of such a session, and a frame may get no cookie: who has the state is the browser.
		browser = state
		session.Browser = secret.HashToken(state)
	}
	if a.Page != "" {
		session.Attempt = secret.HashToken(a.Page)
	}
	held := secrets{}
	if held.Typed, err = json.Marshal(typed); err != nil {
		return Step{}, err
	}
	step := Step{Session: state}
	if method.Redirects {
		if step.Redirect, err = f.redirect(ctx, l, choice, &credential, &held, state, typed); err != nil {
			f.Logger.WarnContext(ctx, "the address at which customers allow a connection cannot be made", slog.String("integration", choice.Name), slog.Any("err", err))
			return Step{}, &Error{Type: "connection_error", Message: "misconfigured", Detail: err.Error()}
		}
	}
	if session.Secrets, err = json.Marshal(held); err != nil {
		return Step{}, err
	}
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		row := *session
		row.ExpiresAt = tx.Now().Add(sessionTime)
		return tx.Accounts().Links().Begin(ctx, &row)
	})
	if err != nil || method.Redirects {
		return step, err
	}
	return step, f.finish(ctx, state, browser, func(*taken) error { return nil })
}

// redirect returns the address at which the customer allows the connection.
func (f *Flow) redirect(
	ctx context.Context, l *Link, choice *Choice, credential *config.Credential, held *secrets, state string, typed map[string]any,
) (string, error) {
	held.Verifier, held.RedirectURI = oauth.Verifier(), f.callbackURL(l.Environment, choice.Name)
	variables, err := choice.config.VariablesOf(typed)
	if err != nil {
		return "", err
	}
	if credential.Format == config.FormatOAuth1 { // which knows no state
		held.RedirectURI += "?state=" + state
		request, err := oauth.NewRequest(credential, oauth.Grant{
			Kind: oauth.KindTemporary, Context: typed, Variables: variables, RedirectURI: held.RedirectURI, Now: f.Clock(),
		})
		if err != nil {
			return "", err
		}
		response, err := f.Client.Send(egress.Through(ctx, l.gate), request)
		if err != nil {
			return "", err
		}
		result := oauth.Read(credential, response, f.Clock())
		if result.Outcome != oauth.Granted {
			return "", millrace.Errorf(millrace.KindUnavailable, "%s", result.Message)
		}
		held.Temporary = result.AccessToken
		held.TemporarySecret, _ = result.Token["oauth_token_secret"].(string)
		if secret, ok := result.Token["access_token_secret"].(string); ok {
			held.TemporarySecret = secret
		}
	}
	return oauth.AuthorizeURL(credential, oauth.Authorization{
		RedirectURI: held.RedirectURI, State: state, Verifier: held.Verifier, Temporary: held.Temporary, Scopes: l.row.Options.Scopes, Context: typed, Variables: variables,
	})
}

// check checks typed values against the fields, and replaces them by their stored form.
func check(credential *config.Credential, typed map[string]any) error {
	var failures []millrace.Failure
	for i := range credential.Fields {
		in := &credential.Fields[i]
		value, has := typed[in.Name]
		if !has && in.Default != nil {
			value = in.Default
		}
		if message := in.Check(value); message != "" {
			failures = append(failures, millrace.Failure{Path: in.Name, Message: message})
		} else if value != nil {
			typed[in.Name] = in.Stored(value)
		}
	}
	if len(credential.Fields) == 0 {
		for _, name := range usualFields(credential.Format) {
			if text, _ := typed[name].(string); text == "" {
				failures = append(failures, millrace.Failure{Path: name, Message: "is required"})
			}
		}
	}
	return millrace.InvalidAll(failures)
}

// callbackURL is where the provider sends the browser back to. A product may have an address of its own for it, which leads here.
func (f *Flow) callbackURL(env *millrace.Environment, integration string) string {
	base := f.PublicURL()
	if env.Connect.CallbackURL != "" {
		base = strings.TrimSuffix(env.Connect.CallbackURL, "/")
	}
	return base + "/connect/" + url.PathEscape(integration) + "/callback"
}

// Callback takes the redirect of a provider: once for each session, in the browser that it was begun in, for the integration that it was
// begun for. It returns the session, which is shown whatever came of it.
func (f *Flow) Callback(ctx context.Context, integration string, query url.Values, browser string) (string, error) {
	state := query.Get("state")
	if state == "" || len(state) > maxText || browser == "" {
		return "", ErrSession
	}
	return state, f.finish(ctx, state, browser, func(t *taken) error {
		if t.row.Integration != integration {
			return ErrSession
		}
		code, extra, err := oauth.ReadRedirect(&t.credential, query)
		var denied *oauth.RedirectError
		switch {
		case errors.As(err, &denied):
			message := "denied"
			if denied.Code != "access_denied" {
				message = "provider_error"
			}
			return &Error{Type: "connection_error", Message: message, Detail: denied.Message, Retry: true}
		case err != nil:
			return err
		}
		maps.Copy(t.typed, extra)
		t.redirect = extra
		return f.exchange(ctx, t, oauth.KindCode, code)
	})
}

// secrets are what a session keeps for the callback, sealed.
type secrets struct {
	Typed       json.RawMessage `json:"typed,omitempty"` // by the customer
	Verifier    string          `json:"verifier,omitempty"`
	RedirectURI string          `json:"redirect_uri,omitempty"`

	Temporary       string `json:"temporary,omitempty"` // of OAuth 1.0a
	TemporarySecret string `json:"temporary_secret,omitempty"`

	Redirect json.RawMessage `json:"redirect,omitempty"` // what came on it and is kept
	Received millrace.Time   `json:"received,omitempty"` // when the token endpoint responded; 0: it has not
}

// taken is a session whose work is being done.
type taken struct {
	row        *store.ConnectSession
	link       *Link
	choice     *Choice
	credential config.Credential
	secrets    secrets
	typed      map[string]any
	redirect   map[string]any // what came on the redirect and is kept
	result     *oauth.Result  // nil: there are no tokens
}

// finish takes a session, does its work and stores the account, or why there is none. The error is [ErrSession] for a session that is
// not there, was taken already, or belongs to another browser.
func (f *Flow) finish(ctx context.Context, state, browser string, work func(*taken) error) error {
	t, err := f.take(ctx, state, browser)
	if err != nil {
		return err
	}
	return f.complete(ctx, t, work)
}

// complete does the work of a session that was taken. The browser may leave; what was begun is done.
func (f *Flow) complete(ctx context.Context, t *taken, work func(*taken) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := f.prepare(ctx, t)
	if err == nil {
		err = work(t)
	}
	if kind, ok := oauth.FirstKind(&t.credential); err == nil && t.result == nil && ok && kind != oauth.KindCode {
		err = f.exchange(ctx, t, kind, "")
	}
	if err == nil {
		err = f.test(ctx, t)
	}
	if err == nil {
		err = f.save(ctx, t)
	}
	if err == nil {
		return nil
	}
	return f.fail(ctx, t, err)
}

// take marks a session as taken. Before that commit nothing has happened; after it no other request does its work.
func (f *Flow) take(ctx context.Context, state, browser string) (*taken, error) {
	return store.Compute(ctx, f.DB, func(tx *store.Tx) (*taken, error) {
		row, err := tx.Accounts().Links().Session(ctx, secret.HashToken(state))
		if err != nil {
			return nil, err
		}
		if row == nil || row.TakenAt != 0 || row.ExpiresAt < tx.Now() || row.Browser != secret.HashToken(browser) {
			return nil, ErrSession
		}
		row.TakenAt = tx.Now()
		return &taken{row: row}, tx.Accounts().Links().SaveSession(ctx, row)
	})
}

// abandonedAfter is the time after which no server works on a session that was taken: its work gets a minute.
const abandonedAfter = 2 * time.Minute

// abandoned reports whether the server that took a session must have died before it was done.
func abandoned(row *store.ConnectSession, now millrace.Time) bool {
	return row.TakenAt != 0 && row.TakenAt.Add(abandonedAfter) < now && row.Failure == "" && row.IntegratedAccountID == ""
}

// resume goes on with a session whose server died after the token endpoint had responded: the code is used up, but the response is stored.
// Of several that try, one does it. The error is ours; why there is no account is stored.
func (f *Flow) resume(ctx context.Context, id string) error {
	t, err := store.Compute(ctx, f.DB, func(tx *store.Tx) (*taken, error) {
		row, err := tx.Accounts().Links().Session(ctx, id)
		if err != nil || row == nil || len(row.Response) == 0 || !abandoned(row, tx.Now()) {
			return nil, err
		}
		row.TakenAt = tx.Now()
		return &taken{row: row}, tx.Accounts().Links().SaveSession(ctx, row)
	})
	if err != nil || t == nil {
		return err
	}
	err = f.complete(ctx, t, func(t *taken) error {
		var response oauth.Response
		if err := json.Unmarshal(t.row.Response, &response); err != nil {
			return err
		}
		return t.read(response)
	})
	if _, known := errors.AsType[*Error](err); known {
		return nil
	}
	return err
}

// prepare loads everything that a session is about.
func (f *Flow) prepare(ctx context.Context, t *taken) error {
	var err error
	if t.link, err = f.open(ctx, t.row.LinkTokenID); err != nil {
		return err
	}
	if err := t.link.Usable(); err != nil {
		return err
	}
	choices, err := f.Choices(ctx, t.link, []string{t.row.Integration})
	if err != nil {
		return err
	}
	if len(choices) != 1 || choices[0].install.ID != t.row.EnvironmentIntegrationID {
		return ErrIntegration
	}
	t.choice = &choices[0]
	var ok bool
	if t.credential, ok = t.choice.config.Credentials[t.row.Method]; !ok {
		return ErrIntegration
	}
	if err := json.Unmarshal(t.row.Secrets, &t.secrets); err != nil {
		return err
	}
	if t.typed, err = decode(t.secrets.Typed); err != nil || len(t.secrets.Redirect) == 0 {
		return err
	}
	if t.redirect, err = decode(t.secrets.Redirect); err != nil {
		return err
	}
	maps.Copy(t.typed, t.redirect)
	return nil
}

// exchange asks for the first tokens. The response is stored before it is read.
func (f *Flow) exchange(ctx context.Context, t *taken, kind oauth.Kind, code string) error {
	variables, err := t.choice.config.VariablesOf(t.typed)
	if err != nil {
		return err
	}
	request, err := oauth.NewRequest(&t.credential, oauth.Grant{
		Kind: kind, Context: t.typed, Variables: variables, Code: code, RedirectURI: t.secrets.RedirectURI, Verifier: t.secrets.Verifier,
		Scopes: t.link.row.Options.Scopes, Now: f.Clock(), Temporary: oauth.Temporary{Token: t.secrets.Temporary, Secret: t.secrets.TemporarySecret},
	})
	if err != nil {
		return &Error{Type: "connection_error", Message: "misconfigured", Detail: err.Error()}
	}
	response, err := f.Client.Send(egress.Through(ctx, t.link.gate), request)
	if err != nil {
		return &Error{Type: "connection_error", Message: "provider_silent", Detail: err.Error(), Retry: true}
	}
	if err := f.keep(ctx, t, response); err != nil {
		return err
	}
	return t.read(response)
}

// keep stores the response of the token endpoint, with what came on the redirect: the code that both came by is used up now.
func (f *Flow) keep(ctx context.Context, t *taken, response oauth.Response) error {
	raw, err := json.Marshal(response)
	if err != nil {
		return err
	}
	t.secrets.Received = millrace.TimeOf(f.Clock())
	if t.redirect != nil {
		if t.secrets.Redirect, err = json.Marshal(t.redirect); err != nil {
			return err
		}
	}
	held, err := json.Marshal(t.secrets)
	if err != nil {
		return err
	}
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.Accounts().Links().Session(ctx, t.row.ID)
		if err != nil || row == nil {
			return err
		}
		row.Response, row.Secrets = raw, held
		return tx.Accounts().Links().SaveSession(ctx, row)
	})
}

// read takes the tokens out of the response of the token endpoint.
func (t *taken) read(response oauth.Response) error {
	result := oauth.Read(&t.credential, response, t.secrets.Received.Std())
	if result.Outcome != oauth.Granted {
		return &Error{Type: "connection_error", Message: "provider_error", Detail: result.Message, Retry: true}
	}
	t.result = &result
	return nil
}

// fail stores why there is no account.
func (f *Flow) fail(ctx context.Context, t *taken, cause error) error {
	var known *Error
	if !errors.As(cause, &known) {
		var invalid *millrace.Error
		known = &Error{Type: "connection_error", Message: "internal", Retry: true}
		if errors.As(cause, &invalid) && invalid.Kind != millrace.KindInternal {
			known.Detail = invalid.Message
		}
		f.Logger.ErrorContext(ctx, "a connection failed", slog.String("environment_id", string(t.row.EnvironmentID)),
			slog.String("integration", t.row.Integration), slog.Any("err", cause))
	}
	err := f.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.Accounts().Links().Session(ctx, t.row.ID)
		if err != nil || row == nil || row.IntegratedAccountID != "" {
			return err
		}
		row.Failure, row.FailureType = known.Message+"\n"+known.Detail, known.Type
		row.Secrets, row.Response = nil, nil
		return tx.Accounts().Links().SaveSession(ctx, row)
	})
	if err != nil {
		return err
	}
	f.Logger.InfoContext(ctx, "an account was not connected", slog.String("environment_id", string(t.row.EnvironmentID)),
		slog.String("integration", t.row.Integration), slog.String("reason", known.Message), slog.String("detail", known.Detail))
	return known
}
