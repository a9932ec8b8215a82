package secret

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetOfAConfig(t *testing.T) {
	t.Parallel()
	fixed := len(NewSet().Paths())
	for name, tc := range map[string]struct {
		docs      []string
		paths     string
		variables string
	}{
		"fields":               {docs: []string{`{"credentials":{"api_key":{"format":"api_key","config":{"fields":[{"name":"a","type":"password"},{"name":"b","secret":true},{"name":"c","type":"text"},{"name":"d.e","type":"Password"}]}}}}`}, paths: "a b d.e d/e"},
		"one credential":       {docs: []string{`{"credentials":{"format":"api_key","config":{"fields":[{"name":"a","type":"password"}]}}}`}, paths: "a"},
		"forms":                {docs: []string{`{"actions":{"post_connect_user_form":{"steps":[{"type":"form","config":{"fields":[{"name":"a","type":"password"}]}}]}}}`}, paths: "a"},
		"signature":            {docs: []string{`{"webhook":{"signature_verification":{"format":"hmac","config":{"secret":"{{hook_secret}}","parts":["$body","{{x.y}}"],"compare_with":"$header.s","issuer":"{{iss}}"}}}}`}, paths: "hook_secret x.y x/y"},
		"basic signature":      {docs: []string{`{"webhook":{"signature_verification":{"format":"basic","config":{"username":"{{u}}","password":"{{p|context.q?:z}}"}}}}`}, paths: "p q"},
		"basic without":        {docs: []string{`{"webhook":{"signature_verification":{"format":"basic","config":{"username":"{{u}}","password":"x"}}}}`}, paths: "u"},
		"variables":            {docs: []string{`{}`, `{"webhook":{"signature_verification":{"config":{"secret":"{{environment_variables.S}}"}}}}`}, variables: "S"},
		"authorization":        {docs: []string{`{"authorization":{"format":"bearer","config":{"token":"{{credentials.pat}}"}},"resources":{"r":{"m":{"authorization":{"format":"header","config":{"header_name":"X","header_value":"{{hv:str}}","headers":{"X-Api-Key":"{{k}}","X-Org":"{{org}}"}}}}}}}`}, paths: "hv k pat"},
		"declared otherwise":   {docs: []string{`{"credentials":{"api_key":{"config":{"fields":[{"name":"email","type":"text"}]}}},"authorization":{"format":"basic","config":{"username":"{{email}}","password":"x"}}}`}},
		"an override adds":     {docs: []string{`{"credentials":{"api_key":{"config":{"fields":[{"name":"a","type":"password"}]}}}}`, `{"credentials":{"api_key":{"config":{"fields":[{"name":"a","type":"text"},{"name":"b","type":"password"}]}}}}`}, paths: "a b"},
		"kept of a token":      {docs: []string{`{"credentials":{"oauth2":{"config":{"keep":{"token":["x",{"name":"bot.a","secret":true},{"name":"b","as":"c","secret":true},{"name":"d"}],"redirect":7}}}}}`}, paths: "a c"},
		"odd paths":            {docs: []string{`{"webhook":{"signature_verification":{"config":{"secret":"{{keys.0.v}} {{a b.c}} {{context}} {{x/y}} {{n:1:2}}"}}}}`}, paths: "a b.c b/c keys n x"},
		"nothing to be parsed": {docs: []string{`"x"`, ``, `{`, `{"credentials":7,"webhook":[],"authorization":"x","actions":{"a":null}}`}},
	} {
		var docs []json.RawMessage
		for _, doc := range tc.docs {
			docs = append(docs, json.RawMessage(doc))
		}
		s := NewSet(docs...)
		var paths, variables []string
		for _, path := range s.Beyond(NewSet()) {
			paths = append(paths, strings.Join(path, "/"))
		}
		for v := range s.variables {
			variables = append(variables, v)
		}
		slices.Sort(paths)
		if diff := cmp.Diff(tc.paths, strings.Join(paths, " ")); diff != "" || strings.Join(variables, " ") != tc.variables || len(s.Paths()) != fixed+len(paths) {
			t.Errorf("%s: got variables %v and paths (-want +got)\n%s", name, variables, diff)
		}
	}
}

func TestIsName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"secret": true, "client_secret": true, "clientSecret": true, "apiKey": true, "X-Api-Key": true, "access_token": true, "password": true, "privateKey": true,
		"token_type": false, "tokenHost": false, "tokenPath": false, "authorization": false, "authorizationMethod": false, "credentialsEncodingMode": false, "response_header": false, "label": false, "client_secret_parameter_name": false,
		"x-event-key": false, "x-signature": true, "cookie": true, "credentials": false, "monkey": false,
	} {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q): got %t", name, got)
		}
	}
	if !IsRequestName("Proxy-Authorization") || !MayBeSecret("x-event-key") || MayBeSecret("x-event") {
		t.Error("names of requests are judged wrongly")
	}
}
