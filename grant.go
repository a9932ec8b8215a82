package millrace

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// Grant keeps the tokens of an integrated account alive. The pair that requests are made with is in the context of the account;
// this row says which pair that is, who asks for the next one, and the outcome.
type Grant struct {
	ID            IntegratedAccountID
	EnvironmentID EnvironmentID
	Generation    int64           // counts the pairs; a new one is stored only by who knew the one before
	Epoch         int64           // counts the leases
	LeaseUntil    Time            // the holder of the lease asks for the next pair until then; 0: there is none
	AttemptAt     Time            // when the first request for the next pair was made of which it is not known whether it was granted; 0: none
	Attempts      int64           // such requests
	RetryAt       Time            // no other request before
	Response      json.RawMessage // to the last request, stored before it was read; sealed
	Previous      string          // the refresh token before this one, until this pair has been accepted; sealed
	Pair          string          // a hash of the pair in the account's context
	Used          bool            // the provider has accepted the access token
	GrantedAt     Time            // when the pair came
	ExpiresAt     Time            // of the access token; 0: not known
	RefreshAt     Time            // when the next pair is asked for without a request that needs it; 0: never
	RefusedAt     Time            // when the provider rejected the request for the next pair; 0: it did not
	Cause         string          // why, for people
	CreatedAt     Time
	UpdatedAt     Time
}

// OAuthToken returns the tokens in a context: { "oauth": { "token": { "access_token", "refresh_token" } } }.
func OAuthToken(context map[string]any) (token map[string]any, access, refresh string) { //nolint:nonamedreturns // two texts
	oauth, _ := context["oauth"].(map[string]any)
	token, _ = oauth["token"].(map[string]any)
	access, _ = token["access_token"].(string)
	refresh, _ = token["refresh_token"].(string)
	return token, access, refresh
}

// PairOf returns the hash of the pair in a context, empty when there is none.
func PairOf(context map[string]any) string {
	_, access, refresh := OAuthToken(context)
	if access == "" && refresh == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{access, refresh}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ClearContext takes everything out of the context. What was secret stays secret when it comes again.
func (a *IntegratedAccount) ClearContext() error {
	a.Context, a.Secrets = json.RawMessage("{}"), json.RawMessage("{}")
	return nil
}

// SetToken replaces the token response in the context, and merges further members into the top level of the
// context. See [IntegratedAccount.SetContext] for the paths of secrets; those of the token begin below it.
func (a *IntegratedAccount) SetToken(token, further map[string]any, secret, ofToken [][]string) error {
	full, err := a.whole(decodeNumbers)
	if err != nil {
		return err
	}
	mergeInto(full, further)
	oauth, ok := full["oauth"].(map[string]any)
	if !ok {
		oauth = map[string]any{}
	}
	oauth["token"] = token
	full["oauth"] = oauth
	raw, err := json.Marshal(full)
	if err != nil {
		return err
	}
	for _, path := range ofToken {
		secret = append(slices.Clip(secret), slices.Concat([]string{"oauth", "token"}, path))
	}
	return a.SetContext(raw, secret)
}
