package millracetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store"
)

// scenario is one file of testdata: what is configured, what happens, what must be seen. testdata/README.md describes
// the files in it.
type scenario struct {
	files   []file
	db      *store.DB
	server  *Server
	clients map[string]*Client // by the name of the environment; "" is the first one
	hooks   *Collector
	api     *Provider
	install map[string]string // environment integrations by the name of the integration
	apiURL  string
}

// step is one thing that happens. Exactly one member says which.
type step struct {
	Connect   json.RawMessage `json:"connect"`   // POST /integrated-account, with "integration" instead of the installation's id
	Reconnect string          `json:"reconnect"` // PATCH /integrated-account/{id}/credentials
	Event     json.RawMessage `json:"event"`     // POST /event
	Run       json.RawMessage `json:"run"`       // POST /sync-job-run
	Request   *request        `json:"request"`   // anything else
	Hook      *inboundHook    `json:"hook"`      // a third party tells something, without an API token
	Script    *script         `json:"script"`    // changes how a webhook answers
	Until     *list           `json:"until"`     // waits
	Settle    bool            `json:"settle"`    // waits until nothing is left to do

	Environment string `json:"environment"` // where; empty: the first one
}

type request struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
	Status int             `json:"status"` // of the answer; 0: any success
	Answer any             `json:"answer"` // what the answer must have
}

type inboundHook struct {
	Method  string            `json:"method"` // POST when empty
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Status  int               `json:"status"`
	Answer  string            `json:"answer"` // what the answer must contain
}

type script struct {
	Webhook string    `json:"webhook"`
	Answers []*Answer `json:"answers"`
}

// list is what a list of the API must hold.
type list struct {
	Get         string `json:"get"`
	Environment string `json:"environment"`
	Want        []any  `json:"want"` // each element matches one of the list, in any order, and there are no others
}

// expectation is expect.json.
type expectation struct {
	Lists      []list           `json:"lists"`
	Decisions  []any            `json:"decisions"`  // about all events of the first environment, in any order
	Deliveries map[string][]any `json:"deliveries"` // by webhook, or webhook and the beginning of the events' names, in order
	Never      []any            `json:"never"`      // deliveries that must not have happened
	Pages      []string         `json:"pages"`      // what the third party was asked for, in order; absent: not checked
}

type hook struct {
	Name    string    `json:"name"`
	Answers []*Answer `json:"answers"`
}

// settleWithin is how long a scenario may take to come to rest.
const settleWithin = 60 * time.Second

// RunScenario runs the scenario of a file on a server with an empty database.
func RunScenario(t *testing.T, path, url string) {
	t.Helper()
	files, err := readArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{files: files, clients: map[string]*Client{}, hooks: NewCollector(), api: &Provider{}, install: map[string]string{}}
	s.apiURL = Listen(t, s.api)
	hooksURL := Listen(t, s.hooks)
	for i := range s.files {
		s.files[i].data = bytes.ReplaceAll(s.files[i].data, []byte("$WEBHOOKS"), []byte(hooksURL))
		s.files[i].data = bytes.ReplaceAll(s.files[i].data, []byte("$PROVIDER"), []byte(s.apiURL))
	}
	s.server = Start(t, url, func(o *server.Options) {
		o.FetchRetries = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}
		o.ParkRetries = []time.Duration{300 * time.Millisecond}
	})
	s.db = OpenStore(t, url)
	s.clients[""] = s.server.Client
	s.configure(t)
	var steps []step
	s.read(t, "events.json", &steps)
	for i := range steps {
		s.do(t, i, &steps[i])
	}
	Settle(t, s.db, settleWithin)
	var want expectation
	s.read(t, "expect.json", &want)
	s.check(t, &want)
}

