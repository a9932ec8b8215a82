package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/store"
)

// declares makes an integration with fields and installs it.
func (w *world) declares(name, fields, rest string) (string, string) {
	w.t.Helper()
	integration := w.create("/integration", fmt.Sprintf(`{"name":%q,"config":{"base_url":"https://a.test","credentials":{"api_key":{"format":"api_key","config":{"fields":[%s]}}}%s}}`, name, fields, rest))
	return integration.id(), w.create("/environment-integration", fmt.Sprintf(`{"integration_id":%q}`, integration.id())).id()
}

func (w *world) imported(install, context string) string {
	w.t.Helper()
	return w.create("/integrated-account", fmt.Sprintf(`{"tenant_id":"acme","environment_integration_id":%q,"authentication_method":"api_key","context":%s}`, install, context)).id()
}

// shows wants words in none of the places that show accounts.
func (w *world) shows(account string, words ...string) {
	w.t.Helper()
	for where, what := range map[string]string{
		"the account": string(w.get("/integrated-account/" + account).raw), "the list": string(w.get("/integrated-account").raw),
		"events": string(w.get("/event").raw), "the log": w.logs.String(),
	} {
		for _, word := range words {
			if strings.Contains(what, word) {
				w.t.Errorf("%s shows %s: %s", where, word, what)
			}
		}
	}
}

func TestWhatIsDeclaredSecretIsSealed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, install := w.declares("a", `{"name":"pat","type":"password"},{"name":"pin","type":"text","secret":true},{"name":"email","type":"text"}`,
			`,"authorization":{"format":"basic","config":{"username":"{{email}}","password":"{{pass_phrase}}"}},`+
				`"webhook":{"signature_verification":{"format":"hmac","config":{"secret":"{{hook_secret}}","parts":["{{deep.signing}}","{{keys.0.v}}","$body"],"compare_with":"$header.x-s"}}}`)
		id := w.imported(install, `{"pat":"canary-1","pin":"canary-2","hook_secret":"canary-3","deep":{"signing":"canary-4","plan":"pro"},"keys":[{"v":"canary-5"}],"pass_phrase":"canary-6","email":"e@x.test"}`)
		w.patch("/integrated-account/"+id, `{"context":{"pat":"canary-7","deep":{"signing":"canary-8","plan":"free"}}}`).ok()
		w.patch("/integrated-account/"+id+"/credentials", `{"context":{"pin":"canary-9"}}`).ok()
		w.shows(id, "canary-")
		context := w.get("/integrated-account/" + id).ok().at("context")
		if got := fmt.Sprint(context); got != "map[deep:map[plan:free] email:e@x.test]" {
			t.Errorf("got the context %s", got)
		}
		full := w.fullContext(id)
		if full["pat"] != "canary-7" || full["pin"] != "canary-9" || full["hook_secret"] != "canary-3" || fmt.Sprint(full["deep"]) != "map[plan:free signing:canary-8]" || fmt.Sprint(full["keys"]) != "[map[v:canary-5]]" {
			t.Errorf("got the full context %v", full)
		}
	})
}

func TestALaterDeclarationSealsWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		integration, install := w.declares("a", `{"name":"x","type":"text"}`, "")
		id := w.imported(install, `{"late":"canary-1","later":"canary-2","x":"y","oauth":{"token":{"access_token":"canary-0"}}}`)
		other := w.imported(install, `{"x":"z"}`)
		if got := w.get("/integrated-account/"+id).ok().str("context", "late"); got != "canary-1" {
			t.Fatalf("got %q before the declaration", got)
		}
		w.patch("/integration/"+integration, `{"version":1,"config":{"credentials":{"api_key":{"config":{"fields":[{"name":"late","type":"password"}]}}}}}`).ok()
		w.patch("/environment-integration/"+install, `{"override":{"webhook":{"signature_verification":{"format":"github","config":{"secret":"{{later}}"}}}}}`).ok()
		for _, path := range []string{"/integrated-account/" + id, "/integrated-account", "/integrated-account?context.late[like]=can", "/integrated-account?context.later=canary-2"} {
			if raw := string(w.get(path).raw); strings.Contains(raw, "canary-") {
				t.Errorf("%s shows a secret: %s", path, raw)
			}
		}
		if ids := w.get("/integrated-account?context.late=canary-1").ok().ids(); len(ids) != 0 {
			t.Errorf("a filter finds the secret: %v", ids)
		}
		full := w.fullContext(id)
		if full["late"] != "canary-1" || full["later"] != "canary-2" || full["x"] != "y" || w.fullContext(other)["x"] != "z" {
			t.Errorf("got %v", full)
		}
		// What is declared no longer stays sealed, also when the account changes.
		w.patch("/integration/"+integration, `{"version":2,"config":{"credentials":{"api_key":{"config":{"fields":[{"name":"x","type":"text"}]}}}}}`).ok()
		w.patch("/integrated-account/"+id, `{"context":{"x":"1"}}`).ok()
		if raw := string(w.get("/integrated-account/" + id).raw); strings.Contains(raw, "canary-") {
			t.Errorf("a secret came to light: %s", raw)
		}
		w.patch("/integrated-account/"+id, `{"context":{"late":null}}`).ok()
		w.patch("/integrated-account/"+id, `{"context":{"late":"public now"}}`).ok()
		if got := w.get("/integrated-account/"+id).ok().str("context", "late"); got != "public now" {
			t.Errorf("got %q", got)
		}
	})
}

