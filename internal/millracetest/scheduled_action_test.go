package millracetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// The clock of the server is some seconds before the next minute.
func TestAnActionOfAnAccountRunsAtItsInstants(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		p := newKeyProvider(t)
		now := time.Now()
		ahead := 45*time.Second - now.Sub(now.Truncate(time.Minute))
		s := Start(t, address, func(o *server.Options) { o.Clock = func() time.Time { return time.Now().Add(ahead) } })
		w := &connectWorld{Server: s, t: t}
		var integration, install, account struct{ ID string }
		config := `{"base_url": "` + p.URL + `", "credentials": {"api_key": {"format": "api_key", "config": {"fields": [{"name": "api_key", "type": "password"}]}}}}`
		w.send("POST", "/integration", `{"name": "keys", "category": "crm", "config": `+config+`}`, &integration)
		w.send("POST", "/environment-integration", `{"integration_id": "`+integration.ID+`", "is_enabled": true}`, &install)
		// It begins when the account is active, and an action that the config gets later with the next look.
		w.send("PATCH", "/environment-integration/"+install.ID, `{"override": {"actions": {"alive": {"cron_expression": "* * * * *", "steps": [{"type": "request", "config": {"path": "/alive"}}]}}}}`, nil)
		w.send("POST", "/integrated-account", `{"tenant_id": "acme", "environment_integration_id": "`+install.ID+`", "authentication_method": "api_key", "context": {"api_key": "key-right"}}`, &account)
		Wait(t, 3*time.Minute, func() (bool, any) {
			all := w.accounts()
			return strings.Contains(fmt.Sprint(all[0]["last_action_run_result"]), "last_run:map[") && p.requests.Load() > 0, all[0]
		})
		if text := fmt.Sprint(w.accounts()[0]["last_action_run_result"]); !strings.Contains(text, "status:completed") {
			t.Errorf("got %s", text)
		}
	})
}
