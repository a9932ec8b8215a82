package oauth

import (
	"errors"
	"strings"
	"unicode"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
)

// maxMessage bounds a message, in characters.
const maxMessage = 300

// errorResponse is what a provider says about a request that it did not grant.
type errorResponse struct {
	code        string // cleaned
	description string // as it came
	secrets     []string
}

// message says it in words for people: what the code means, then the provider's own words.
func (er *errorResponse) message() string {
	said := say(er.description, er.secrets)
	means := meaning(er.code)
	switch {
	case means == "" && said == "" && er.code == "":
		return "the provider did not say why it rejected the request"
	case means == "" && said == "":
		means = "the provider rejected the request"
	case means == "":
		means, said = "the provider rejected the request: "+said, ""
	}
	if er.code != "" {
		means += " (" + er.code + ")"
	}
	if said != "" {
		means += "; the provider says: " + said
	}
	return clip(means)
}

// meaning explains the codes that are common.
func meaning(code string) string {
	switch code {
	case "invalid_grant", "invalid_refresh_token", "bad_refresh_token", "token_revoked", "token_expired", "expired_token", "invalid_token", "invalid_code", "bad_verification_code":
		return "the authorization has expired, was revoked, or was used already: the account has to be connected again"
	case "invalid_client", "incorrect_client_credentials", "bad_client_secret", "invalid_client_id", "invalid_client_secret":
		return "the provider does not accept the id or the secret of the client"
	case "unauthorized_client", "unsupported_grant_type":
		return "the provider does not let this client ask for tokens in this way"
	case "access_denied":
		return "access was denied"
	case "invalid_scope":
		return "the provider does not grant these scopes to this client"
	case "redirect_uri_mismatch", "bad_redirect_uri", "invalid_redirect_uri":
		return "the redirect URL is not registered with the provider"
	case "account_inactive", "user_disabled", "inactive_user":
		return "the user is no longer active at the provider"
	case "interaction_required", "consent_required", "login_required":
		return "the user has to log in at the provider and allow the connection again"
	case "temporarily_unavailable", "server_error":
		return "the provider cannot process the request at the moment"
	}
	return ""
}

// cleanCode makes a code of what a provider sends: in lower case, without anything that codes do not have.
func cleanCode(text string) string {
	const most = 64
	code := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)), r == '_', r == '-', r == '.', r == ':':
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(text))
	if len(code) > most {
		return "" // not a code
	}
	return code
}

// say makes a text of a provider fit to be shown: without secrets, on one line, short.
func say(text string, secrets []string) string {
	text = strings.ToValidUTF8(text[:min(len(text), 16<<10)], "")
	text = secret.NewScrubber(secrets, secret.MinText).Scrub(text)
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)
	return clip(strings.Join(strings.Fields(text), " "))
}

func clip(text string) string {
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return text
}

// hidden lists what is secret among texts.
func hidden(texts ...string) []string {
	var out []string
	for _, text := range texts {
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}

// clean removes secrets from an error about a config.
func (b *builder) clean(err error) error {
	secrets := append(secret.NewSet().Values(b.goContext), b.secrets...)
	e, ok := errors.AsType[*millrace.Error](err)
	if !ok {
		return errors.New(say(err.Error(), secrets))
	}
	out := &millrace.Error{Kind: e.Kind, Message: say(e.Message, secrets)}
	for _, failure := range e.Failures {
		failure.Message = say(failure.Message, secrets)
		out.Failures = append(out.Failures, failure)
	}
	return out
}
