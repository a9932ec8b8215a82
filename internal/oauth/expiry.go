package oauth

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/fetch/config"
)

// Numbers of seconds: more than longest is no duration any more, more than a point in time has is one in milliseconds.
const (
	longest     = 1e9
	mostSeconds = 1e11
)

// expiry says when a token expires, by our clock: zero when nothing says it.
func expiry(o *config.OAuth, body, token map[string]any, r Response, now time.Time) time.Time {
	there := now // what the provider's clock shows
	if date, err := http.ParseTime(r.Header["Date"]); err == nil {
		there = date
	}
	if o.ExpiresPath != "" {
		if left := remaining(at(body, o.ExpiresPath), there); left > 0 {
			return now.Add(left)
		}
	}
	for _, name := range []string{"expires_in", "expires_at", "expires_on", "expiresAt"} {
		if left := remaining(token[name], there); left > 0 {
			return now.Add(left)
		}
	}
	if o.Lifetime > 0 {
		return now.Add(o.Lifetime)
	}
	if left := remaining(jwtExpiry(text(token["access_token"])), there); left > 0 {
		return now.Add(left)
	}
	return time.Time{}
}

// remaining reads how long something lasts: a number of seconds, or a point in time, each as a number or as text. 0: it does not say.
func remaining(v any, there time.Time) time.Duration {
	s := text(v)
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case math.IsNaN(n) || n <= 0 || n > 1e14:
			return 0
		case n > mostSeconds:
			n = n/1000 - float64(there.Unix())
		case n > longest:
			n -= float64(there.Unix())
		}
		if n > longest {
			return 0
		}
		return time.Duration(n * float64(time.Second))
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.RFC1123} {
		if at, err := time.Parse(layout, s); err == nil && at.Sub(there) < longest*time.Second {
			return at.Sub(there)
		}
	}
	return 0
}

// jwtExpiry returns the member exp of a token that is a JSON Web Token. It is not verified: it only says when to ask for another token.
func jwtExpiry(token string) any {
	return claims(token)["exp"]
}

// claims returns what a JSON Web Token says, without a look at its signature.
func claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var out map[string]any
	if decoder.Decode(&out) != nil {
		return nil
	}
	return out
}

// retryAfter reads the header: seconds, or a point in time.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	after := remaining(value, now)
	if at, err := http.ParseTime(value); err == nil {
		after = at.Sub(now)
	}
	return max(0, min(after, most))
}
