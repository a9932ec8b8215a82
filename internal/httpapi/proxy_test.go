package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// dying is a provider in whose midst the process dies.
type dying struct{ calls int }

func (d *dying) Call(context.Context, *provider.Call) (*provider.Response, error) {
	d.calls++
	panic("the process dies")
}

func TestInterruptedCallIsNotRepeated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		third := &dying{}
		w := newWorld(t, db, func(c *httpapi.Config) {
			c.Proxy, c.Clock = third, func() time.Time { return time.Now().Add(time.Hour) }
		})
		const path = "/proxy/contacts?integrated_account_id=33333333-3333-4333-8333-333333333333"
		w.send("POST", path, `{}`, "Idempotency-Key", "k").is(500)
		got := w.send("POST", path, `{}`, "Idempotency-Key", "k")
		got.is(409)
		if !strings.Contains(string(got.raw), "interrupted") || third.calls != 1 {
			t.Errorf("got %s after %d calls, want a rejection after one", got.raw, third.calls)
		}
		w.send("POST", path, `{}`, "Idempotency-Key", strings.Repeat("k", 256)).rejected(400, "Idempotency-Key")
	})
}

func TestProxyRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Open(t, storetest.SQLite(t)), func(c *httpapi.Config) { c.Proxy = &dying{} })
	const account = "integrated_account_id=33333333-3333-4333-8333-333333333333"
	for query, want := range map[string]string{
		"":                                       "integrated_account_id",
		account + "&limit=x":                     "limit",
		account + "&a[=1":                        "a[",
		account + "&a=%zz":                       "a",
		account + "&remote_query=1":              "remote_query",
		account + "&truto_response_format=raww":  "truto_response_format",
		account + "&truto_body_passthrough=what": "truto_body_passthrough",
		account + strings.Repeat("&a=1", 600):    "",
	} {
		w.get("/proxy/contacts?"+query).rejected(400, want)
	}
	w.get("/proxy/contacts?integrated_account_id=7").is(404)
	w.send("PUT", "/proxy/contacts?"+account, `{}`).is(405)
	w.post("/proxy/contacts?"+account, `{"a":1,"a":2}`).is(400)
	w.send("POST", "/proxy/contacts?"+account, "x", "Content-Type", "multipart/form-data").is(400)
}

func (*dying) Log(context.Context, millrace.CallLog) {}
