package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// marker stands in everything that the environment of the walk's victim has, so that none of it can be overlooked in a response.
const marker = "walk-marker"

// side is one environment of the walk: an object of each kind, by the first segment of its path.
type side struct {
	*world
	env     millrace.EnvironmentID
	objects map[string]string
}

// walk makes every request of the API document with ids of another environment.
type walk struct {
	t                *testing.T
	victim, attacker *side
	counts           map[string]int
}

// walkBodies are bodies that the routes accept. $kind stands for the id of the sender's object of a kind. A route with a body that
// has none here fails the walk.
func walkBodies() map[string]string {
	const resources = `[{"name":"contacts","type":"request","resource":"contacts","method":"list"}]`
	return map[string]string{
		"POST /api-token":                                   `{"environment_id":"$environment","name":"x"}`,
		"POST /environment":                                 `{"name":"Walk"}`,
		"PATCH /environment/{id}":                           `{"name":"Walk"}`,
		"POST /integration":                                 `{"name":"$unique","config":{"label":"X"}}`,
		"PATCH /integration/{id}":                           `{"version":1,"config":{"label":"Changed"}}`,
		"POST /environment-integration":                     `{"integration_id":"$integration"}`,
		"PATCH /environment-integration/{id}":               `{"is_enabled":false}`,
		"POST /integrated-account":                          `{"tenant_id":"x","environment_integration_id":"$environment-integration","authentication_method":"api_key","context":{"api_key":"k"}}`,
		"PATCH /integrated-account/{id}":                    `{"context":{"a":1}}`,
		"PATCH /integrated-account/{id}/credentials":        `{"context":{"api_key":"new"}}`,
		"POST /link-token":                                  `{"integrated_account_id":"$integrated-account","context":{"a":1},"truto_static_gate_id":"$static-gate"}`,
		"POST /webhook":                                     `{"target_url":"https://a.test/in"}`,
		"POST /integrated-account/token":                    `{"integrated_account_id":"$integrated-account"}`,
		"PATCH /integrated-account/me":                      `{"context":{"a":1}}`,
		"POST /integrated-account/refresh-credentials":      `{"id":"$integrated-account"}`,
		"POST /integrated-account/bulk-delete":              `{"ids":["$integrated-account"]}`,
		"POST /sandbox-integrated-account":                  `{"id":"$integrated-account"}`,
		"POST /static-gate":                                 `{"domain":"gate.example.com","name":"x"}`,
		"PATCH /static-gate/{id}":                           `{"name":"y"}`,
		"POST /tenant":                                      `{"id":"$unique"}`,
		"POST /tenant/bulk":                                 `{"tenants":[{"id":"$unique"}]}`,
		"PATCH /tenant/{id}":                                `{"name":"x"}`,
		"POST /webhook/test":                                `{"id":"$webhook"}`,
		"PATCH /webhook/{id}":                               `{"is_active":false}`,
		"POST /webhook/{id}/rotate-secret":                  `{}`,
		"POST /webhook/{id}/redeliver":                      `{"status":["delivered"]}`,
		"POST /webhook-delivery/{id}/redeliver":             `{}`,
		"POST /webhook-redelivery":                          `{"webhook_id":"$webhook"}`,
		"POST /webhook-redelivery/preview":                  `{"webhook_id":"$webhook"}`,
		"POST /webhook-redelivery/{id}/stop":                `{}`,
		"POST /notification-destination":                    `{"type":"webhook","config":{"target_url":"https://a.test/in"}}`,
		"POST /notification-destination/test":               `{"id":"$notification-destination"}`,
		"PATCH /notification-destination/{id}":              `{"is_active":false}`,
		"POST /sync-job":                                    `{"integration_name":"x","resources":` + resources + `}`,
		"PATCH /sync-job/{id}":                              `{"label":"x"}`,
		"POST /sync-job-template":                           `{"label":"x","default_runtime_version":4,"integration_name":"x","resources":` + resources + `}`,
		"PATCH /sync-job-template/{id}":                     `{"label":"x"}`,
		"POST /sync-job-cron-trigger":                       `{"sync_job_id":"$sync-job","integrated_account_id":"$integrated-account","webhook_id":"$webhook","cron_expression":"0 0 1 1 *"}`,
		"PATCH /sync-job-cron-trigger/{id}":                 `{"cron_expression":"0 0 2 1 *"}`,
		"POST /sync-job-cron-trigger/{id}/schedule":         `{}`,
		"POST /sync-job-run":                                `{"sync_job_id":"$sync-job","integrated_account_id":"$integrated-account","webhook_id":"$webhook"}`,
		"PATCH /sync-job-run/{id}":                          `{"status":"stopped"}`,
		"POST /sync-job-run-state":                          `{"key":"$unique","value":1}`,
		"PATCH /sync-job-run-state/{id}":                    `{"value":2}`,
		"POST /integrated-account/run-post-install-actions": `{"id":"$integrated-account"}`,
		"POST /workflow":                                    `{"trigger_name":"custom:x","config":{"steps":[{"type":"run","action":"run_sync_job","config":{"sync_job_id":"$sync-job","integrated_account_id":"$integrated-account","webhook_id":"$webhook"}}]}}`,
		"PATCH /workflow/{id}":                              `{"label":"x"}`,
		"POST /event":                                       `{"event":"custom:x","payload":{"a":1}}`,
	}
}

