package account

import (
	"encoding/json"
	"strings"

	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/secret"
)

// WithoutSecrets returns an integration's config or an override of one as it may be shown: without
// secret_environment_variables, without environment variables that set calls secret, without what by its name is a secret in
// credentials and webhook, and without credentials that are written out where a placeholder could stand: in authorizations,
// headers, queries and bodies.
func WithoutSecrets(config json.RawMessage, set *secret.Set) json.RawMessage {
	root, err := document.ParseJSON(config)
	if err != nil || root.Kind != document.KindObject {
		return json.RawMessage("{}") // never show what cannot be understood
	}
	root.Remove("secret_environment_variables")
	if variables := root.Get(EnvironmentVariables); variables != nil {
		dropMembers(variables, func(m document.Member) bool { return set.IsVariable(m.Key) })
	}
	for _, name := range []string{"credentials", "webhook"} {
		if section := root.Get(name); section != nil {
			dropNamed(section, false)
		}
	}
	dropWritten(root)
	for _, resource := range document.MembersOf(root.Get("resources")) {
		for _, method := range document.MembersOf(resource.Value) {
			dropWritten(method.Value)
		}
	}
	for _, action := range document.MembersOf(root.Get("actions")) {
		dropInActions(action.Value)
	}
	return root.JSON()
}

// dropMembers drops members of an object.
func dropMembers(v *document.Value, drop func(document.Member) bool) {
	kept := v.Members[:0]
	for _, m := range v.Members {
		if !drop(m) {
			kept = append(kept, m)
		}
	}
	v.Members = kept
}

// dropNamed drops every member that by its name is a secret. The name of a field stands in a value; what a field for a password
// begins with is a secret.
func dropNamed(v *document.Value, listed bool) {
	isField := listed && v.Kind == document.KindObject && v.Get("name") != nil
	dropMembers(v, func(m document.Member) bool {
		switch m.Value.Kind {
		case document.KindObject, document.KindArray:
			return false
		case document.KindNull, document.KindBool, document.KindNumber, document.KindString:
		}
		return secret.IsName(m.Key) && !isField || isField && (m.Key == "default" || m.Key == "value") && isSecretField(v)
	})
	for _, m := range v.Members {
		dropNamed(m.Value, false)
	}
	for _, item := range v.Items {
		dropNamed(item, true)
	}
}

func isSecretField(v *document.Value) bool {
	hidden := v.Get("secret")
	return strings.EqualFold(document.TextIn(v, "type"), "password") || hidden != nil && string(hidden.JSON()) == "true"
}

// dropWritten drops credentials that are written out in a method, or at the top of a config.
func dropWritten(v *document.Value) {
	if v.Kind != document.KindObject {
		return
	}
	if authorization := v.Get("authorization"); authorization != nil && authorization.Kind == document.KindObject {
		if config := authorization.Get("config"); config != nil {
			dropMembers(config, func(m document.Member) bool {
				return m.Key != "header_name" && m.Key != "username" && m.Key != "expression" && isWritten(m.Value)
			})
			if headers := config.Get("headers"); headers != nil {
				dropMembers(headers, func(m document.Member) bool { return isWritten(m.Value) })
			}
		}
	}
	for _, name := range []string{"headers", "query", "body"} {
		if section := v.Get(name); section != nil {
			dropMembers(section, func(m document.Member) bool { return secret.IsRequestName(m.Key) && isWritten(m.Value) })
		}
	}
}

// isWritten reports whether a value is a text without a placeholder, or a number.
func isWritten(v *document.Value) bool {
	return v.Kind == document.KindNumber || v.Kind == document.KindString && !strings.Contains(v.Text, "{{")
}

func dropInActions(action *document.Value) {
	steps := []*document.Value{action}
	if action.Kind == document.KindObject && action.Get("steps") != nil {
		steps = action.Get("steps").Items
	}
	for _, step := range steps {
		if step.Kind == document.KindObject && step.Get("config") != nil {
			dropWritten(step.Get("config"))
			if fields := step.Get("config").Get("fields"); fields != nil {
				dropNamed(fields, false)
			}
		}
	}
}
