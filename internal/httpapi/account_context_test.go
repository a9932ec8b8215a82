package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
)

// An account is not stored, and so not active, before its context is what its integration asks for.
func TestContextsAreWhatTheIntegrationAsksFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		integration := w.create("/integration", `{"name":"desk","config":{"base_url":"https://{{subdomain}}.desk.example","resources":{},"credentials":{
			"api_key":{"format":"api_key","config":{"fields":[
				{"name":"api_key","type":"password","required":true,"pattern":"^k-"},
				{"name":"subdomain","required":true,"transform":"lowercase","pattern":"^[A-Za-z]+$"},
				{"name":"contact","format":"email"},{"name":"size","format":"number"},{"name":"site","format":"url"},{"name":"ref","format":"uuid"},
				{"name":"region","type":"single_select","options":[{"label":"Europe","value":"eu"},{"label":"US","value":"us"}],"default":"eu"},
				{"name":"pin","transform":"sha256"}]}},
			"oauth2_client_credentials":{"format":"oauth2_client_credentials","config":{"auth":{"tokenHost":"https://desk.example"}}}}}}`).id()
		install := w.create("/environment-integration", `{"integration_id":"`+integration+`"}`).id()
		body := func(method, context string) string {
			return fmt.Sprintf(`{"tenant_id":"t","environment_integration_id":%q,"authentication_method":%q,"context":%s}`, install, method, context)
		}
		const post = "/integrated-account"
		w.post(post, body("api_kee", `{}`)).rejectedFor("authentication_method", `the integration has no such method, it has api_key, oauth2_client_credentials; did you mean "api_key"?`)
		for context, want := range map[string][2]string{
			`{"subdomain":"acme"}`:                              {"context.api_key", "is required"},
			`{"api_key":"","subdomain":"acme"}`:                 {"context.api_key", "is required"},
			`{"api_key":"hunter2","subdomain":"acme"}`:          {"context.api_key", "must match ^k-"},
			`{"api_key":"k-1","subdomain":null}`:                {"context.subdomain", "is required"},
			`{"api_key":"k-1","subdomain":"a","contact":"x"}`:   {"context.contact", "must be an e-mail address"},
			`{"api_key":"k-1","subdomain":"a","size":"many"}`:   {"context.size", "must be a number"},
			`{"api_key":"k-1","subdomain":"a","site":"ftp:x"}`:  {"context.site", "must be a URL"},
			`{"api_key":"k-1","subdomain":"a","ref":"7"}`:       {"context.ref", "must be a UUID"},
			`{"api_key":"k-1","subdomain":"a","region":"mars"}`: {"context.region", "must be one of eu, us"},
		} {
			got := w.post(post, body("api_key", context))
			got.rejectedFor(want[0], want[1])
			if strings.Contains(string(got.raw), "hunter2") {
				t.Errorf("%s: the rejection quotes a secret: %s", context, got.raw)
			}
		}
		if n := len(w.get(post).ok().ids()); n != 0 {
			t.Fatalf("%d accounts are stored after rejections, want none", n)
		}
		v := w.create(post, body("api_key", `{"api_key":"k-1","subdomain":"ACME","size":12345678901234567890,"pin":"1234","more":1.50}`))
		shown := string(w.get(post + "/" + v.id()).raw)
		for _, want := range []string{`"subdomain":"acme"`, `"region":"eu"`, `"size":12345678901234567890`, `"more":1.50`, `"pin":"03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4"`, `"status":"active"`} {
			if !strings.Contains(shown, want) {
				t.Errorf("got %s, want %s", shown, want)
			}
		}
		path := post + "/" + v.id()
		w.patch(path, `{"context":{"subdomain":"a b"}}`).rejectedFor("context.subdomain", "must match")
		w.patch(path, `{"context":{"api_key":null}}`).rejectedFor("context.api_key", "is required")
		w.patch(path, `{"context":{"note":"only this changes"}}`).ok()
		w.patch(path, `{"authentication_method":"basic"}`).rejected(400, "authentication_method")
		w.patch(path+"/credentials", `{"credentials":{"api_key":"nope"}}`).rejectedFor("credentials.api_key", "must match")
		w.patch(path+"/credentials", `{"credentials":{"api_key":"k-2"}}`).ok()
	})
}