// walkFields say which kind of object a field of a body, or a filter, names. A field that ends in _id and is not here fails the walk.
func walkFields() map[string]string {
	return map[string]string{
		"environment_id": "environment", "integration_id": "integration", "environment_integration_id": "environment-integration",
		"integrated_account_id": "integrated-account", "webhook_id": "webhook", "sync_job_id": "sync-job", "workflow_id": "workflow",
		"sync_job_run_id": "sync-job-run", "workflow_run_id": "workflow-run", "event_id": "event", "sync_job_cron_trigger_id": "sync-job-cron-trigger",
		"tenant_id": "", "team_id": "", // texts of the client's own
		"truto_static_gate_id":         "static-gate",
		"environment_unified_model_id": "", "unified_model_id": "", "daemon_id": "", "datastore_id": "", // of what this server does not have
	}
}

func TestNoRequestReachesAnotherEnvironment(t *testing.T) {
	if storetest.RaceDetector {
		t.Skip("SKIPPED under the race detector: thousands of requests, one after the other")
	}
	each(t, func(t *testing.T, w *world) {
		k := &walk{t: t, counts: map[string]int{}}
		k.victim = &side{world: w, env: w.env, objects: map[string]string{}}
		k.attacker = &side{world: w.as(otherToken), env: w.other, objects: map[string]string{}}
		k.addTokens(w.db)
		for _, s := range []*side{k.victim, k.attacker} {
			s.build()
		}
		before := k.victim.state()
		operations := k.operations()
		for _, op := range operations {
			k.tokens(op)
			k.paths(op)
			k.filters(op)
			k.bodies(op)
			k.deepBodies(op)
		}
		k.logs()
		for _, op := range operations { // last: from here on the attacker has objects with the same ids
			k.ownIDs(op)
		}
		if after := k.victim.state(); after != before {
			t.Errorf("the walk changed the other environment:\nbefore %s\nafter  %s", before, after)
		}
		total := 0
		database := "SQLite"
		if w.db.Postgres() != nil {
			database = "PostgreSQL"
		}
		for _, what := range slices.Sorted(maps.Keys(k.counts)) {
			t.Logf("%s: %6d requests with %s", database, k.counts[what], what)
			total += k.counts[what]
		}
		t.Logf("%s: %6d requests of %d kinds by %d operations", database, total, len(k.counts), len(operations))
	})
}

// operation is a method of a path of the API document.
type operation struct {
	method, path string
	schema       map[string]any // of its JSON body; nil: none
	hasBody      bool
	isPublic     bool
	isList       bool
}

func (o operation) name() string { return o.method + " " + o.path }

// kind is the first segment of the path.
func (o operation) kind() string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(o.path, "/"), "/")
	return kind
}

// query is what the query begins with that the route needs.
func (o operation) query() string {
	if o.kind() == "sync-job-run-state" {
		return "?state_key=s&"
	}
	return "?"
}

