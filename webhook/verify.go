package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The reasons to reject a request.
var (
	ErrNoSignature = errors.New("webhook: the request has no signature")
	ErrSignature   = errors.New("webhook: no signature fits the body and the secret")
	ErrTimestamp   = errors.New("webhook: the timestamp is too far from now")
)

// DefaultTolerance is how far the time of a request may be from the receiver's clock.
const DefaultTolerance = 5 * time.Minute

// Verifier checks that a request was signed with one of its secrets. The zero value of every field but the secrets,
// which NewVerifier sets, works. It is safe for concurrent use.
type Verifier struct {
	Tolerance    time.Duration    // 0: DefaultTolerance
	Clock        func() time.Time // nil: time.Now
	HeaderPrefix string           // of the compatible header X-<prefix>-Signature; empty: Truto

	secrets []string
}

// NewVerifier returns a verifier of the webhook's secret. While a secret is being changed, give the new one and the
// old one.
func NewVerifier(secrets ...string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: a secret is required")
	}
	if slices.Contains(secrets, "") {
		return nil, errors.New("webhook: a secret is empty")
	}
	return &Verifier{secrets: secrets}, nil
}

// Verify checks the headers of a request against its raw body. It prefers the Standard Webhooks headers, which sign
// the id and the time as well. Errors are [ErrNoSignature], [ErrSignature] or [ErrTimestamp], possibly wrapped.
func (v *Verifier) Verify(h http.Header, body []byte) error {
	if h.Get("Webhook-Signature") != "" {
		return v.standard(h, body)
	}
	return v.compatible(h, body)
}

// standard follows https://www.standardwebhooks.com: HMAC-SHA256 over id.timestamp.body, several signatures separated
// by spaces.
func (v *Verifier) standard(h http.Header, body []byte) error {
	id, timestamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return fmt.Errorf("%w: webhook-id and webhook-timestamp are required beside it", ErrNoSignature)
	}
	if err := v.fresh(time.Unix(seconds, 0)); err != nil {
		return err
	}
	for _, secret := range v.secrets {
		want := mac(standardKey(secret), []byte(id+"."+timestamp+"."), body)
		for signature := range strings.FieldsSeq(h.Get("Webhook-Signature")) {
			encoded, ok := strings.CutPrefix(signature, "v1,")
			got, err := base64.StdEncoding.DecodeString(encoded)
			if ok && err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return ErrSignature
}

// compatible reads X-Truto-Signature: format=sha256,v=<base64 or hex>, which signs the body alone. Its time is not
// checked, because it is nowhere signed but in the body's created_at, which a repetition does not change.
func (v *Verifier) compatible(h http.Header, body []byte) error {
	name := "X-" + v.prefix() + "-Signature"
	values := append(h.Values(name), h.Values(name+"-Previous")...)
	if len(values) == 0 {
		return ErrNoSignature
	}
	for _, value := range values {
		_, encoded, _ := strings.Cut(value, "v=")
		for _, secret := range v.secrets {
			if want := mac([]byte(secret), body); fits(encoded, want) {
				return nil
			}
		}
	}
	return ErrSignature
}

// fits compares a signature in either encoding in constant time.
func fits(encoded string, want []byte) bool {
	if got, err := base64.StdEncoding.DecodeString(encoded); err == nil && hmac.Equal(got, want) {
		return true
	}
	got, err := hex.DecodeString(encoded)
	return err == nil && hmac.Equal(got, want)
}

func (v *Verifier) prefix() string {
	if v.HeaderPrefix == "" {
		return "Truto"
	}
	return v.HeaderPrefix
}

func (v *Verifier) fresh(at time.Time) error {
	now, tolerance := time.Now, v.Tolerance //nolint:forbidigo // the default of the injected clock
	if v.Clock != nil {
		now = v.Clock
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if now().Sub(at).Abs() > tolerance {
		return ErrTimestamp
	}
	return nil
}

// standardKey is base64 behind whsec_; any other secret is the key itself.
func standardKey(secret string) []byte {
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return key
		}
	}
	return []byte(secret)
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
