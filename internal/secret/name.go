package secret

import (
	"regexp"
	"strings"
)

// secretName matches names that hold secrets in practice, where nothing declares them.
var secretName = regexp.MustCompile(`(?i)token|secret|passw|api[_-]?key|private[_-]?key|credential|authorization|signature|session|cookie`)

// IsName reports whether what is called so is a secret where nothing says more: a member of a config, a header, a
// parameter. What only describes one is none: its kind, where it comes from, what its parameter is called.
func IsName(name string) bool {
	if !secretName.MatchString(name) {
		return false
	}
	plain := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	for _, suffix := range []string{
		"type", "host", "path", "url", "params", "method", "mode", "duration", "separator", "format", "name", "expression", "authorization", "verification", "credentials",
	} {
		if strings.HasSuffix(plain, suffix) {
			return false
		}
	}
	return true
}

// IsRequestName reports whether a header or a parameter of a request carries a credential, or proves something.
func IsRequestName(name string) bool {
	return strings.Contains(strings.ToLower(name), "authorization") || IsName(name)
}

// MayBeSecret reports whether a header of a request had better not be shown.
func MayBeSecret(name string) bool {
	name = strings.ToLower(name)
	return IsRequestName(name) || strings.Contains(name, "auth") || strings.Contains(name, "key")
}

// FixedPaths lists the members of an account's context that are secret whatever its integration says.
func FixedPaths() []string {
	return []string{
		"oauth.token.access_token", "oauth.token.refresh_token", "oauth.token.access_token_secret",
		"api_key", "api_token", "token", "password", "secret", "client_secret", "access_token", "refresh_token",
		"secret_environment_variables",
	}
}
