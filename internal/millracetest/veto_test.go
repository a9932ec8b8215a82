package millracetest

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// Workflows decide whether an account that a customer has connected becomes active, and the page shows what they decide.
func TestWorkflowsDecideAboutAConnection(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		var ahead atomic.Int64
		w := startConnectWorld(t, address, func(o *server.Options) {
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		status := func(tenant string) (string, string) {
			for _, v := range w.accounts() {
				if v["tenant_id"] == tenant {
					text, _ := v["last_error"].(string)
					return v["status"].(string), text
				}
			}
			return "", ""
		}
		connect := func(tenant string) *browser {
			b := w.browser().get("/connect-account?auth_format=api_key&link_token=" + w.link(`{"tenant_id": "`+tenant+`"}`))
			return b.submit(url.Values{"api_key": {"key-of-" + tenant}})
		}
		listen := func(body string) (id string) {
			var made struct{ ID string }
			w.send("POST", "/workflow", `{"trigger_name": "integrated_account:validating", "config": {`+body+
				`, "steps": [{"type": "run", "action": "run_sync_job", "run_if": "tenant_id = 'bad' ? $error('we do not know bad') : false", "config": {"sync_job_id": "00000000-0000-4000-8000-000000000000"}}]}}`, &made)
			return made.ID
		}
		connect("before").shows(`data-kind="connected"`) // on the first page that there is: nothing is waited for

		quick, slow := listen(`"run_if": "tenant_id != 'slow'"`), listen(`"run_if": "tenant_id = 'slow' or tenant_id = 'gone'", "delay": "1h"`)
		connect("good").settled().shows(`data-kind="connected"`)
		connect("bad").settled().shows(`data-kind="failed"`, "the check of the connection failed", "we do not know bad", "validation_error")
		if got, text := status("bad"); got != "validation_error" || !strings.Contains(text, quick) {
			t.Errorf("the account is %s, %s", got, text)
		}

		b := connect("slow")
		connect("gone")
		Wait(t, time.Minute, func() (bool, any) {
			return strings.Contains(b.get(b.at.String()).last, "A last check is under way"), b.last
		})
		b.shows(`data-kind="working"`)
		Wait(t, time.Minute, func() (bool, any) {
			rows, err := w.List(t.Context(), "/event?event=integrated_account:validating")
			return err == nil && len(rows) == 4, rows
		})
		for _, v := range w.accounts() {
			if v["tenant_id"] == "gone" {
				w.send("DELETE", "/integrated-account/"+v["id"].(string), "", nil)
			}
		}
		if got, _ := status("slow"); got != "connecting" {
			t.Errorf("before its workflow has run the account is %s", got)
		}
		ahead.Store(int64(5*time.Minute + time.Second))
		b.settled().shows(`data-kind="failed"`, "have not ended within 5 minutes")
		if got, _ := status("gone"); got != "" {
			t.Errorf("an account that was deleted meanwhile is %s", got)
		}

		for _, id := range []string{quick, slow} {
			w.send("PATCH", "/workflow/"+id, `{"is_active": false}`, nil)
		}
		connect("after").shows(`data-kind="connected"`)
		names := map[any]int{}
		rows, err := w.List(t.Context(), "/event")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			names[row["event"]]++
		}
		// The events of the account that was deleted are erased sooner or later.
		if n := names["integrated_account:validating"]; n < 3 || n > 4 || names["integrated_account:active"] != 3 || names["integrated_account:validation_error"] != 2 {
			t.Errorf("got the events %v", names)
		}
	})
}