func (o operation) isThirdParty() bool { return o.kind() == "proxy" || o.kind() == "custom" }

// forAdmins reports whether only an admin token may use the route: it manages environments.
func (o operation) forAdmins() bool {
	return o.kind() == "audit" || o.kind() == "environment" && o.method != http.MethodGet || o.kind() == "api-token" && o.method != http.MethodGet
}

func (k *walk) operations() []operation {
	k.t.Helper()
	document := k.victim.get("/openapi.json").ok()
	paths, _ := document.m["paths"].(map[string]any)
	var out []operation
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			op, _ := methods[method].(map[string]any)
			o := operation{method: strings.ToUpper(method), path: path}
			needs, _ := op["security"].([]any) // empty: anyone may call it
			secured := len(needs) > 0
			o.isPublic = !secured
			if body, ok := op["requestBody"].(map[string]any); ok {
				o.hasBody = true
				reference, _ := (doc{k.t, body}).at("content", "application/json", "schema", "$ref").(string)
				name := reference[strings.LastIndex(reference, "/")+1:]
				o.schema, _ = document.at("components", "schemas", name).(map[string]any)
			}
			o.isList = o.method == http.MethodGet && !strings.Contains(path, "{") && strings.Contains(fmt.Sprint(op["parameters"]), "next_cursor")
			out = append(out, o)
		}
	}
	if len(out) < 90 {
		k.t.Fatalf("the document has %d operations only", len(out))
	}
	return out
}

