package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestMembersOfHostileDocuments filters events by members of payloads that a database cannot represent as a whole.
func TestMembersOfHostileDocuments(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	payloads := []string{
		`{"id":"tiny","n":1e-99999999999}`, `{"id":"huge","n":1e999999}`, `{"id":"long","n":123456789012345678901234567890}`,
		`{"id":"nul","n":"a\u0000b"}`, `{"id":"high","n":"\ud800"}`, `{"id":"low","n":"\udc00x"}`, `{"id":"pair","n":"\ud83d\ude00"}`, `{"id":"escaped","n":"\\u0000\\\\"}`,
		`{"id":"array","n":["x",{"b":"y"}]}`, `{"id":"object","n":{"1":{"b":"z"}}}`, `{"id":"true","n":true}`, `{"id":"null","n":null}`, `{"id":"float","n":1.50}`,
		`{"id":"backslash","n":"a\\"}`, `{"id":"percent","n":"100%"}`, `{"id":"null member","null":"here"}`, `{"id":"deep","n":` + deep + `}`,
	}
	filters := map[string]struct {
		field string
		op    millrace.Operator
		value string
		want  []string
	}{
		"id":             {"payload.id", millrace.OpEq, "tiny", []string{"tiny"}},
		"beside nul":     {"payload.id", millrace.OpEq, "nul", []string{"nul"}},
		"beside high":    {"payload.id", millrace.OpEq, "high", []string{"high"}},
		"beside low":     {"payload.id", millrace.OpEq, "low", []string{"low"}},
		"exponent":       {"payload.n", millrace.OpEq, "1e-99999999999", []string{"tiny"}},
		"large exponent": {"payload.n", millrace.OpEq, "1e999999", []string{"huge"}},
		"long integer":   {"payload.n", millrace.OpEq, "123456789012345678901234567890", []string{"long"}},
		"spelling":       {"payload.n", millrace.OpEq, "1.50", []string{"float"}},
		"pair":           {"payload.n", millrace.OpEq, "\U0001f600", []string{"pair"}},
		"escaped":        {"payload.n", millrace.OpEq, `\u0000\\`, []string{"escaped"}},
		"true":           {"payload.n", millrace.OpEq, "true", []string{"true"}},
		"index":          {"payload.n.0", millrace.OpEq, "x", []string{"array"}},
		"below an index": {"payload.n.1.b", millrace.OpEq, "y", []string{"array"}},
		"number as name": {"payload.n.1.b", millrace.OpEq, "z", []string{"object"}},
		"named null":     {"payload.null", millrace.OpEq, "here", []string{"null member"}},
		"backslash":      {"payload.n", millrace.OpLike, `a\`, []string{"backslash"}},
		"percent":        {"payload.n", millrace.OpLike, `1__\%`, nil},
		"wildcards":      {"payload.n", millrace.OpLike, `1__%`, []string{"percent", "float", "tiny", "huge", "long"}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		env := millrace.EnvironmentID("11111111-1111-4111-8111-111111111111")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Environments().Create(t.Context(), &millrace.Environment{ID: env, Name: "Default"}); err != nil {
				return err
			}
			for _, p := range payloads {
				if _, err := tx.Events().Create(t.Context(), &millrace.Event{EnvironmentID: env, Name: "a:b", Payload: json.RawMessage(p)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range filters {
			var page millrace.Page[millrace.Event]
			err := db.View(t.Context(), func(tx *store.Tx) error {
				var err error
				page, err = tx.Events().List(t.Context(), env, millrace.Query{Filters: []millrace.Filter{{Field: f.field, Op: f.op, Values: []string{f.value}}}})
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got := map[string]bool{}
			for _, e := range page.Result {
				var p struct{ ID string }
				if err := json.Unmarshal(e.Payload, &p); err != nil {
					t.Fatal(err)
				}
				got[p.ID] = true
			}
			if len(got) != len(f.want) {
				t.Errorf("%s: got %v, want %v", name, got, f.want)
			}
			for _, id := range f.want {
				if !got[id] {
					t.Errorf("%s: got %v, want %v", name, got, f.want)
				}
			}
		}
	})
}
