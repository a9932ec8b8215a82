package httpapi

import (
	"encoding/json"
	"strings"

	"github.com/millrace/millrace/internal/secret"
)

// withoutSecrets returns an integration's config or an override of one as it may be shown: without
// secret_environment_variables, without environment variables that set calls secret, without what by its name is a secret in
// credentials and webhook, and without credentials that are written out where a placeholder could stand: in authorizations,
// headers, queries and bodies.
func withoutSecrets(config json.RawMessage, set *secret.Set) json.RawMessage {
	root, err := parseJSON(config)
	if err != nil || root.kind != kindObject {
		return json.RawMessage("{}") // never show what cannot be understood
	}
	root.remove("secret_environment_variables")
	if variables := root.get(environmentVariables); variables != nil {
		dropMembers(variables, func(m member) bool { return set.IsVariable(m.key) })
	}
	for _, name := range []string{"credentials", "webhook"} {
		if section := root.get(name); section != nil {
			dropNamed(section, false)
		}
	}
	dropWritten(root)
	for _, resource := range membersOf(root.get("resources")) {
		for _, method := range membersOf(resource.value) {
			dropWritten(method.value)
		}
	}
	for _, action := range membersOf(root.get("actions")) {
		dropInActions(action.value)
	}
	return root.json()
}

// dropMembers drops members of an object.
func dropMembers(v *value, drop func(member) bool) {
	kept := v.members[:0]
	for _, m := range v.members {
		if !drop(m) {
			kept = append(kept, m)
		}
	}
	v.members = kept
}

// dropNamed drops every member that by its name is a secret. The name of a field stands in a value; what a field for a password
// begins with is a secret.
func dropNamed(v *value, listed bool) {
	isField := listed && v.kind == kindObject && v.get("name") != nil
	dropMembers(v, func(m member) bool {
		switch m.value.kind {
		case kindObject, kindArray:
			return false
		case kindNull, kindBool, kindNumber, kindString:
		}
		return secret.IsName(m.key) && !isField || isField && (m.key == "default" || m.key == "value") && isSecretField(v)
	})
	for _, m := range v.members {
		dropNamed(m.value, false)
	}
	for _, item := range v.items {
		dropNamed(item, true)
	}
}

func isSecretField(v *value) bool {
	hidden := v.get("secret")
	return strings.EqualFold(textIn(v, "type"), "password") || hidden != nil && string(hidden.json()) == "true"
}

// dropWritten drops credentials that are written out in a method, or at the top of a config.
func dropWritten(v *value) {
	if v.kind != kindObject {
		return
	}
	if authorization := v.get("authorization"); authorization != nil && authorization.kind == kindObject {
		if config := authorization.get("config"); config != nil {
			dropMembers(config, func(m member) bool {
				return m.key != "header_name" && m.key != "username" && m.key != "expression" && isWritten(m.value)
			})
			if headers := config.get("headers"); headers != nil {
				dropMembers(headers, func(m member) bool { return isWritten(m.value) })
			}
		}
	}
	for _, name := range []string{"headers", "query", "body"} {
		if section := v.get(name); section != nil {
			dropMembers(section, func(m member) bool { return secret.IsRequestName(m.key) && isWritten(m.value) })
		}
	}
}

// isWritten reports whether a value is a text without a placeholder, or a number.
func isWritten(v *value) bool {
	return v.kind == kindNumber || v.kind == kindString && !strings.Contains(v.text, "{{")
}

func dropInActions(action *value) {
	steps := []*value{action}
	if action.kind == kindObject && action.get("steps") != nil {
		steps = action.get("steps").items
	}
	for _, step := range steps {
		if step.kind == kindObject && step.get("config") != nil {
			dropWritten(step.get("config"))
			if fields := step.get("config").get("fields"); fields != nil {
				dropNamed(fields, false)
			}
		}
	}
}
