package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// EncodingHex is the signature_encoding of a webhook whose receiver expects hex; anything else means base64.
const EncodingHex = "hex"

const standardSecretPrefix = "whsec_"

// signature is what one request is signed with.
type signature struct {
	prefix  string // of the compatible header: X-<prefix>-Signature
	webhook *millrace.Webhook
	id      millrace.DeliveryID
	at      time.Time
	body    []byte
}

// setHeaders sets the headers of both schemes. Every request carries both, so that a receiver that verifies with
// either needs no setting. While a secret is on its way out, the standard header lists a signature for each key. The
// compatible header has room for one, so the other gets a header of its own.
func (s signature) setHeaders(h http.Header) {
	timestamp := strconv.FormatInt(s.at.Unix(), 10)
	compatible := "X-" + s.prefix + "-Signature"
	var standard []string
	for _, secret := range s.webhook.SigningSecrets(millrace.TimeOf(s.at)) {
		// Receivers take what follows the first "v=", so nothing before the signature may contain that.
		h.Set(compatible, "format=sha256,v="+encode(mac([]byte(secret), s.body), s.webhook.SignatureEncoding))
		compatible += "-Previous"
		sum := mac(standardKey(secret), []byte(s.id), []byte("."), []byte(timestamp), []byte("."), s.body)
		standard = append(standard, "v1,"+base64.StdEncoding.EncodeToString(sum))
	}
	h.Set("Webhook-Id", string(s.id))
	h.Set("Webhook-Timestamp", timestamp)
	h.Set("Webhook-Signature", strings.Join(standard, " "))
}

func encode(sum []byte, encoding string) string {
	if encoding == EncodingHex {
		return hex.EncodeToString(sum)
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// standardKey returns the key of the Standard Webhooks scheme: what follows whsec_ is base64, any other secret (a
// bare UUID, as the API hands them out) is the key itself.
func standardKey(secret string) []byte {
	encoded, ok := strings.CutPrefix(secret, standardSecretPrefix)
	if !ok {
		return []byte(secret)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return []byte(secret)
	}
	return key
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
