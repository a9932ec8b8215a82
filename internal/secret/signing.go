package secret

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/millrace/millrace"
)

// NewSigning makes a key of signatures that a receiver can use instead of another one: base64 behind whsec_, or else a UUID.
func NewSigning(old string) string {
	const standard = "whsec_"
	if !strings.HasPrefix(old, standard) {
		return millrace.NewSecret()
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return standard + base64.StdEncoding.EncodeToString(key)
}
