package inbound

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some providers sign with nothing better
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// proof is what a request shows for itself.
type proof struct {
	reason string        // why it proves nothing; empty: it is genuine
	id     string        // what a repetition of the same delivery has in common with it; empty: nothing
	window time.Duration // how long the id counts; 0: as long as the hook is kept
}

func rejected(format string, args ...any) proof { return proof{reason: fmt.Sprintf(format, args...)} }

// claim is what a format makes of a request: what was signed, and with what result.
type claim struct {
	content    string   // what was signed
	candidates [][]byte // signatures that the request carries; one of them must be right
	key        []byte
	at         string // when it was signed; empty: it does not say
	aged       bool   // it must say when it was signed
	id         string
	window     time.Duration
}

// verifier checks where requests come from.
type verifier struct {
	clock func() time.Time
	keys  *keySets
}

// verify checks a request. An error means that we could not check it, which is not the fault of the request.
func (v *verifier) verify(ctx context.Context, s *millrace.HookSignature, req *millrace.InboundRequest) (proof, error) {
	p := &parts{req: req, query: queryReader(req.Query)}
	var got proof
	switch s.Format {
	case "basic":
		got = verifyBasic(s, req)
	case "bearer":
		got = verifyBearer(s, p)
	case "jwt":
		var err error
		if got, err = v.verifyToken(ctx, s, p); err != nil {
			return proof{}, err
		}
	default:
		got = v.verifyDigest(s, p)
	}
	if got.reason == "" && s.DeliveryID != "" {
		got.id, got.window = p.text(s.DeliveryID), 0
		if p.missing != "" {
			return rejected("the request has no %s", p.missing), nil
		}
	}
	return got, nil
}

func queryReader(raw string) func(string) string {
	var values url.Values
	return func(name string) string {
		if values == nil {
			values, _ = url.ParseQuery(raw) // what can be read counts
		}
		return values.Get(name)
	}
}

func verifyBasic(s *millrace.HookSignature, req *millrace.InboundRequest) proof {
	scheme, encoded, _ := strings.Cut(req.Header["authorization"], " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	username, password, found := strings.Cut(string(decoded), ":")
	switch {
	case !strings.EqualFold(scheme, "Basic") || err != nil || !found:
		return rejected("the request has no user name and password in its header authorization")
	case s.Username == "" || s.Password == "":
		return rejected("no user name or password is set for this account")
	case !equal(username, s.Username) || !equal(password, s.Password):
		return rejected("the user name or the password is wrong")
	}
	return proof{}
}

func verifyBearer(s *millrace.HookSignature, p *parts) proof {
	where := s.CompareWith
	if where == "" {
		where = "Bearer $header.authorization"
	}
	token := p.after(where)
	switch {
	case p.missing != "":
		return rejected("the request has no %s", p.missing)
	case s.Secret == "":
		return rejected("no secret is set for this account")
	case !equal(token, s.Secret):
		return rejected("the token is wrong")
	}
	return proof{}
}

// equal compares in a time that tells nothing, not even about lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// verifyDigest checks a keyed digest.
func (v *verifier) verifyDigest(s *millrace.HookSignature, p *parts) proof {
	c, reason := claimOf(s, p)
	switch {
	case reason != "":
		return proof{reason: reason}
	case p.missing != "":
		return rejected("the request has no %s", p.missing)
	case len(c.key) == 0:
		return rejected("no secret is set for this account")
	case len(c.candidates) == 0:
		return rejected("the request has no signature that can be read")
	}
	digest := hmac.New(algorithmOf(s.Algorithm), c.key)
	_, _ = digest.Write([]byte(c.content)) // a hash never fails
	want, right := digest.Sum(nil), false
	for _, candidate := range c.candidates {
		right = hmac.Equal(want, candidate) || right
	}
	if !right {
		return rejected("the signature does not match")
	}
	if c.aged {
		if reason := v.age(c.at, s.Tolerance); reason != "" {
			return proof{reason: reason}
		}
	}
	return proof{id: c.id, window: c.window}
}

func algorithmOf(name string) func() hash.Hash {
	switch strings.ToLower(name) {
	case "sha1":
		return sha1.New
	case "sha384":
		return sha512.New384
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

// age says what is wrong with the time of signing.
func (v *verifier) age(text string, tolerance int64) string {
	at, ok := parseTime(text)
	if !ok {
		return "the time of signing cannot be read"
	}
	age := v.clock().Sub(at)
	if limit := time.Duration(tolerance) * time.Second; age > limit || age < -limit {
		return fmt.Sprintf("it was signed %s before now; %s is allowed either way", age.Round(time.Second), limit)
	}
	return ""
}

// parseTime reads seconds or milliseconds since 1970, or ISO 8601.
func parseTime(text string) (time.Time, bool) {
	if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
		if n > 1e11 {
			return time.UnixMilli(n), true
		}
		return time.Unix(n, 0), true
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	return at, err == nil
}

// decodeDigest reads a signature in the way that it is written.
func decodeDigest(text, stringType string) [][]byte {
	text = strings.TrimSpace(text)
	var b []byte
	var err error
	switch strings.ToLower(stringType) {
	case "base64":
		b, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	case "base64url":
		b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	default:
		b, err = hex.DecodeString(text)
	}
	if err != nil || len(b) == 0 {
		return nil
	}
	return [][]byte{b}
}

func contentID(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
