package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/millrace/millrace/internal/dialect/dialecttest"
	"github.com/millrace/millrace/jsonata"
)

func TestEventScopeOfAccountEvent(t *testing.T) {
	t.Parallel()
	event := object(t, `{
		"id": "e1", "event": "integrated_account:active", "environment_id": "env", "created_at": "2024-09-10T12:00:00.000Z",
		"payload": {"id": "acc", "tenant_id": "t1", "integration": {"name": "calcom"}, "context": {"api_key": "secret"},
			"environment_integration": {"id": "ei"}, "region": "wnam", "steps": "hidden", "event": "hidden"}
	}`)
	got := EventScope(ScopeInput{
		Event:   event,
		Context: object(t, `{"plan": "pro"}`),
		Steps:   []Value{object(t, `{"result": 1}`)},
	})
	want := map[string]any{
		"event":                   dialecttest.Plain(event),
		"environment_id":          "env",
		"integrated_account_id":   "acc",
		"context":                 map[string]any{"plan": "pro"},
		"steps":                   []any{map[string]any{"result": 1.0}},
		"id":                      "acc",
		"tenant_id":               "t1",
		"integration":             map[string]any{"name": "calcom"},
		"environment_integration": map[string]any{"id": "ei"},
		"region":                  "wnam",
	}
	if diff := cmp.Diff(any(want), dialecttest.Plain(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEventScopeAccountID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event string
		want  Value
	}{
		"account event":            {`{"event": "integrated_account:deleted", "payload": {"id": "a"}}`, "a"},
		"other event":              {`{"event": "sync_job_run:completed", "payload": {"id": "r", "integrated_account_id": "a"}}`, "a"},
		"event without an account": {`{"event": "custom:x", "payload": {"id": "r"}}`, nil},
		"no payload":               {`{"event": "custom:x"}`, nil},
		"payload is not an object": {`{"event": "custom:x", "payload": [1]}`, nil},
		"no event":                 {`null`, nil},
	} {
		scope, _ := EventScope(ScopeInput{Event: object(t, tc.event)}).(*jsonata.Object)
		if got, _ := scope.Get("integrated_account_id"); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestEventScopeHidesPayloadContext(t *testing.T) {
	t.Parallel()
	event := object(t, `{"event": "integrated_account:active", "payload": {"id": "a", "context": {"api_key": "secret"}}}`)
	scope, _ := EventScope(ScopeInput{Event: event}).(*jsonata.Object)
	if got, ok := scope.Get("context"); ok {
		t.Errorf("got context %v, want none", dialecttest.Plain(got))
	}
}
