package plan

import (
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
)

// References are what a job names outside of itself, as far as that stands in it as text.
type References struct {
	Methods  []MethodReference // the requests
	Accounts []Reference
	Webhooks []Reference

	// What a run has to bring, with the path of a node that needs it; empty: nothing does.
	NeedsAccount, NeedsWebhook string
}

// Reference is the id of something that stands at a path below resources.
type Reference struct{ Path, ID string }

// MethodReference is a method of a resource of an integration.
type MethodReference struct{ ResourcePath, MethodPath, Resource, Method string }

// Refer returns what a job names outside of itself. A job that [Check] rejects names nothing.
func Refer(resources json.RawMessage, version int64) References {
	var r References
	found := &Findings{}
	g, specs, nodes := buildInto(resources, version, found)
	if len(found.Failures) > 0 {
		return r
	}
	if g.OwnWebhook != nil {
		r.NeedsWebhook = g.OwnWebhook.At
	}
	for i, s := range specs {
		if q := nodes[i].Request; q != nil {
			_, resource := s.either("resource")
			_, method := s.either("method")
			r.Methods = append(r.Methods, MethodReference{resource, method, q.Resource, q.Method})
			if q.Account == nil && r.NeedsAccount == "" {
				r.NeedsAccount = s.at
			}
			r.Accounts = s.constant(r.Accounts, "integrated_account_id")
		}
		if nodes[i].Destination != nil {
			r.Webhooks = s.constant(r.Webhooks, "id")
		}
	}
	return r
}

// constant appends the id that a member is, unless it is computed.
func (s *spec) constant(to []Reference, key string) []Reference {
	v, path := s.either(key)
	if id, ok := v.(string); ok && millrace.IsID(strings.TrimSpace(id)) {
		return append(to, Reference{path, strings.ToLower(strings.TrimSpace(id))})
	}
	return to
}

// unserved finds requests of what this server does not have: model/resource is one of the unified API.
func unserved(specs []*spec, found *Findings) {
	for _, s := range specs {
		v, path := s.either("resource")
		if name, ok := v.(string); ok && s.kind == TypeRequest && strings.Contains(name, "/") {
			found.At(path, "%s is a resource of the unified API, which is not available in this server; name a resource of the integration", quote(name))
		}
	}
}

// uncallable finds calls of functions that do not exist.
func (f *Findings) uncallable() {
	for _, u := range f.uses {
		if u.program != nil {
			f.Failures = append(f.Failures, expr.CheckCalls(u.path, u.program)...)
		}
	}
}
