package deliver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/millrace/millrace"
)

const (
	uuidSecret  = "b29c2a30-6c1e-4a6b-9d0e-0f3a8b6f1c55"
	whsecSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	signedBody  = `{"id":"e1","event":"test","payload":{"foo":"bär"}}`
)

func signedHeader(w millrace.Webhook, at time.Time) http.Header {
	h := http.Header{}
	signature{prefix: "Truto", webhook: &w, id: "d1", at: at, body: []byte(signedBody)}.setHeaders(h)
	return h
}

// The expected values come from openssl dgst -sha256 -hmac.
func TestCompatibleSignatureIsTheHMACOfTheRawBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ encoding, want string }{
		"base64 by default": {"", "format=sha256,v=zgQGiMSwUg9l/lFTWrPB1SjYiOA+ZyG9LO7MuFGp/eQ="},
		"base64":            {"base64", "format=sha256,v=zgQGiMSwUg9l/lFTWrPB1SjYiOA+ZyG9LO7MuFGp/eQ="},
		"hex":               {"hex", "format=sha256,v=ce040688c4b0520f65fe51535ab3c1d528d888e03e6721bd2ceeccb851a9fde4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := millrace.Webhook{Secret: uuidSecret, SignatureEncoding: c.encoding}
			if got := signedHeader(w, time.Unix(1, 0)).Get("X-Truto-Signature"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Receivers in the field take what follows the first "v=".
func TestNothingBeforeTheSignatureLooksLikeIt(t *testing.T) {
	t.Parallel()
	got := signedHeader(millrace.Webhook{Secret: uuidSecret}, time.Unix(1, 0)).Get("X-Truto-Signature")
	if before, _, _ := strings.Cut(got, "v="); before != "format=sha256," {
		t.Errorf("before the first v= stands %q", before)
	}
}

func TestStandardWebhooksLibraryVerifies(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"whsec": whsecSecret, "bare": uuidSecret} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := signedHeader(millrace.Webhook{Secret: secret}, time.Now())
			verifier := standardVerifier(t, secret)
			if err := verifier.Verify([]byte(signedBody), h); err != nil {
				t.Errorf("our signature is rejected: %v", err)
			}
			if err := verifier.Verify([]byte(signedBody+" "), h); err == nil {
				t.Error("the signature of another body is accepted")
			}
			old := signedHeader(millrace.Webhook{Secret: secret}, time.Now().Add(-301*time.Second))
			if err := verifier.Verify([]byte(signedBody), old); err == nil {
				t.Error("a timestamp out of tolerance is accepted")
			}
		})
	}
}

func standardVerifier(t *testing.T, secret string) *standardwebhooks.Webhook {
	t.Helper()
	newVerifier := standardwebhooks.NewWebhook
	if !strings.HasPrefix(secret, standardSecretPrefix) {
		newVerifier = func(s string) (*standardwebhooks.Webhook, error) {
			return standardwebhooks.NewWebhookRaw([]byte(s))
		}
	}
	v, err := newVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAStandardSecretThatIsNotBase64IsItsOwnKey(t *testing.T) {
	t.Parallel()
	const secret = "whsec_not base64!"
	h := signedHeader(millrace.Webhook{Secret: secret}, time.Now())
	v, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify([]byte(signedBody), h); err != nil {
		t.Errorf("our signature is rejected: %v", err)
	}
}
