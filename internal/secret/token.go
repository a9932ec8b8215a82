package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// NewToken returns a random API token of 256 bits: mr_ and base64url.
func NewToken() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return "mr_" + base64.RawURLEncoding.EncodeToString(random)
}

// HashToken returns what is stored of an API token, by which it is found: SHA-256 in hexadecimal digits. A token is random, so the
// hash needs neither salt nor cost.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
