package inbound_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/wire"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const (
	env     = millrace.EnvironmentID("00000000-0000-4000-8000-000000000001")
	install = millrace.EnvironmentIntegrationID("00000000-0000-4000-8000-0000000000e1")
	first   = millrace.IntegratedAccountID("00000000-0000-4000-8000-0000000000a1")
	second  = millrace.IntegratedAccountID("00000000-0000-4000-8000-0000000000a2")
)

// directory is what the server knows of accounts, in memory. Its accounts match by the team in their context.
type directory struct {
	mu       sync.Mutex
	accounts map[millrace.IntegratedAccountID]*inbound.Endpoint
	installs map[millrace.EnvironmentIntegrationID]*inbound.Endpoint
	teams    map[millrace.IntegratedAccountID]string
	merged   []string
}

func (d *directory) Account(_ context.Context, _ millrace.EnvironmentID, id millrace.IntegratedAccountID) (*inbound.Endpoint, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.accounts[id]; e != nil {
		return e, nil
	}
	return nil, millrace.NotFound("integrated account", string(id))
}

func (d *directory) Install(_ context.Context, _ millrace.EnvironmentID, id millrace.EnvironmentIntegrationID) (*inbound.Endpoint, error) {
	if e := d.installs[id]; e != nil {
		return e, nil
	}
	return nil, millrace.NotFound("environment integration", string(id))
}

func (d *directory) Matching(ctx context.Context, _ *inbound.Endpoint, _, value string) ([]*inbound.Endpoint, error) {
	var out []*inbound.Endpoint
	for _, id := range []millrace.IntegratedAccountID{first, second} {
		if d.teams[id] != value {
			continue
		}
		e, err := d.Account(ctx, "", id)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (d *directory) MergeTx(_ context.Context, _ *store.Tx, _ millrace.EnvironmentID, id millrace.IntegratedAccountID, patch json.RawMessage) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.merged = append(d.merged, string(id)+" "+string(patch))
	return true, nil
}

func (d *directory) set(id millrace.IntegratedAccountID, change func(*inbound.Endpoint)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := &inbound.Endpoint{EnvironmentID: env, InstallID: install, AccountID: id, TenantID: "acme", IntegrationName: "issues"}
	change(e)
	d.accounts[id] = e
}

type world struct {
	t        *testing.T
	db       *store.DB
	dir      *directory
	receiver *inbound.Receiver
	now      time.Time
	budget   *expr.Budget
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Now(), dir: &directory{
		accounts: map[millrace.IntegratedAccountID]*inbound.Endpoint{}, teams: map[millrace.IntegratedAccountID]string{},
		installs: map[millrace.EnvironmentIntegrationID]*inbound.Endpoint{},
	}}
	w.restart()
	return w
}

// restart is a new process on the same database.
func (w *world) restart() {
	w.t.Helper()
	r, err := inbound.New(inbound.Config{
		DB: w.db, Directory: w.dir, Contexts: w.dir, DecodeBody: wire.DecodeBody, DecodeQuery: wire.DecodeQuery,
		Client: http.DefaultClient, Clock: func() time.Time { return w.now }, Committers: 2, Budget: w.budget,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Stop)
	w.receiver = r
}

func program(t *testing.T, src string) *expr.Program {
	t.Helper()
	p, err := expr.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signed(key, body string) map[string]string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(body))
	return map[string]string{"content-type": "application/json", "x-sig": hex.EncodeToString(h.Sum(nil))}
}

func digest(key string) *millrace.HookSignature {
	return &millrace.HookSignature{Format: "hmac", Secret: key, CompareWith: "$header.x-sig", Tolerance: 300}
}

func (w *world) send(req *millrace.InboundRequest) (*millrace.InboundResponse, error) {
	w.t.Helper()
	if req.Method == "" {
		req.Method = http.MethodPost
	}
	if req.AccountID == "" && req.InstallID == "" {
		req.AccountID = first
	}
	req.ContentType = req.Header["content-type"]
	return w.receiver.Receive(w.t.Context(), req)
}

// accept sends a body that is signed with a key and must be accepted; it returns the id of the hook that counts.
func (w *world) accept(key, body string) string {
	w.t.Helper()
	a, err := w.send(&millrace.InboundRequest{Header: signed(key, body), Body: []byte(body)})
	if err != nil {
		w.t.Fatalf("%s: %v", body, err)
	}
	var response struct{ ID string }
	if err := json.Unmarshal(a.Body, &response); err != nil || a.Status != http.StatusOK || response.ID == "" {
		w.t.Fatalf("got %d %s, %v", a.Status, a.Body, err)
	}
	return response.ID
}

