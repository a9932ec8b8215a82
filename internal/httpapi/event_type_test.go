package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/millrace/millrace"
)

// compileSchema compiles a schema as a validator that is not ours understands it.
func compileSchema(t *testing.T, raw []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatalf("compile: %v\n%s", err, raw)
	}
	return compiled
}

func validate(schema *jsonschema.Schema, doc any) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func TestEventTypesCoverTheCatalogue(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		list, _ := w.get("/event-type").ok().at("result").([]any)
		var got []string
		for _, item := range list {
			v, _ := item.(map[string]any)
			name, _ := v["name"].(string)
			got = append(got, name)
			if v["description"] == "" {
				t.Errorf("%s has no description", name)
			}
		}
		if want := append(millrace.EventNames(), "custom:*"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, name := range append(millrace.EventNames(), "custom:anything") {
			v := w.get("/event-type/" + name).ok()
			if v.m["emitted"] == false {
				if v.m["payload_schema"] != nil || v.m["example"] != nil {
					t.Errorf("%s is not emitted and has a payload: %v", name, v.m)
				}
				continue
			}
			raw, err := json.Marshal(v.at("payload_schema"))
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(compileSchema(t, raw), v.at("example", "payload")); err != nil {
				t.Errorf("the example of %s: %v", name, err)
			}
			scope := fmt.Sprint(v.at("scope"))
			members, _ := v.at("payload_schema", "properties").(map[string]any)
			for member := range members {
				if !strings.Contains(scope, " name:"+member+"]") {
					t.Errorf("%s: expressions do not see %s, which its schema has", name, member)
				}
			}
		}
		w.get("/event-type/integrated_acount:active").rejected(404)
		w.get("/event-type/custom:").rejected(404)
	})
}

// What a schema says is what is emitted.
func TestEmittedPayloadsFitTheirSchemas(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.account(w.install("calcom"))
		w.patch("/integrated-account/"+account.id(), `{"tenant_id":"other"}`).ok()
		w.delete("/integrated-account/" + account.id()).ok()
		list, _ := w.get("/event").ok().at("result").([]any)
		if len(list) < 5 {
			t.Fatalf("got %d events, want those of an installation and of an account's life", len(list))
		}
		for _, item := range list {
			e, _ := item.(map[string]any)
			name, _ := e["event"].(string)
			raw, err := json.Marshal(w.get("/event-type/" + name).ok().at("payload_schema"))
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(compileSchema(t, raw), e["payload"]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// The page about events names every event that is emitted.
func TestEventsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, w *world) {
		for _, name := range millrace.EventNames() {
			_, verb, _ := strings.Cut(name, ":")
			if w.get("/event-type/" + name).ok().m["emitted"] == true && !bytes.Contains(page, []byte("`"+name+"`")) && !bytes.Contains(page, []byte("`:"+verb+"`")) {
				t.Errorf("docs/events.md says nothing of %s", name)
			}
		}
	})
}
