package scenario

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

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/provider"
	"github.com/millrace/millrace/internal/store/storetest"
)

// scenario is one file of testdata at work: what is configured, what happens, what must be seen.
type scenario struct {
	server  *millracetest.Server
	clients map[string]*millracetest.Client // by the name of the environment; "" is the first one
	all     []millrace.EnvironmentID
	hooks   *millracetest.Collector
	api     *provider.API
	install map[string]string // environment integrations by the name of the integration; "" is the first one
	apiURL  string
}

type hook struct {
	Name      string                   `json:"name"`
	Responses []*millracetest.Response `json:"responses"`
}

// settleWithin is how long a scenario may take to come to rest.
const settleWithin = 60 * time.Second

// Run runs the scenario of a file on both databases: in an environment of its own, or on a server of its own if the scenario asks for it.
func Run(t *testing.T, path string) {
	t.Helper()
	a, err := readArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	if a.alone {
		storetest.EachURL(t, func(t *testing.T, url string) { run(t, path, millracetest.Start(t, url, millracetest.TriesAgainSoon)) })
		return
	}
	millracetest.Each(t, func(t *testing.T, s *millracetest.Server) { run(t, path, s) })
}

func run(t *testing.T, path string, server *millracetest.Server) {
	t.Helper()
	s := &scenario{
		server: server, all: []millrace.EnvironmentID{server.Environment}, clients: map[string]*millracetest.Client{"": server.Client},
		hooks: millracetest.NewCollector(), api: &provider.API{}, install: map[string]string{},
	}
	s.apiURL = millracetest.Listen(t, s.api)
	a, err := readArchive(path)
	s.must(t, err)
	s.must(t, a.resolve(replacement{"$WEBHOOKS", millracetest.Listen(t, s.hooks)}, replacement{"$PROVIDER", s.apiURL}))
	sc, err := parse(a.script)
	s.must(t, err)
	s.configure(t, a.files)
	for i := range sc.steps {
		s.do(t, &sc.steps[i])
	}
	s.settle(t)
	s.check(t, &sc.want)
}

// configure creates what a team would create once, in the order of the archive.
func (s *scenario) configure(t *testing.T, files []file) {
	t.Helper()
	for _, f := range files {
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
		case "provider":
			d := json.NewDecoder(bytes.NewReader(f.data))
			d.DisallowUnknownFields()
			s.must(t, d.Decode(s.api))
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
	s.must(t, s.server.Post(t.Context(), "/environment-integration", map[string]string{
		"id": fmt.Sprintf("1257a110-0000-4000-8000-%012d", len(s.install)+1), "integration_id": integration.ID,
	}, &install))
	if len(s.install) == 0 {
		s.install[""] = install.ID
	}
	s.install[integration.Name] = install.ID
}

func (s *scenario) addWebhook(t *testing.T, body []byte) {
	t.Helper()
	var h hook
	s.must(t, json.Unmarshal(body, &h))
	var sent map[string]any
	s.must(t, json.Unmarshal(body, &sent))
	delete(sent, "name")
	delete(sent, "responses")
	var created named
	s.must(t, s.server.Post(t.Context(), "/webhook", sent, &created))
	s.hooks.SetSecret(h.Name, created.Secret)
	s.hooks.SetScript(h.Name, h.Responses)
}

func (s *scenario) settle(t *testing.T) {
	t.Helper()
	millracetest.Settle(t, s.server.Store(t), settleWithin, s.all...)
}

func (s *scenario) client(t *testing.T, environment string) *millracetest.Client {
	t.Helper()
	if s.clients[environment] == nil {
		c := s.server.NewEnvironment(t, t.Name()+" "+environment)
		s.clients[environment], s.all = c, append(s.all, c.Environment)
	}
	return s.clients[environment]
}

func (s *scenario) do(t *testing.T, st *step) {
	t.Helper()
	c := s.client(t, st.environment)
	switch {
	case st.connect != nil:
		s.connect(t, c, st)
	case st.reconnect != "":
		s.must(t, c.Send(t.Context(), http.MethodPatch, "/integrated-account/"+st.reconnect+"/credentials", "application/json",
			[]byte(`{"context":{}}`), nil))
	case st.request != nil:
		s.request(t, c, st)
	case st.hook != nil:
		s.inbound(t, c, st)
	case st.respond != nil:
		s.hooks.SetScript(st.respond.webhook, st.respond.responses)
	case st.until != nil:
		millracetest.Wait(t, settleWithin, func() (bool, any) {
			got := s.list(t, st.until)
			return matchAll(st.until.want, got) == "", got
		})
	case st.settle:
		s.settle(t)
	}
}

func (s *scenario) connect(t *testing.T, c *millracetest.Client, st *step) {
	t.Helper()
	var account map[string]any
	s.must(t, json.Unmarshal(st.connect, &account))
	name, _ := account["integration"].(string)
	delete(account, "integration")
	if s.install[name] == "" {
		t.Fatalf("line %d: there is no integration %q", st.line, name)
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

func (s *scenario) request(t *testing.T, c *millracetest.Client, st *step) {
	t.Helper()
	r := st.request
	status, response, err := c.Call(t.Context(), r.method, r.path, "application/json", r.body)
	s.must(t, err)
	if ok := status < http.StatusBadRequest; r.status == 0 && !ok || r.status != 0 && r.status != status {
		t.Fatalf("line %d: %s %s responded %d: %s", st.line, r.method, r.path, status, response)
	}
	var got any
	s.must(t, json.Unmarshal(response, &got))
	if at := match(r.want, got); r.want != nil && at != "" {
		t.Errorf("line %d: %s %s: %s", st.line, r.method, r.path, at)
	}
}

func (s *scenario) inbound(t *testing.T, c *millracetest.Client, st *step) {
	t.Helper()
	h, header := st.hook, http.Header{}
	for name, value := range h.Headers {
		header.Set(name, value)
	}
	method := cmp.Or(h.Method, http.MethodPost)
	status, response, err := c.CallAs(t.Context(), method, h.Path, header, []byte(h.Body))
	s.must(t, err)
	if status != h.Status || !strings.Contains(string(response), h.Response) {
		t.Fatalf("line %d: %s %s responded %d: %s; want %d with %q", st.line, method, h.Path, status, response, h.Status, h.Response)
	}
}

func (s *scenario) list(t *testing.T, l *list) []any {
	t.Helper()
	rows, err := s.client(t, l.environment).List(t.Context(), l.path)
	s.must(t, err)
	out := make([]any, len(rows))
	for i, row := range rows {
		out[i] = row
	}
	return out
}

func (s *scenario) check(t *testing.T, want *expectation) {
	t.Helper()
	for i := range want.lists {
		if at := matchAll(want.lists[i].want, s.list(t, &want.lists[i])); at != "" {
			t.Errorf("%s: %s", want.lists[i].path, at)
		}
	}
	if at := matchAll(want.decisions, s.decisions(t)); at != "" {
		t.Errorf("decisions: %s", at)
	}
	for key, deliveries := range want.deliveries {
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
	s.checkNever(t, want.never)
	if got := s.api.Calls(); want.pages != nil && strings.Join(got, "\n") != strings.Join(want.pages, "\n") {
		t.Errorf("the provider was asked for %q, want %q", got, want.pages)
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
func (s *scenario) shown(t *testing.T, r millracetest.Received) any {
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

// Files returns the files of testdata.
func Files(t *testing.T) []string {
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