// work does the tasks of all hooks whose evaluation is due.
func (w *world) work() {
	w.t.Helper()
	var due []millrace.Task
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		due, err = tx.Tasks().Open(w.t.Context())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, task := range due {
		if task.Kind != millrace.TaskInbound {
			continue
		}
		if err := w.receiver.Handle(w.t.Context(), task); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) hooks() []millrace.InboundHook {
	w.t.Helper()
	var page millrace.Page[millrace.InboundHook]
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		page, err = tx.Hooks().List(w.t.Context(), env, millrace.Query{Limit: 1000, Sort: []millrace.Sort{{Field: "created_at"}}})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Result
}

func (w *world) events() []millrace.Event {
	w.t.Helper()
	var page millrace.Page[millrace.Event]
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		var err error
		page, err = tx.Events().List(w.t.Context(), env, millrace.Query{Limit: 1000, Sort: []millrace.Sort{{Field: "created_at"}}})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Result
}

func count(hooks []millrace.InboundHook, status millrace.InboundStatus) int {
	n := 0
	for i := range hooks {
		if hooks[i].Status == status {
			n++
		}
	}
	return n
}

const created = `{"event_type":"created","resource_type":"issues","resource_id":7,"raw":{"title":"It leaks"}}`

// A process that dies after the response and before the evaluation loses nothing, and a task that runs again makes
// nothing twice.
func TestAcceptedHooksBecomeEventsOnceAfterACrash(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) { e.Signature = digest("k") })
		id := w.accept("k", created)
		w.restart()
		var tasks []millrace.Task
		for _, task := range storetest.Tasks(db) {
			if task.Kind == millrace.TaskInbound {
				tasks = append(tasks, task)
			}
		}
		if len(tasks) != 1 {
			t.Fatalf("got tasks %v, want one", tasks)
		}
		for range 2 {
			if err := w.receiver.Handle(t.Context(), tasks[0]); err != nil {
				t.Fatal(err)
			}
		}
		w.work()
		events, hooks := w.events(), w.hooks()
		if len(events) != 1 || events[0].Name != millrace.EventRecordCreated {
			t.Fatalf("got events %v, want one record:created", events)
		}
		if len(hooks) != 1 || hooks[0].Status != millrace.InboundProcessed || string(hooks[0].ID) != id || !strings.Contains(string(hooks[0].EventIDs), string(events[0].ID)) {
			t.Errorf("got hooks %+v, want one that was processed and names the event", hooks)
		}
		for _, want := range []string{`"integrated_account_id":"` + string(first) + `"`, `"tenant_id":"acme"`, `"resource":"issues"`, `"id":7`, `"raw":{"title":"It leaks"}`} {
			if !strings.Contains(string(events[0].Payload), want) {
				t.Errorf("the payload %s does not have %s", events[0].Payload, want)
			}
		}
	})
}

func TestRepetitionsThatArriveTogetherCountOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) { e.Signature = digest("k") })
		ids := make([]string, 16)
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() { ids[i] = w.accept("k", created) })
		}
		group.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("one delivery got the ids %s and %s", ids[0], id)
			}
		}
		w.work()
		if n := len(w.events()); n != 1 {
			t.Errorf("got %d events, want 1", n)
		}
		if hooks := w.hooks(); count(hooks, millrace.InboundProcessed) != 1 || count(hooks, millrace.InboundDuplicate) != len(ids)-1 {
			t.Errorf("got hooks %+v", hooks)
		}
		w.now = w.now.Add(301 * time.Second)
		// The window is over by the clock of the store, which is the machine's; only another content is sure to be new.
		w.accept("k", strings.Replace(created, "7", "8", 1))
		w.work()
		if n := len(w.events()); n != 2 {
			t.Errorf("got %d events after another delivery, want 2", n)
		}
	})
}

