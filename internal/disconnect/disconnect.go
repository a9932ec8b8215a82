// Package disconnect is how an account goes. Where workflows listen to integrated_account:deleting, the account is deleting until
// their runs have ended: it begins no other runs, and its credentials work. Then its row is deleted, with integrated_account:deleted, and
// what is stored about it is removed. At last its tokens are given back to the provider, where the config of the integration says how.
//
// Each step is one transaction that leaves the task of the next. The tokens are kept, sealed, until they were given back or that has
// failed a few times; who deletes an account does not wait for the provider.
package disconnect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/egress"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/oauth"
	"github.com/millrace/millrace/internal/schedule"
	"github.com/millrace/millrace/internal/store"
)

// waitTime is how long workflows may take.
const waitTime = time.Hour

// Begin deletes an account: at once, or after the workflows that listen to that. For an account that is deleting already nothing happens.
func Begin(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	v, err := tx.Accounts().Get(ctx, env, id)
	if err != nil || v.Status == millrace.AccountDeleting {
		return err
	}
	listens, err := tx.Workflows().Exist(ctx, env, millrace.EventAccountDeleting)
	if err != nil {
		return err
	}
	if !listens {
		return Now(ctx, tx, env, id)
	}
	if _, err := account.SecretsOf(ctx, tx, v); err != nil { // locks the installation, which comes before its accounts
		return err
	}
	if v, err = tx.Accounts().Lock(ctx, env, id); err != nil || v.Status == millrace.AccountDeleting {
		return err
	}
	v.Status, v.Connection = millrace.AccountDeleting, "" //commit:allow it was read in this transaction
	if err := tx.Accounts().Update(ctx, v); err != nil {
		return err
	}
	if err := schedule.Drop(ctx, tx, env, "integrated_account_id", string(id)); err != nil {
		return err
	}
	e, err := account.NewEvent(ctx, tx, millrace.EventAccountDeleting, v)
	if err != nil {
		return err
	}
	if err := event.Emit(ctx, tx, e); err != nil {
		return err
	}
	return tx.Accounts().Disconnections().Create(ctx, &millrace.Disconnection{
		EnvironmentID: env, IntegratedAccountID: id, EventID: e.ID, WaitUntil: tx.Now().Add(waitTime),
	})
}

// Now deletes an account with its schedules, which could only fail from now on, has what is stored about it removed, and its tokens given
// back.
func Now(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID) error {
	raw, err := drop(ctx, tx, env, id)
	if err != nil || raw == nil {
		return err
	}
	return tx.Accounts().Disconnections().Create(ctx, &millrace.Disconnection{EnvironmentID: env, IntegratedAccountID: id, Revocation: raw})
}

// drop deletes an account. It returns what its tokens are given back with, nil: nothing is to be done.
func drop(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.IntegratedAccountID) (json.RawMessage, error) {
	v, err := tx.Accounts().Lock(ctx, env, id)
	if err != nil {
		return nil, err
	}
	raw, err := revocationOf(ctx, tx, v)
	if err != nil {
		return nil, err
	}
	if err := tx.Accounts().Delete(ctx, env, id); err != nil {
		return nil, err
	}
	if err := schedule.Drop(ctx, tx, env, "integrated_account_id", string(id)); err != nil {
		return nil, err
	}
	if err := tx.Erasures().Start(ctx, &millrace.Erasure{EnvironmentID: env, IntegratedAccountID: id}); err != nil {
		return nil, err
	}
	e, err := event.New(tx, env, millrace.EventAccountDeleted, millrace.DeletedPayload{ID: string(id)})
	if err != nil {
		return nil, err
	}
	return raw, event.Emit(ctx, tx, e)
}

// revocation is what tokens are given back with when nothing else is left of their account.
type revocation struct {
	Method  string          `json:"method"`         // of authentication
	Config  json.RawMessage `json:"config"`         // of the integration, what of it is about credentials
	Context json.RawMessage `json:"context"`        // of the account, with its secrets
	Gate    *egress.Gate    `json:"gate,omitempty"` // nil: requests go straight
}

