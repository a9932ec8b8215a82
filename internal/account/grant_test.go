package account_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestATokenIsDueBeforeItEnds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		life, age time.Duration // of the access token; life 0: it is not known
		want      bool
	}{
		"its end is not known":    {0, 1000 * time.Hour, false},
		"young":                   {time.Hour, time.Minute, false},
		"11 s before its end":     {time.Hour, time.Hour - 11*time.Second, false},
		"10 s before its end":     {time.Hour, time.Hour - 10*time.Second, true},
		"ended":                   {time.Hour, 2 * time.Hour, true},
		"short, a tenth is left":  {20 * time.Second, 18 * time.Second, true},
		"short, more is left":     {20 * time.Second, 17 * time.Second, false},
		"before the clock jumped": {time.Hour, -time.Hour, false},
	} {
		g := &millrace.Grant{GrantedAt: millrace.TimeOf(at)}
		if c.life > 0 {
			g.ExpiresAt = millrace.TimeOf(at.Add(c.life))
		}
		if got := account.IsDue(g, at.Add(c.age)); got != c.want {
			t.Errorf("%s: due is %t", name, got)
		}
	}
	if account.IsDue(nil, at) {
		t.Error("an account without a grant has no token that is due")
	}
}

func TestAnotherPairIsPlanned(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	plan := func(life time.Duration, used, refreshable bool, o *config.OAuth) time.Duration {
		g := &millrace.Grant{GrantedAt: millrace.TimeOf(at), Used: used}
		if life > 0 {
			g.ExpiresAt = millrace.TimeOf(at.Add(life))
		}
		if account.PlanRefresh(g, at, refreshable, o); g.RefreshAt == 0 {
			return -1
		}
		return g.RefreshAt.Std().Sub(at)
	}
	for name, c := range map[string]struct {
		life              time.Duration
		used, refreshable bool
		oauth             *config.OAuth
		from, to          time.Duration
	}{
		"without a refresh token":                {time.Hour, true, false, nil, -1, -1},
		"in use: ahead of its end":               {time.Hour, true, true, nil, 52*time.Minute + 30*time.Second, 55 * time.Minute},
		"in use and short: a fifth ahead":        {time.Minute, true, true, nil, 42 * time.Second, 48 * time.Second},
		"in use, with a margin":                  {time.Hour, true, true, &config.OAuth{Margin: 20 * time.Minute}, 30 * time.Minute, 40 * time.Minute},
		"in use, with a margin that is too long": {time.Hour, true, true, &config.OAuth{Margin: 2 * time.Hour}, 15 * time.Minute, 30 * time.Minute},
		"idle":                                   {time.Hour, false, true, nil, 24 * time.Hour, 24 * time.Hour},
		"idle, and soon dead":                    {time.Hour, false, true, &config.OAuth{IdleLimit: 10 * time.Hour}, 5 * time.Hour, 5 * time.Hour},
		"its end is not known":                   {0, true, true, nil, -1, -1},
		"not known, with a limit":                {0, true, true, &config.OAuth{IdleLimit: 10 * time.Hour}, 5 * time.Hour, 5 * time.Hour},
	} {
		for range 20 { // it is another moment each time
			if got := plan(c.life, c.used, c.refreshable, c.oauth); got < c.from || got > c.to {
				t.Errorf("%s: planned in %s, want %s to %s", name, got, c.from, c.to)
			}
		}
	}
}