func TestWhatIsNotSignedRightLeavesABoundedTrace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) { e.Signature = digest("k") })
		w.dir.set(second, func(e *inbound.Endpoint) {
			e.SignatureErr = millrace.Invalid("config.webhook.signature_verification.config.secret", "{{hook_secret}} has no value")
		})
		for range 50 {
			_, err := w.send(&millrace.InboundRequest{Header: signed("x", created), Body: []byte(created)})
			if millrace.KindOf(err) != millrace.KindUnauthorized {
				t.Fatalf("got %v, want unauthorized", err)
			}
		}
		hooks := w.hooks()
		if n := count(hooks, millrace.InboundRejected); n != 20 || n != len(hooks) {
			t.Errorf("got %d traces among %d, want 20", n, len(hooks))
		}
		if len(hooks[0].Body) != 0 || !strings.Contains(string(hooks[0].Error), "does not match") {
			t.Errorf("got a trace with %d bytes of body and error %s", len(hooks[0].Body), hooks[0].Error)
		}
		_, err := w.send(&millrace.InboundRequest{AccountID: second, Header: signed("", created), Body: []byte(created)})
		if millrace.KindOf(err) != millrace.KindUnauthorized {
			t.Errorf("an account without a secret got %v, want unauthorized", err)
		}
		if strings.Contains(err.Error(), "hook_secret") {
			t.Errorf("the response %q reveals the config", err)
		}
		hooks = w.hooks()
		if last := string(hooks[len(hooks)-1].Error); !strings.Contains(last, "{{hook_secret}} has no value") {
			t.Errorf("the trace %s does not say what has no value", last)
		}
		w.work()
		if events := w.events(); len(events) != 0 {
			t.Errorf("got events %v", events)
		}
	})
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) {
			e.Signature = digest("k")
			e.Transform = program(t, `$error("a handshake is no payload")`)
			e.Handle = program(t, `body.challenge ? { "type": "verify", "verification_response": { "status_code": 201, "body": body.challenge, "headers": { "X-Echo": "1", "Set-Cookie": "a=b" } } }
				: query.token ? { "statusCode": 200, "body": { "got": query.token } }
				: headers.`+"`x-hook-secret`"+` ? { "type": "verify", "verification_response": { "headers": { "X-Hook-Secret": headers.`+"`x-hook-secret`"+` } }, "update_context": { "hook_secret": headers.`+"`x-hook-secret`"+` } }`)
		})
		a, err := w.send(&millrace.InboundRequest{Header: map[string]string{"content-type": "application/json"}, Body: []byte(`{"challenge":"abc"}`)})
		if err != nil || a.Status != http.StatusCreated || string(a.Body) != "abc" || a.Header["X-Echo"] != "1" || a.Header["Set-Cookie"] != "" {
			t.Errorf("got %+v, %v", a, err)
		}
		a, err = w.send(&millrace.InboundRequest{Method: http.MethodGet, Query: "token=t%201"})
		if err != nil || a.Status != http.StatusOK || string(a.Body) != `{"got":"t 1"}` {
			t.Errorf("got %+v, %v", a, err)
		}
		if _, err = w.send(&millrace.InboundRequest{Method: http.MethodGet}); millrace.KindOf(err) != millrace.KindReadOnly {
			t.Errorf("a GET that is no handshake got %v", err)
		}
		a, err = w.send(&millrace.InboundRequest{Header: map[string]string{"x-hook-secret": "theirs"}})
		if err != nil || a.Header["X-Hook-Secret"] != "theirs" {
			t.Errorf("got %+v, %v", a, err)
		}
		if len(w.dir.merged) != 0 {
			t.Errorf("an unsigned handshake replaced the secret of an account that has one: %v", w.dir.merged)
		}
		w.dir.mu.Lock()
		fresh := *w.dir.accounts[first]
		fresh.Signature, fresh.SignatureErr = nil, millrace.Invalid("secret", "has no value")
		w.dir.accounts[first] = &fresh
		w.dir.mu.Unlock()
		if _, err := w.send(&millrace.InboundRequest{Header: map[string]string{"x-hook-secret": "theirs"}}); err != nil {
			t.Error(err)
		}
		if want := string(first) + ` {"hook_secret":"theirs"}`; len(w.dir.merged) != 1 || w.dir.merged[0] != want {
			t.Errorf("got %v, want %s", w.dir.merged, want)
		}
		if hooks := w.hooks(); count(hooks, millrace.InboundAnswered) != len(hooks) || len(hooks) != 4 {
			t.Errorf("got hooks %+v, want four handshakes", hooks)
		}
	})
}

func TestHooksOfAnInstallationFindTheirAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		for id, key := range map[millrace.IntegratedAccountID]string{first: "k", second: "k"} {
			w.dir.set(id, func(e *inbound.Endpoint) { e.Signature, e.Transform = digest(key), program(t, "body.items") })
			w.dir.teams[id] = "T1"
		}
		w.dir.installs[install] = &inbound.Endpoint{
			EnvironmentID: env, InstallID: install, LookupField: "team", LookupValue: "{{body.team.id}}", Signature: digest("k"),
			Transform: program(t, "body.items"),
		}
		send := func(body string) error {
			_, err := w.send(&millrace.InboundRequest{InstallID: install, Header: signed("k", body), Body: []byte(body)})
			return err
		}
		for _, body := range []string{
			`{"team":{"id":"T1"},"items":[` + created + `,{"event":"record:deleted","resource":"issues","id":"9"}]}`,
			`{"team":{"id":"T2"},"items":[` + created + `]}`, `{"items":[]}`,
		} {
			if err := send(body); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
		w.work()
		if events := w.events(); len(events) != 4 {
			t.Errorf("got %d events, want 2 for each of 2 accounts", len(events))
		}
		hooks := w.hooks()
		if count(hooks, millrace.InboundProcessed) != 1 || count(hooks, millrace.InboundFailed) != 2 {
			t.Fatalf("got hooks %+v", hooks)
		}
		text := fmt.Sprint(string(hooks[1].Error), string(hooks[2].Error))
		if !strings.Contains(text, "no account of the installation") || !strings.Contains(text, "no value there") {
			t.Errorf("got errors %s", text)
		}
		if _, err := w.send(&millrace.InboundRequest{InstallID: install, Header: signed("x", "{}"), Body: []byte("{}")}); millrace.KindOf(err) != millrace.KindUnauthorized {
			t.Errorf("a request that proves nothing got %v", err)
		}
	})
}