// read decodes a file of the archive strictly: a typing error in a scenario must not make it check less.
func (s *scenario) read(t *testing.T, name string, into any) {
	t.Helper()
	for _, f := range s.files {
		if f.name != name {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(f.data))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// configure creates what a team would create once: everything but events.json and expect.json, in the order of the
// archive.
func (s *scenario) configure(t *testing.T) {
	t.Helper()
	s.read(t, "provider.json", s.api)
	for _, f := range s.files {
		kind, _, _ := strings.Cut(strings.TrimSuffix(f.name, filepath.Ext(f.name)), ".")
		contentType := map[string]string{".json": "application/json", ".yaml": "application/yaml"}[filepath.Ext(f.name)]
		switch kind {
		case "integration":
			s.addIntegration(t, contentType, f.data)
		case "webhook":
			s.addWebhook(t, f.data)
		case "sync-job":
			s.must(t, s.server.Send(t.Context(), http.MethodPost, "/sync-job", contentType, f.data, nil))
		case "workflow":
			s.must(t, s.server.Send(t.Context(), http.MethodPost, "/workflow", contentType, f.data, nil))
		case "provider", "events", "expect":
		default:
			t.Fatalf("the archive has a file %q, which means nothing", f.name)
		}
	}
}

func (s *scenario) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type named struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

func (s *scenario) addIntegration(t *testing.T, contentType string, body []byte) {
	t.Helper()
	var integration, install named
	s.must(t, s.server.Send(t.Context(), http.MethodPost, "/integration", contentType, body, &integration))
	s.must(t, s.server.Post(t.Context(), "/environment-integration", map[string]string{"integration_id": integration.ID}, &install))
	s.install[integration.Name] = install.ID
}

func (s *scenario) addWebhook(t *testing.T, body []byte) {
	t.Helper()
	var h hook
	s.must(t, json.Unmarshal(body, &h))
	var sent map[string]any
	s.must(t, json.Unmarshal(body, &sent))
	delete(sent, "name")
	delete(sent, "answers")
	var created named
	s.must(t, s.server.Post(t.Context(), "/webhook", sent, &created))
	s.hooks.SetSecret(h.Name, created.Secret)
	s.hooks.SetScript(h.Name, h.Answers)
}

func (s *scenario) client(t *testing.T, environment string) *Client {
	t.Helper()
	if s.clients[environment] == nil {
		s.clients[environment] = s.server.NewEnvironment(t, environment)
	}
	return s.clients[environment]
}

func (s *scenario) do(t *testing.T, i int, st *step) {
	t.Helper()
	c := s.client(t, st.Environment)
	switch {
	case st.Connect != nil:
		s.connect(t, c, st.Connect)
	case st.Reconnect != "":
		s.must(t, c.Send(t.Context(), http.MethodPatch, "/integrated-account/"+st.Reconnect+"/credentials", "application/json",
			[]byte(`{"context":{}}`), nil))
	case st.Event != nil:
		s.must(t, c.Post(t.Context(), "/event", st.Event, nil))
	case st.Run != nil:
		s.must(t, c.Post(t.Context(), "/sync-job-run", st.Run, nil))
	case st.Request != nil:
		s.request(t, c, st.Request)
	case st.Hook != nil:
		s.inbound(t, c, st.Hook)
	case st.Script != nil:
		s.hooks.SetScript(st.Script.Webhook, st.Script.Answers)
	case st.Until != nil:
		Wait(t, settleWithin, func() (bool, any) {
			got := s.list(t, st.Until)
			return matchAll(st.Until.Want, got) == "", got
		})
	case st.Settle:
		Settle(t, s.db, settleWithin)
	default:
		t.Fatalf("events.json: step %d says nothing", i)
	}
}

func (s *scenario) connect(t *testing.T, c *Client, raw json.RawMessage) {
	t.Helper()
	var account map[string]any
	s.must(t, json.Unmarshal(raw, &account))
	name, _ := account["integration"].(string)
	delete(account, "integration")
	if s.install[name] == "" {
		t.Fatalf("events.json: there is no integration %q", name)
	}
	account["environment_integration_id"] = s.install[name]
	if account["authentication_method"] == nil {
		account["authentication_method"] = "api_key"
	}
	if account["context"] == nil {
		account["context"] = map[string]string{"api_key": "key", "base_url": s.apiURL}
	}
	s.must(t, c.Post(t.Context(), "/integrated-account", account, nil))
}

func (s *scenario) request(t *testing.T, c *Client, r *request) {
	t.Helper()
	status, answer, err := c.Call(t.Context(), r.Method, r.Path, "application/json", r.Body)
	s.must(t, err)
	if ok := status < http.StatusBadRequest; r.Status == 0 && !ok || r.Status != 0 && r.Status != status {
		t.Fatalf("%s %s answered %d: %s", r.Method, r.Path, status, answer)
	}
	var got any
	s.must(t, json.Unmarshal(answer, &got))
	if at := match(r.Answer, got); r.Answer != nil && at != "" {
		t.Errorf("%s %s: %s", r.Method, r.Path, at)
	}
}

func (s *scenario) inbound(t *testing.T, c *Client, h *inboundHook) {
	t.Helper()
	header := http.Header{}
	for name, value := range h.Headers {
		header.Set(name, value)
	}
	method := cmp.Or(h.Method, http.MethodPost)
	status, answer, err := c.CallAs(t.Context(), method, h.Path, header, []byte(h.Body))
	s.must(t, err)
	if status != h.Status || !strings.Contains(string(answer), h.Answer) {
		t.Fatalf("%s %s answered %d: %s; want %d with %q", method, h.Path, status, answer, h.Status, h.Answer)
	}
}

func (s *scenario) list(t *testing.T, l *list) []any {
	t.Helper()
	rows, err := s.client(t, l.Environment).List(t.Context(), l.Get)
	s.must(t, err)
	out := make([]any, len(rows))
	for i, row := range rows {
		out[i] = row
	}
	return out
}

func (s *scenario) check(t *testing.T, want *expectation) {
	t.Helper()
	for i := range want.Lists {
		if at := matchAll(want.Lists[i].Want, s.list(t, &want.Lists[i])); at != "" {
			t.Errorf("%s: %s", want.Lists[i].Get, at)
		}
	}
	if at := matchAll(want.Decisions, s.decisions(t)); at != "" {
		t.Errorf("decisions: %s", at)
	}
	for key, deliveries := range want.Deliveries {
		name, prefix, _ := strings.Cut(key, " ")
		var got []any
		for _, r := range s.hooks.First(name) {
			if strings.HasPrefix(r.Event, prefix) {
				got = append(got, s.shown(t, r))
			}
		}
		if at := match(deliveries, got); at != "" {
			t.Errorf("deliveries to %s: %s", key, at)
		}
	}
	s.checkNever(t, want.Never)
	if got := s.api.Calls(); want.Pages != nil && strings.Join(got, "\n") != strings.Join(want.Pages, "\n") {
		t.Errorf("the third party was asked for %q, want %q", got, want.Pages)
	}
	for _, p := range s.hooks.Problems() {
		t.Error(p)
	}
}

func (s *scenario) checkNever(t *testing.T, never []any) {
	t.Helper()
	for _, name := range s.hooks.Names() {
		for _, r := range s.hooks.Received(name) {
			got := s.shown(t, r)
			for _, n := range never {
				if match(n, got) == "" {
					t.Errorf("happened although it must not: %v", got)
				}
			}
		}
	}
}

// shown is a delivery as expectations see it: webhook, event, payload, and of the records their count, the first and
// the last.
func (s *scenario) shown(t *testing.T, r Received) any {
	t.Helper()
	var payload map[string]any
	s.must(t, json.Unmarshal(r.Envelope.Payload, &payload))
	m := map[string]any{"webhook": r.Webhook, "event": r.Event, "payload": payload}
	if records, ok := payload["records"].([]any); ok {
		m["records"], m["count"] = records, float64(len(records))
		if len(records) > 0 {
			m["first"], m["last"] = records[0], records[len(records)-1]
		}
	}
	return m
}

func (s *scenario) decisions(t *testing.T) []any {
	t.Helper()
	events, err := s.server.List(t.Context(), "/event")
	s.must(t, err)
	var out []any
	for _, e := range events {
		var detail struct {
			Event     string           `json:"event"`
			Decisions []map[string]any `json:"decisions"`
		}
		s.must(t, s.server.Get(t.Context(), fmt.Sprintf("/event/%s", e["id"]), &detail))
		for _, d := range detail.Decisions {
			d["event"] = detail.Event
			out = append(out, d)
		}
	}
	return out
}

// Scenarios returns the files of testdata.
func Scenarios(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	if _, err := os.Stat("testdata/README.md"); err != nil {
		t.Fatal(err)
	}
	return files
}
