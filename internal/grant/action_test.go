package grant_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/millracetest/tokens"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// The action refresh_token takes the place of the standard request.
func TestAnActionRenews(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, "")
		access, refresh := w.provider.Grant()
		config := strings.ReplaceAll(`{"base_url":"$URL","credentials":{"oauth2":{"format":"oauth2","config":{"client":{"id":"unused","secret":"unused"},"auth":{"tokenHost":"$URL","tokenPath":"/nowhere","authorizePath":"/authorize"}}}},
"resources":{"things":{"list":{"method":"get","path":"/api"}}},
"actions":{"refresh_token":{"steps":[
{"type":"request","config":{"method":"post","path":"/token","body_format":"form","body":{"grant_type":"refresh_token","client_id":"`+tokens.ClientID+`","client_secret":"`+tokens.ClientSecret+`","refresh_token":"{{oauth.token.refresh_token}}"}}},
{"type":"transform","config":"{\"access_token\": previous.access_token, \"refresh_token\": previous.refresh_token, \"expires_in\": 60}"}]}}}`, "$URL", w.provider.URL)
		w.id = connectAccount(t, db, config, []byte(`{"access_token":"`+access+`","refresh_token":"`+refresh+`"}`))
		logger := slog.New(slog.NewTextHandler(w, nil))
		fetcher, err := fetch.New(fetch.FetcherConfig{Client: &http.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		k := w.node(2 * time.Second)
		k.Act = provider.NewFetcher(db, fetcher, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil).RefreshByAction
		_, g, _, _ := w.state()
		if err := k.Renew(t.Context(), env, w.id, g.Generation); err != nil {
			t.Fatal(err)
		}
		_, after, next, nextRefresh := w.state()
		if next == access || !w.provider.Alive(nextRefresh) || len(w.provider.Requests()) != 1 || after.Generation != g.Generation+1 {
			t.Errorf("got the generation %d after %d requests", after.Generation, len(w.provider.Requests()))
		}
		w.provider.Next(tokens.Denied)
		if err := k.Renew(t.Context(), env, w.id, after.Generation); err == nil {
			t.Error("a rejection of the provider was no error")
		}
		if _, refused, _, _ := w.state(); refused.RefusedAt == 0 || refused.Cause == "" {
			t.Errorf("the rejection is not stored: %q", refused.Cause)
		}
		w.noSecrets()
	})
}