// revocationOf returns what the tokens of an account are given back with; nil: it has none, or the provider does not take them.
func revocationOf(ctx context.Context, tx *store.Tx, v *millrace.IntegratedAccount) (json.RawMessage, error) {
	if !account.HasTokens(v.AuthenticationMethod) {
		return nil, nil
	}
	install, err := tx.Installs().Get(ctx, v.EnvironmentID, v.EnvironmentIntegrationID)
	if err != nil {
		return nil, unlessGone(err)
	}
	integration, err := tx.Integrations().Get(ctx, v.EnvironmentID, install.IntegrationID)
	if err != nil {
		return nil, unlessGone(err)
	}
	merged := config.Merge(integration.Config, install.Override, v.Override())
	var kept struct {
		Credentials     json.RawMessage `json:"credentials,omitempty"`
		Variables       json.RawMessage `json:"environment_variables,omitempty"`
		SecretVariables json.RawMessage `json:"secret_environment_variables,omitempty"`
	}
	if err := json.Unmarshal(merged, &kept); err != nil {
		return nil, fmt.Errorf("decode the config of an integration: %w", err)
	}
	r := revocation{Method: v.AuthenticationMethod}
	if r.Config, err = json.Marshal(kept); err != nil {
		return nil, fmt.Errorf("encode the config of an integration: %w", err)
	}
	compiled, err := config.Load(r.Config)
	if err != nil {
		return nil, nil //nolint:nilerr // a config that is broken must not keep an account
	}
	full, err := v.FullContext()
	if err != nil {
		return nil, err
	}
	if credential, ok := compiled.Credentials[r.Method]; !ok || !oauth.CanRevoke(&credential) || tokenOf(full) == "" {
		return nil, nil
	}
	if r.Context, err = json.Marshal(full); err != nil {
		return nil, fmt.Errorf("encode the context of an account: %w", err)
	}
	if r.Gate, err = account.GateOf(ctx, tx, v.EnvironmentID, v.StaticGateID); err != nil {
		return nil, unlessGone(err) // nothing is sent past a gate
	}
	return json.Marshal(r)
}

func unlessGone(err error) error {
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil
	}
	return err
}

// tokenOf returns the token that is given back: the refresh token, which takes the access tokens with it, or else the access token.
func tokenOf(full map[string]any) string {
	_, access, refresh := millrace.OAuthToken(full)
	if refresh != "" {
		return refresh
	}
	return access
}

// Config is what a [Disconnector] needs. All of it is required.
type Config struct {
	DB     *store.DB
	Client *oauth.Client
	Clock  func() time.Time
	Logger *slog.Logger
}

// Disconnector goes on with the deletion of accounts.
type Disconnector struct{ Config }

// New returns a disconnector.
func New(cfg Config) *Disconnector { return &Disconnector{cfg} }

// Handle is the handler of the task.
func (d *Disconnector) Handle(ctx context.Context, task millrace.Task) error {
	env, id := millrace.ParseTaskKey[millrace.DisconnectionID](task.Key)
	s, err := store.Compute(ctx, d.DB, func(tx *store.Tx) (step, error) { return next(ctx, tx, env, id) })
	switch {
	case err != nil:
		return err
	case s.row == nil:
		return nil // it is done, and so is the task
	case s.wait > 0:
		return millrace.RetryAfter(s.wait, nil)
	}
	again, result := d.revoke(ctx, s.row)
	if ctx.Err() != nil {
		return context.Cause(ctx) // the attempt counts
	}
	if again && int(s.row.Attempt) <= len(retries()) {
		return millrace.RetryAfter(max(s.row.RetryAt.Std().Sub(d.Clock()), time.Second), nil)
	}
	about := []slog.Attr{
		slog.String("environment_id", string(env)), slog.String("integrated_account_id", string(s.row.IntegratedAccountID)),
		slog.Int64("attempt", s.row.Attempt), slog.String("result", result),
	}
	if result == "" {
		d.Logger.LogAttrs(ctx, slog.LevelInfo, "the tokens of a deleted account were given back", about...)
	} else {
		d.Logger.LogAttrs(ctx, slog.LevelWarn, "the tokens of a deleted account could not be given back", about...)
	}
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.Accounts().Disconnections().Lock(ctx, env, id)
		if err != nil {
			return err
		}
		return end(ctx, tx, row)
	})
}

