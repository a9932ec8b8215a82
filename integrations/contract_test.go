package integrations_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
)

// contract is contract.yaml of an integration: the provider's responses and the expected records. README.md
// describes the file.
type contract struct {
	Host        string            `json:"host"`        // to which requests must go
	Credentials map[string]any    `json:"credentials"` // members of the account's context that must never be seen
	Context     map[string]any    `json:"context"`     // its other members
	Headers     map[string]string `json:"headers"`     // with every request
	Cases       []oneCase         `json:"cases"`
	Sync        *syncCase         `json:"sync"`
}

// oneCase is a call of a method, paged to its end.
type oneCase struct {
	Name      string     `json:"name"`
	As        *as        `json:"as"` // another account than that of the contract
	Call      call       `json:"call"`
	Exchanges []exchange `json:"exchanges"`
	Want      want       `json:"want"`
}

// as is an account with other credentials, or on another host.
type as struct {
	Host        string            `json:"host"`
	Credentials map[string]any    `json:"credentials"`
	Context     map[string]any    `json:"context"`
	Headers     map[string]string `json:"headers"`
	Override    json.RawMessage   `json:"override"` // of the installation
}

// of returns the contract that applies to a case.
func (c *contract) of(o *oneCase) *contract {
	if o.As == nil {
		return c
	}
	return &contract{Host: o.As.Host, Credentials: o.As.Credentials, Context: o.As.Context, Headers: o.As.Headers}
}

type call struct {
	Resource string          `json:"resource"`
	Method   string          `json:"method"`
	ID       string          `json:"id"`
	Query    json.RawMessage `json:"query"`
	Body     json.RawMessage `json:"body"`
	Limit    int             `json:"limit"`
}

// want is what must come of a call. Kind is ok when absent.
type want struct {
	Kind       string `json:"kind"`
	ID         string `json:"id"` // path of what identifies a record; id when absent
	IDs        []any  `json:"ids"`
	RetryAfter int    `json:"retry_after"` // seconds
	Message    string `json:"message"`     // part of it
}

// syncCase is two runs of the sync job on a whole server.
type syncCase struct {
	ID        string           `json:"id"`
	Exchanges []exchange       `json:"exchanges"`
	Want      map[string][]any `json:"want"` // ids by resource, in the order of their delivery
	Again     *syncCase        `json:"again"`
}

type exchange struct {
	Request  request  `json:"request"`
	Response response `json:"response"`
	Times    int      `json:"times"` // how often it happens; once when absent
}

// request is what must be asked. A text that begins with ~ is a regular expression for the rest of it.
type request struct {
	Method  string            `json:"method"` // GET when absent
	Path    string            `json:"path"`
	Query   map[string]any    `json:"query"` // exactly these
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"` // exactly this; for a form, an object of its fields
}

// response is one of the provider. ${base} in it is the address of the API.
type response struct {
	Status  int               `json:"status"` // 200 when absent
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// readContract reads a contract strictly: a typing error must not make it check less.
func readContract(t *testing.T, name string) *contract {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "contract.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatalf("contract of %s: %v", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	c := &contract{}
	if err := d.Decode(c); err != nil {
		t.Fatalf("contract of %s: %v", name, err)
	}
	if len(c.Cases) == 0 || len(c.Credentials) == 0 {
		t.Fatalf("contract of %s has no cases or no credentials", name)
	}
	return c
}

// account is the whole context of the contract's account at an API with that address.
func (c *contract) account(base string) map[string]any {
	all := map[string]any{}
	overlay(all, c.Context)
	overlay(all, c.Credentials)
	raw, _ := json.Marshal(all) // came from JSON
	_ = json.Unmarshal(bytes.ReplaceAll(raw, []byte("${base}"), []byte(base)), &all)
	return all
}

func overlay(into, from map[string]any) {
	for key, v := range from {
		member, isObject := v.(map[string]any)
		if !isObject {
			into[key] = v
			continue
		}
		below, _ := into[key].(map[string]any)
		if below == nil {
			below = map[string]any{}
			into[key] = below
		}
		overlay(below, member)
	}
}

// secrets are all texts in the credentials.
func (c *contract) secrets() []string {
	var found []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			found = append(found, v)
		case map[string]any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(c.Credentials)
	return found
}