// An expression that fails, or a payload that makes no event, says why; when the config is fixed, the same delivery
// may come again.
func TestHooksThatMakeNoEventSayWhyAndMayComeAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		set := func(transform string) {
			w.dir.set(first, func(e *inbound.Endpoint) { e.Signature, e.Transform = digest("k"), program(t, transform) })
		}
		for _, c := range []struct{ transform, status, says string }{
			{`$error("no")`, "failed", "config.webhook.payload_transform"},
			{`"text"`, "processed", "is not an object"},
			{`{ "id": 1 }`, "processed", "event_type"},
			{`{ "event_type": "creatd" }`, "processed", "record:created"},
			{`[]`, "processed", `"elements":0`},
			{`{ "event_type": "created", "resource_type": "issues" }`, "processed", `"elements":1`},
		} {
			set(c.transform)
			w.accept("k", `{"same":true}`)
			w.work()
			hooks := w.hooks()
			last := hooks[len(hooks)-1]
			if said := string(last.Error) + string(last.Evaluation); string(last.Status) != c.status || !strings.Contains(said, c.says) {
				t.Errorf("%s: got %s %s, want %s with %q", c.transform, last.Status, said, c.status, c.says)
			}
		}
		if events := w.events(); len(events) != 1 {
			t.Errorf("got %d events, want 1", len(events))
		}
	})
}

func TestMetaAndContext(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) {
			e.Handle = program(t, `{ "type": body.kind, "update_context": { "seen": body.n } }`)
		})
		for _, body := range []string{`{"kind":"meta","n":1}`, `{"kind":"paylod","n":2}`} {
			if _, err := w.send(&millrace.InboundRequest{Header: map[string]string{"content-type": "application/json"}, Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
			w.work()
		}
		events, hooks := w.events(), w.hooks()
		if len(events) != 1 || events[0].Name != millrace.EventRecordMeta || !strings.Contains(string(events[0].Payload), `"raw":{"kind":"meta","n":1}`) {
			t.Errorf("got events %v", events)
		}
		if len(w.dir.merged) != 1 || w.dir.merged[0] != string(first)+` {"seen":1}` {
			t.Errorf("got contexts %v", w.dir.merged)
		}
		if len(hooks) != 2 || hooks[1].Status != millrace.InboundFailed || !strings.Contains(string(hooks[1].Error), `"suggestion":"payload"`) {
			t.Errorf("got hooks %+v", hooks)
		}
	})
}

// What the check of the signature reads as a proof is seen by no expression and stored nowhere, in whatever way its name is written.
func TestProofsInTheQueryAreNotSeen(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.dir.set(first, func(e *inbound.Endpoint) {
			e.Credentials = []string{"$query.gate"}
			e.Transform = program(t, `{ "event_type": "updated", "resource_type": "things", "resource_id": "1", "raw": { "query": query, "all": $string($) } }`)
		})
		for _, query := range []string{"gate=Pr00fPr00f&x=1", "x=1&g%61te=Pr00fPr00f", "token=Pr00fPr00f&x=1&gate=Pr00fPr00f&gate=Pr00fPr00f"} {
			_, err := w.send(&millrace.InboundRequest{Query: query, Header: map[string]string{"content-type": "application/json"}, Body: []byte(`{"a":1}`)})
			if err != nil {
				t.Fatal(err)
			}
			w.work()
		}
		events, hooks := w.events(), w.hooks()
		if len(events) == 0 || len(hooks) == 0 || !strings.Contains(string(events[0].Payload), `"x":"1"`) {
			t.Fatalf("got events %v, hooks %+v", events, hooks)
		}
		for _, e := range events {
			if strings.Contains(string(e.Payload), "Pr00f") {
				t.Errorf("an event shows the proof: %s", e.Payload)
			}
		}
		for _, h := range hooks {
			if strings.Contains(h.Query, "gate") || strings.Contains(h.Query, "g%61te") {
				t.Errorf("a hook keeps the proof: %s", h.Query)
			}
		}
	})
}