func (k *walk) addTokens(db *store.DB) {
	k.t.Helper()
	err := db.Update(k.t.Context(), func(tx *store.Tx) error {
		for token, row := range map[string]millrace.APIToken{
			"deleted-token": {EnvironmentID: k.victim.env, Name: "deleted"},
			marker:          {EnvironmentID: k.victim.env, Name: marker},
			"attacker-too":  {EnvironmentID: k.attacker.env, Name: "own"},
		} {
			sum := sha256.Sum256([]byte(token))
			row.Hash = hex.EncodeToString(sum[:])
			if err := tx.APITokens().Create(k.t.Context(), &row); err != nil {
				return err
			}
			switch token {
			case "deleted-token":
				if err := tx.APITokens().Delete(k.t.Context(), row.ID); err != nil {
					return err
				}
			case marker:
				k.victim.objects["api-token"] = string(row.ID)
			case "attacker-too":
				k.attacker.objects["api-token"] = string(row.ID)
			}
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

// build makes an object of each kind, and a second one of most, so that lists have a next page.
func (s *side) build() {
	s.t.Helper()
	name := "walk-" + string(s.env)[:1]
	if s.token == ownToken {
		name = marker
	}
	s.objects["environment"], s.objects["tenant"], s.objects["sync-job-run-state"] = string(s.env), name, name
	for i := range 2 {
		account := s.account(fmt.Sprintf("%s-%d", name, i))
		s.patch("/integrated-account/"+account.id(), `{"tenant_id":"`+name+`"}`).ok()
		s.objects["integrated-account"] = account.id()
		s.objects["sandbox-integrated-account"] = s.create("/sandbox-integrated-account", `{"id":"`+account.id()+`"}`).id()
		s.objects["environment-integration"] = account.str("environment_integration_id")
		s.objects["integration"] = account.str("integration", "id")
		for _, kind := range []string{"static-gate", "webhook", "notification-destination", "sync-job", "sync-job-template", "workflow", "event", "sync-job-cron-trigger", "sync-job-run", "webhook-redelivery"} {
			body := strings.Replace(s.fill(walkBodies()["POST /"+kind]), "{", map[string]string{
				"webhook": `{"event_types":["custom:` + name + `"],`, "notification-destination": `{"label":"` + name + `",`, "sync-job": `{"label":"` + name + `",`,
				"workflow": `{"label":"` + name + `",`, "event": `{"idempotency_key":"` + fmt.Sprint(name, i) + `",`, "sync-job-cron-trigger": `{"args":{"a":"` + name + `"},`,
				"sync-job-run": `{"args":{"a":"` + name + `"},`, "webhook-redelivery": `{"filter":{"event":["custom:` + name + `"]},`, "sync-job-template": `{"description":"` + name + `",`,
			}[kind], 1)
			if kind == "static-gate" {
				body = `{"domain":"gate.example.com","name":"` + name + `"}`
			}
			s.objects[kind] = s.create("/"+kind, body).id()
		}
		s.create("/sync-job-run-state?state_key=s", `{"key":"`+name+strings.Repeat("x", i)+`","value":"`+name+`"}`)
	}
	s.buildRows(name)
}

// buildRows makes what only the stages make.
func (s *side) buildRows(name string) {
	s.t.Helper()
	ctx := s.t.Context()
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		for range 2 {
			run := &millrace.WorkflowRun{EnvironmentID: s.env, WorkflowID: millrace.WorkflowID(s.objects["workflow"]), EventID: millrace.NewID[millrace.EventID](), Status: millrace.WorkflowRunCompleted, Result: json.RawMessage(`"` + name + `"`)}
			if err := tx.WorkflowRuns().Create(ctx, run); err != nil {
				return err
			}
			d := &millrace.Delivery{ID: millrace.NewID[millrace.DeliveryID](), EnvironmentID: s.env, WebhookID: millrace.WebhookID(s.objects["webhook"]), EventID: millrace.EventID(s.objects["event"]), Event: "custom:" + name, Status: millrace.DeliveryDelivered}
			if err := tx.Deliveries().Create(ctx, d); err != nil {
				return err
			}
			hook := &millrace.InboundHook{EnvironmentID: s.env, Status: millrace.InboundRejected, Method: name, AccountIDs: json.RawMessage("[]"), EventIDs: json.RawMessage("[]")}
			if err := tx.Hooks().Create(ctx, hook); err != nil {
				return err
			}
			s.objects["workflow-run"], s.objects["webhook-delivery"], s.objects["inbound-hook"] = string(run.ID), string(d.ID), string(hook.ID)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fill puts the ids of a side into a body.
func (s *side) fill(body string) string {
	for kind, id := range s.objects {
		body = strings.ReplaceAll(body, `"$`+kind+`"`, `"`+id+`"`)
	}
	return strings.ReplaceAll(body, "$unique", millrace.NewSecret())
}

// state is all that an environment shows of itself.
func (s *side) state() string {
	s.t.Helper()
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(s.objects)) {
		out = append(out, string(s.get("/"+kind+operation{path: "/" + kind}.query()).raw))
	}
	for _, name := range walkLogs() {
		log := s.get("/log?log_type=" + name)
		log.ok()
		out = append(out, string(log.raw))
	}
	return strings.Join(out, "\n")
}

// fails checks that a request was rejected, or that its response has nothing of the victim.
func (k *walk) fails(what string, a *response, allowed ...int) {
	k.t.Helper()
	k.counts[what]++
	if !slices.Contains(allowed, a.status) {
		k.t.Errorf("%s: %s: got %d, want one of %v: %s", what, a.what, a.status, allowed, shorten(string(a.raw)))
	}
	k.clean(what, a)
}

// clean checks that a response has nothing of the victim. Rejections may repeat what was sent.
func (k *walk) clean(what string, a *response) {
	k.t.Helper()
	if strings.Contains(string(a.raw), marker) && !strings.Contains(a.what, marker) {
		k.t.Errorf("%s: %s: the response has data of the other environment: %s", what, a.what, shorten(string(a.raw)))
	}
}

// tokens tries tokens that are none, and those of another scope.
func (k *walk) tokens(op operation) {
	k.t.Helper()
	if op.isPublic {
		return
	}
	path, body := k.fillPath(op, k.victim), k.victim.fill(walkBodies()[op.name()])
	for what, header := range map[string]string{
		"no token": "", "a malformed token": "Bearer \x7f", "half a header": "Bearer", "another scheme": "Basic " + ownToken,
		"an unknown token": "Bearer mr_unknown", "a deleted token": "Bearer deleted-token", "an expired token": "Bearer " + oldToken,
	} {
		if strings.Contains(header, "\x7f") {
			header = "Bearer " + ownToken + "," + ownToken
		}
		k.fails(what, k.victim.send(op.method, path, body, "Authorization", header), http.StatusUnauthorized)
	}
	switch {
	case op.forAdmins():
		k.fails("a token of an environment on a route for admins", k.victim.send(op.method, path, body), http.StatusForbidden)
	case op.kind() == "environment", op.kind() == "api-token":
	default:
		k.fails("an admin token on a route of an environment", k.victim.as(adminToken).send(op.method, path, body), http.StatusForbidden)
	}
}

// fillPath puts the ids of a side into the path of an operation.
func (k *walk) fillPath(op operation, s *side) string {
	k.t.Helper()
	path := strings.NewReplacer("{resource}", "contacts", "{method}", "list", "{action}", "run", "{path}", "contacts", "{name}", "custom:x",
		"{environment_id}", string(s.env)).Replace(op.path)
	if !strings.Contains(path, "{id}") {
		if strings.Contains(path, "{") {
			k.t.Errorf("%s: the walk knows nothing to put into the path", op.name())
		}
		return path
	}
	kind := strings.TrimSuffix(op.kind(), "-webhook")
	id := s.objects[kind]
	switch {
	case op.isThirdParty():
		id = "1"
	case kind == "audit":
		id = noID
	}
	if id == "" {
		k.t.Errorf("%s: the walk has no %s; make one in build", op.name(), kind)
	}
	return strings.ReplaceAll(path, "{id}", url.PathEscape(id))
}

// paths tries ids of the victim in the path, also where the account of a call to a provider is named.
func (k *walk) paths(op operation) {
	k.t.Helper()
	body := k.attacker.fill(walkBodies()[op.name()])
	if op.hasBody && body == "" && !op.isThirdParty() && !op.isPublic {
		k.t.Errorf("%s: the walk has no body for it; add one to walkBodies", op.name())
	}
	path := k.fillPath(op, k.victim)
	switch {
	case op.isThirdParty():
		query := "?integrated_account_id=" + k.victim.objects["integrated-account"]
		k.fails("the account of another environment", k.attacker.send(op.method, path+query, `{}`), http.StatusNotFound, http.StatusServiceUnavailable)
	case !strings.Contains(op.path, "{id}"):
	case op.isPublic: // the address is all that a provider has; with another environment it leads nowhere
		if strings.Contains(op.path, "{environment_id}") {
			path = strings.ReplaceAll(path, string(k.victim.env), string(k.attacker.env))
			k.fails("an id in the address of a hook", k.attacker.as("").send(op.method, path, `{}`), http.StatusNotFound)
		}
	case op.kind() == "tenant" && op.method == http.MethodDelete:
		k.fails("a tenant", k.attacker.send(op.method, path+"?erase=true", ""), http.StatusOK, http.StatusNotFound) // of its own, which has no accounts
	case op.forAdmins():
		k.fails("a foreign id in the path", k.attacker.send(op.method, path, body), http.StatusForbidden)
	default:
		k.fails("a foreign id in the path", k.attacker.send(op.method, path+strings.TrimRight(op.query(), "?&"), body), http.StatusNotFound)
		k.fails("a foreign id in the path, and its environment", k.attacker.send(op.method, path+op.query()+"environment_id="+string(k.victim.env), body), http.StatusNotFound)
	}
}

// filters tries ids of the victim in filters, and its cursors.
func (k *walk) filters(op operation) {
	k.t.Helper()
	if !op.isList || op.forAdmins() {
		return
	}
	for _, field := range slices.Sorted(maps.Keys(walkFields())) {
		kind := walkFields()[field]
		if kind == "" {
			kind = "tenant"
		}
		for _, form := range []string{"%s=%s", "%s[in]=%s," + noID, "%s[like]=%%25%s%%25", "%s[gte]=%s"} {
			path := op.path + op.query() + fmt.Sprintf(form, field, k.victim.objects[kind])
			k.fails("a foreign id in a filter", k.attacker.get(path), http.StatusOK, http.StatusBadRequest)
		}
	}
	if id := k.victim.objects[op.kind()]; id != "" {
		a := k.attacker.get(op.path + op.query() + "id=" + url.QueryEscape(id))
		k.fails("a foreign id in a filter", a, http.StatusOK, http.StatusBadRequest)
		if a.status == http.StatusOK && len(a.ok().ids()) > 0 {
			k.t.Errorf("%s: got %s", a.what, shorten(string(a.raw)))
		}
	}
	page := k.victim.get(op.path + op.query() + "limit=1")
	if page.status != http.StatusOK {
		return
	}
	if next, ok := page.ok().m["next_cursor"].(string); ok {
		k.fails("a foreign cursor", k.attacker.get(op.path+op.query()+"next_cursor="+url.QueryEscape(next)), http.StatusOK, http.StatusBadRequest)
	} else if k.victim.objects[op.kind()] != "" && op.kind() != "environment" {
		k.t.Errorf("%s: there is no second page; make two in build", op.name())
	}
}

// bodies tries ids of the victim in each field of a body.
func (k *walk) bodies(op operation) {
	k.t.Helper()
	text := walkBodies()[op.name()]
	if op.schema == nil || text == "" || op.forAdmins() {
		return
	}
	properties, _ := op.schema["properties"].(map[string]any)
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		kind, known := walkFields()[field]
		if field == "id" {
			kind, known = op.kind(), op.path != "/"+op.kind()
			if !known {
				continue // the id of a new object
			}
		}
		switch {
		case !strings.HasSuffix(field, "_id") && !strings.HasSuffix(field, "_ids") && field != "id", known && kind == "":
			continue
		case !known:
			k.t.Errorf("%s: the walk does not know what %s names; add it to walkFields", op.name(), field)
			continue
		}
		body := map[string]any{}
		if err := json.Unmarshal([]byte(k.attacker.fill(text)), &body); err != nil {
			k.t.Fatal(err)
		}
		body[field] = k.victim.objects[kind]
		k.body(op, body)
	}
}

// body sends a body with a foreign id.
func (k *walk) body(op operation, body map[string]any) {
	k.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		k.t.Fatal(err)
	}
	k.fails("a foreign id in a body", k.attacker.send(op.method, k.fillPath(op, k.attacker), string(raw)), http.StatusNotFound, http.StatusBadRequest)
}

// walkLogs are the logs that have entries.
func walkLogs() []string {
	return []string{"rapid_bridge", "sync_job_cron_trigger", "unified_proxy_api", "webhook"}
}

// logs tries ids of the victim in the filters of the logs, and its cursors.
func (k *walk) logs() {
	k.t.Helper()
	if a := k.victim.get("/log?log_type=webhook"); !strings.Contains(string(a.raw), marker) {
		k.t.Errorf("the log of the victim has nothing to be found: %s", shorten(string(a.raw)))
	}
	for _, name := range walkLogs() {
		path := "/log?log_type=" + name
		k.fails("a foreign id in the filter of a log", k.attacker.get(path+"&environment_id="+string(k.victim.env)), http.StatusNotFound, http.StatusOK)
		k.fails("a foreign id in the filter of a log", k.attacker.get(path+"&log_type_filter[environment_id]="+string(k.victim.env)), http.StatusOK)
		for _, field := range []string{"sync_job_run_id", "sync_job_id", "integrated_account_id", "webhook_id", "entity_id"} {
			kind := strings.NewReplacer("entity_id", "sync-job-cron-trigger", "_id", "", "_", "-").Replace(field)
			a := k.attacker.get(path + "&log_type_filter[" + field + "]=" + k.victim.objects[kind])
			k.fails("a foreign id in the filter of a log", a, http.StatusOK, http.StatusBadRequest)
			if a.status == http.StatusOK && !strings.Contains(string(a.raw), `"result":[]`) {
				k.t.Errorf("%s: got %s", a.what, shorten(string(a.raw)))
			}
		}
		if next, ok := k.victim.get(path + "&limit=1").ok().m["next_cursor"].(string); ok {
			k.fails("a foreign cursor", k.attacker.get(path+"&next_cursor="+url.QueryEscape(next)), http.StatusOK, http.StatusBadRequest)
		} else if name == "webhook" {
			k.t.Error("the log of the victim has no second page")
		}
	}
}

// walkDeepBodies are bodies with ids deep inside, $kind of the victim.
func walkDeepBodies() map[string][]string {
	const step = `{"type":"run","action":"run_sync_job","config":{"sync_job_id":"$sync-job","integrated_account_id":"$integrated-account","webhook_id":"$webhook"}}`
	const node = `{"name":"contacts","type":"request","resource":"contacts","method":"list","integrated_account_id":"$integrated-account"}`
	const sink = `{"name":"out","type":"destination","destination_type":"webhook","config":{"id":"$webhook"},"resources_to_persist":["contacts"]}`
	const args = `"args":{"integrated_account_id":"$integrated-account","webhook_id":"$webhook","sync_job_id":"$sync-job"}`
	return map[string][]string{
		"POST /workflow":                    {`{"trigger_name":"custom:x","config":{"steps":[` + step + `]}}`},
		"PATCH /workflow/{id}":              {`{"config":{"steps":[` + step + `]}}`},
		"POST /sync-job":                    {`{"integration_name":"x","resources":[` + node + `,` + sink + `]}`},
		"PATCH /sync-job/{id}":              {`{"resources":[` + node + `,` + sink + `]}`},
		"POST /sync-job-template":           {`{"label":"x","default_runtime_version":4,"integration_name":"x","resources":[` + node + `,` + sink + `]}`},
		"POST /sync-job-run":                {`{"sync_job_id":"$sync-job",` + args + `}`, `{` + args + `}`},
		"POST /sync-job-cron-trigger":       {`{"sync_job_id":"$sync-job","cron_expression":"0 0 1 1 *",` + args + `}`},
		"PATCH /sync-job-cron-trigger/{id}": {`{` + args + `}`},
		"POST /event":                       {`{"event":"custom:x","payload":{"integrated_account_id":"$integrated-account","webhook":{"id":"$webhook"}}}`},
		"PATCH /integrated-account/{id}":    {`{"context":{"integrated_account_id":"$integrated-account"}}`},
		"POST /integrated-account": {`{"tenant_id":"x","environment_integration_id":"$environment-integration","authentication_method":"api_key",` +
			`"context":{"id":"$integrated-account"}}`},
	}
}

// deepBodies sends ids of the victim where the API does not look at them, or only when something runs. Such a body may be accepted.
func (k *walk) deepBodies(op operation) {
	k.t.Helper()
	for _, text := range walkDeepBodies()[op.name()] {
		a := k.attacker.send(op.method, k.fillPath(op, k.attacker), k.victim.fill(text))
		k.fails("a foreign id deep in a body", a, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNotFound, http.StatusBadRequest)
	}
}

// ownIDs makes objects under ids that the victim has: they are free in every other environment.
func (k *walk) ownIDs(op operation) {
	k.t.Helper()
	properties, _ := op.schema["properties"].(map[string]any)
	if _, ok := properties["id"]; !ok || op.method != http.MethodPost || op.path != "/"+op.kind() || op.forAdmins() {
		return
	}
	if op.kind() == "environment-integration" { // an installed one stays unchanged
		k.attacker.objects["integration"] = k.attacker.create("/integration", `{"name":"another","config":{"label":"X"}}`).id()
	}
	body := map[string]any{}
	if err := json.Unmarshal([]byte(k.attacker.fill(walkBodies()[op.name()])), &body); err != nil {
		k.t.Fatal(err)
	}
	body["id"] = k.victim.objects[op.kind()]
	raw, err := json.Marshal(body)
	if err != nil {
		k.t.Fatal(err)
	}
	a := k.attacker.post(op.path, string(raw))
	k.counts["a foreign id as one's own"]++
	k.clean("a foreign id as one's own", a)
	made := a.is(a.status)
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		k.t.Errorf("%s: got %d", a.what, a.status)
	}
	if got := made.id(); got != body["id"] {
		k.t.Errorf("%s: got the id %s", a.what, got)
	}
	if env, ok := made.m["environment_id"].(string); ok && env != string(k.attacker.env) {
		k.t.Errorf("%s: made in the environment %s", a.what, env)
	}
}