// TestTokensBeginAGenerationOnce stores contexts with tokens, and loses them.
func TestTokensBeginAGenerationOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		db.SetQueue(storetest.NoQueue{})
		v, env := connected(t, db)
		grantOf := func() *millrace.Grant {
			var g *millrace.Grant
			err := db.View(t.Context(), func(tx *store.Tx) error {
				var err error
				g, err = tx.Accounts().Grants().Get(t.Context(), env, v.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		send := func(context string) *millrace.Grant {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				row, err := tx.Accounts().Get(t.Context(), env, v.ID)
				if err != nil {
					return err
				}
				if err := account.MergeContext(t.Context(), tx, row, json.RawMessage(context)); err != nil {
					return err
				}
				return account.Update(t.Context(), tx, row)
			})
			if err != nil {
				t.Fatal(err)
			}
			return grantOf()
		}
		first := send(`{"oauth":{"token":{"access_token":"a1","refresh_token":"r1","expires_in":3600}}}`)
		if first.Generation != 1 || first.ExpiresAt == 0 || first.RefreshAt == 0 || first.RefreshAt > first.ExpiresAt+millrace.Time(24*time.Hour/time.Microsecond) {
			t.Fatalf("the first pair begins %+v", first)
		}
		if same := send(`{"note":"the same pair","oauth":{"token":{"access_token":"a1"}}}`); same.Generation != 1 || same.GrantedAt != first.GrantedAt {
			t.Errorf("the same pair begins %+v", same)
		}
		second := send(`{"oauth":{"token":{"access_token":"a2","refresh_token":"r2","expires_at":"2001-01-01T00:00:00Z"}}}`)
		if second.Generation != 2 || !account.IsDue(second, time.Now()) {
			t.Errorf("another pair, which has ended, begins %+v", second)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			row, err := tx.Accounts().Get(t.Context(), env, v.ID)
			if err != nil {
				return err
			}
			return account.Lose(t.Context(), tx, row, "revoked by the customer")
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			row, err := tx.Accounts().Get(t.Context(), env, v.ID)
			if err == nil && (row.Status != millrace.AccountNeedsReauth || row.LastError != "revoked by the customer") {
				t.Errorf("the account is %s: %q", row.Status, row.LastError)
			}
			page, err := tx.Events().List(t.Context(), env, millrace.Query{})
			if err == nil && (len(page.Result) != 1 || page.Result[0].Name != millrace.EventAccountAuthError || strings.Contains(string(page.Result[0].Payload), `"r2"`)) {
				t.Errorf("got the events %+v", page.Result)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// connected stores an account of an integration whose accounts have tokens.
func connected(t *testing.T, db *store.DB) (*millrace.IntegratedAccount, millrace.EnvironmentID) {
	t.Helper()
	type made struct {
		account *millrace.IntegratedAccount
		env     millrace.EnvironmentID
	}
	out, err := store.Compute(t.Context(), db, func(tx *store.Tx) (made, error) {
		env := &millrace.Environment{Name: "tokens"}
		if err := tx.Environments().Create(t.Context(), env); err != nil {
			return made{}, err
		}
		integration := &millrace.Integration{EnvironmentID: env.ID, Name: "crm", Config: json.RawMessage(`{"base_url":"https://example.com","credentials":{"oauth2":{"format":"oauth2","config":{
"client":{"id":"c","secret":"s"},"auth":{"tokenHost":"https://example.com","tokenPath":"/token","authorizePath":"/authorize"}}}}}`)}
		if err := tx.Integrations().Create(t.Context(), integration); err != nil {
			return made{}, err
		}
		install := &millrace.EnvironmentIntegration{EnvironmentID: env.ID, IntegrationID: integration.ID, IsEnabled: true, Override: json.RawMessage("{}")}
		if err := tx.Installs().Create(t.Context(), install); err != nil {
			return made{}, err
		}
		v := &millrace.IntegratedAccount{
			EnvironmentID: env.ID, EnvironmentIntegrationID: install.ID, AuthenticationMethod: "oauth2", Status: millrace.AccountActive,
			Context: json.RawMessage("{}"), Features: json.RawMessage("{}"), UnifiedModelOverride: json.RawMessage("{}"), IntegrationOverride: json.RawMessage("{}"),
		}
		return made{v, env.ID}, tx.Accounts().Create(t.Context(), v)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.account, out.env
}