func TestSecretsOfOverrides(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, install := w.declares("a", `{"name":"x","type":"password","default":"canary-1"}`,
			`,"headers":{"X-Api-Key":"canary-2","X-Plan":"pro","X-Tok-Ref":"{{x}}"},"authorization":{"format":"bearer","config":{"token":"canary-3"}}`)
		w.patch("/environment-integration/"+install, `{"override":{"environment_variables":{"SIGNING":"canary-4","REGION":"eu"},"secret_environment_variables":{"S":"canary-5"},`+
			`"webhook":{"signature_verification":{"format":"slack","config":{"secret":"{{environment_variables.SIGNING}}"}}}}}`).ok()
		id := w.imported(install, `{"x":"canary-6"}`)
		w.patch("/integrated-account/"+id, `{"integration_override":{"authorization":{"format":"bearer","config":{"token":"canary-7"}},"query":{"access_token":"canary-8","v":"2"}}}`).ok()
		w.patch("/integrated-account/"+id, `{"tenant_id":"t2"}`).ok()
		w.shows(id, "canary-")
		for _, path := range []string{"/integration", "/environment-integration", "/environment-integration/" + install, "/integration/a/capabilities", "/integrated-account/" + id + "/capabilities"} {
			raw := string(w.get(path).raw)
			if strings.Contains(raw, "canary-") {
				t.Errorf("%s shows a secret: %s", path, raw)
			}
		}
		if raw := string(w.get("/integrated-account/" + id).raw); !strings.Contains(raw, `"v":"2"`) || !strings.Contains(raw, "REGION") {
			t.Errorf("what is no secret is missing: %s", raw)
		}
		if got := w.overrideOf(id); !strings.Contains(got, "canary-7") || !strings.Contains(got, "canary-8") {
			t.Errorf("the override lost its secrets: %s", got)
		}
	})
}

// overrideOf returns the override of an account with its secrets.
func (w *world) overrideOf(id string) string {
	w.t.Helper()
	var out string
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		v, err := tx.Accounts().Get(w.t.Context(), w.env, millrace.IntegratedAccountID(id))
		if err == nil {
			out = string(v.Override())
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestSealStored: an older version has stored what is secret in plain.
func TestSealStored(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, install := w.declares("a", `{"name":"pat","type":"password"}`, "")
		id := w.imported(install, `{"x":1}`)
		seal := func() int {
			n := 0
			err := w.db.Update(t.Context(), func(tx *store.Tx) error {
				var err error
				n, err = account.SealStored(t.Context(), tx, 100)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			v, err := tx.Accounts().Get(t.Context(), w.env, millrace.IntegratedAccountID(id))
			if err != nil {
				return err
			}
			v.Context, v.Sealed = json.RawMessage(`{"pat":"canary-1","id":9007199254740993}`), false
			v.IntegrationOverride, v.FullOverride = json.RawMessage(`{"headers":{"X-Token":"canary-2","A":"b"}}`), nil
			return tx.Accounts().Update(t.Context(), v)
		})
		if err != nil {
			t.Fatal(err)
		}
		w.shows(id, "canary-")
		if first, second := seal(), seal(); first != 1 || second != 0 {
			t.Errorf("looked at %d, then at %d accounts; want 1 and 0", first, second)
		}
		w.shows(id, "canary-")
		if raw := string(w.get("/integrated-account/" + id).raw); !strings.Contains(raw, "9007199254740993") || !strings.Contains(raw, `"A":"b"`) {
			t.Errorf("got %s", raw)
		}
		if w.fullContext(id)["pat"] != "canary-1" || !strings.Contains(w.overrideOf(id), "canary-2") {
			t.Error("a secret was lost")
		}
	})
}

func TestOverridesMustMakeAValidConfig(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, install := w.declares("a", `{"name":"x","type":"text"}`, `,"authorization":{"format":"bearer","config":{"token":"{{x}}"}},"pagination":{"format":"page","config":{}}`)
		id := w.imported(install, `{"x":"1"}`)
		for override, path := range map[string]string{
			`{"authorization":{"format":"nope"}}`:               "authorization.format",
			`{"autorization":{"format":"bearer"}}`:              "autorization",
			`{"nothing":1}`:                                     "nothing",
			`{"resources":{"tickets":{"list":{"path":7}}}}`:     "resources.tickets.list.path",
			`{"error_expression":"1 +"}`:                        "error_expression",
			`{"pagination":{"config":{"page_size":"{{{{"}}}`:    "",
			`{"authorization":null,"pagination":null}`:          "",
			`{"headers":{"X-A":"b"},"base_url":"https://x.io"}`: "",
		} {
			if path == "" {
				w.patch("/environment-integration/"+install, `{"override":`+override+`}`).ok()
				w.patch("/integrated-account/"+id, `{"integration_override":`+override+`}`).ok()
				continue
			}
			w.patch("/environment-integration/"+install, `{"override":`+override+`}`).rejected(400, "override."+path)
			w.patch("/integrated-account/"+id, `{"integration_override":`+override+`}`).rejected(400, "integration_override."+path)
			w.post("/integrated-account", `{"environment_integration_id":"`+install+`","tenant_id":"t","authentication_method":"api_key","context":{"x":"1"},"integration_override":`+override+`}`).
				rejected(400, "integration_override."+path)
		}
	})
}