// end ends a disconnection, if it is there, and its task.
func end(ctx context.Context, tx *store.Tx, row *millrace.Disconnection) error {
	if row != nil {
		if err := tx.Accounts().Disconnections().Remove(ctx, row); err != nil {
			return err
		}
	}
	return tx.Finish(ctx)
}

// step is what is next: to wait, or a request whose attempt is counted. Without a row there is nothing.
type step struct {
	row  *millrace.Disconnection
	wait time.Duration
}

// next takes a disconnection as far as it comes without a request.
func next(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, id millrace.DisconnectionID) (step, error) {
	row, err := tx.Accounts().Disconnections().Lock(ctx, env, id)
	if err != nil {
		return step{}, err
	}
	if row != nil && row.EventID != "" {
		if wait, err := leave(ctx, tx, row); err != nil || wait > 0 {
			return step{row, wait}, err
		}
	}
	now := tx.Now()
	switch {
	case row == nil, len(row.Revocation) == 0, int(row.Attempt) > len(retries()):
		return step{}, end(ctx, tx, row)
	case row.RetryAt > now:
		return step{row, row.RetryAt.Std().Sub(now.Std())}, nil
	}
	// It is counted before the request: a process that dies with each of them ends, too.
	row.Attempt++                                                                        //commit:allow it was read in this transaction
	row.RetryAt = now.Add(append(retries(), 0)[min(int(row.Attempt)-1, len(retries()))]) //commit:allow the same
	return step{row: row}, tx.Accounts().Disconnections().Save(ctx, row)
}

// leave deletes the account when the workflows on its deletion have ended or have had their time. It returns how long to wait otherwise.
func leave(ctx context.Context, tx *store.Tx, row *millrace.Disconnection) (time.Duration, error) {
	working, err := tx.WorkflowRuns().Work(ctx, row.EnvironmentID, row.EventID)
	if err != nil {
		return 0, err
	}
	if wait := event.Patience(tx.Now(), row.WaitUntil.Add(-waitTime), waitTime); working && wait > 0 {
		return wait, nil
	}
	row.EventID = "" //commit:allow it was read in this transaction
	v, err := tx.Accounts().Get(ctx, row.EnvironmentID, row.IntegratedAccountID)
	switch {
	case millrace.KindOf(err) == millrace.KindNotFound && err != nil: // with its installation, or with its tenant
	case err != nil:
		return 0, err
	case v.Status == millrace.AccountDeleting: // another one may have its id by now
		raw, err := drop(ctx, tx, row.EnvironmentID, row.IntegratedAccountID)
		if err != nil {
			return 0, err
		}
		row.Revocation = raw //commit:allow the same
	}
	return 0, tx.Accounts().Disconnections().Save(ctx, row)
}

// retries are the pauses after attempts to give tokens back.
func retries() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
}

// revoke makes one attempt to give tokens back. It returns why they are not, and whether another attempt may help.
func (d *Disconnector) revoke(ctx context.Context, row *millrace.Disconnection) (bool, string) {
	request, gate, err := d.request(row)
	if err != nil {
		return false, "the request cannot be made" // the error may quote the context
	}
	response, err := d.Client.Send(egress.Through(ctx, gate), request)
	switch {
	case err != nil:
		return true, err.Error()
	case response.Status >= 200 && response.Status < 300:
		return false, ""
	}
	return response.Status == 408 || response.Status == 429 || response.Status >= 500, response.String()
}

func (d *Disconnector) request(row *millrace.Disconnection) (*oauth.Request, *egress.Gate, error) {
	var r revocation
	if err := json.Unmarshal(row.Revocation, &r); err != nil {
		return nil, nil, err
	}
	full := map[string]any{}
	if err := json.Unmarshal(r.Context, &full); err != nil {
		return nil, nil, err
	}
	compiled, err := config.Load(r.Config)
	if err != nil {
		return nil, nil, err
	}
	variables, err := compiled.VariablesOf(full)
	if err != nil {
		return nil, nil, err
	}
	credential := compiled.Credentials[r.Method]
	request, err := oauth.NewRequest(&credential, oauth.Grant{Kind: oauth.KindRevoke, Context: full, Variables: variables, RefreshToken: tokenOf(full), Now: d.Clock()})
	return request, r.Gate, err
}
