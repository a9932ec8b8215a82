package httpapi

import (
	"encoding/json"
	"strings"
)

// withoutSecrets returns an integration's config or an installation's override as it may be shown. In credentials it
// drops every member that by its name is a secret, and in webhook the key of a signature; of the rest it drops
// secret_environment_variables. A field definition is not a secret: it is an element of a list, and its name stands in
// a value.
func withoutSecrets(config json.RawMessage) json.RawMessage {
	root, err := parseJSON(config)
	if err != nil || root.kind != kindObject {
		return json.RawMessage("{}") // never show what cannot be understood
	}
	root.remove("secret_environment_variables")
	for _, name := range []string{"credentials", "webhook"} {
		if section := root.get(name); section != nil {
			dropSecrets(section)
		}
	}
	return root.json()
}

func dropSecrets(v *value) {
	kept := v.members[:0]
	for _, m := range v.members {
		if !isSecretName(m.key) || m.value.kind == kindObject || m.value.kind == kindArray {
			dropSecrets(m.value)
			kept = append(kept, m)
		}
	}
	v.members = kept
	for _, item := range v.items {
		if item.kind == kindObject && item.get("name") != nil {
			continue // a field definition
		}
		dropSecrets(item)
	}
}

func isSecretName(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "secret", "client_secret", "clientsecret", "password", "private_key", "privatekey", "api_key", "apikey",
		"api_token", "token", "access_token", "refresh_token":
		return true
	}
	return strings.HasSuffix(name, "_secret")
}
