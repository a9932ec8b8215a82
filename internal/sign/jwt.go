package sign

import (
	"crypto/sha1" //nolint:gosec // the header x5t is defined with it, and only names a certificate
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Algorithms lists what a JSON Web Token may be signed with.
func Algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
	}
}

// JWT is a JSON Web Token before it is signed.
type JWT struct {
	Algorithm   string // of [Algorithms]
	Key         string // a private key as PEM or as a JSON Web Key, or a shared secret of the algorithms HS*
	KeyID       string // empty: none is named
	Certificate string // as PEM: its thumbprint is named in x5t; empty: none
	Headers     map[string]any
	Claims      map[string]any
}

// ErrKey says that a key cannot be used. It does not say what it looks like.
var ErrKey = errors.New("the private key cannot be used: it has to be PEM or a JSON Web Key, unencrypted, and fit the algorithm, and a shared secret has to be as long as the hash of the algorithm")

// ErrCertificate says that a certificate cannot be read.
var ErrCertificate = errors.New("the certificate cannot be read: it has to be PEM")

// ErrCertificatePair says that a certificate and its key cannot be used.
var ErrCertificatePair = errors.New("the client certificate cannot be used: it and its private key have to be PEM and belong together")

// Sign returns the token. Errors are [ErrKey] and [ErrCertificate].
func (j *JWT) Sign() (string, error) {
	key, err := parseKey(j.Algorithm, j.Key)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, v := range j.Headers {
		options.WithHeader(jose.HeaderKey(name), v)
	}
	if j.KeyID != "" {
		options.WithHeader("kid", j.KeyID)
	}
	if j.Certificate != "" {
		block, _ := pem.Decode(pemOf(j.Certificate))
		if block == nil {
			return "", ErrCertificate
		}
		sum := sha1.Sum(block.Bytes) //nolint:gosec // as above
		options.WithHeader("x5t", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(j.Algorithm), Key: key}, options)
	if err != nil {
		return "", ErrKey
	}
	payload, err := json.Marshal(j.Claims)
	if err != nil {
		return "", errors.New("the claims are not JSON")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", ErrKey
	}
	return signed.CompactSerialize()
}

// pemOf repairs what forms and environment variables do to PEM: the ends of lines became the two characters \n.
func pemOf(text string) []byte {
	return []byte(strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n")) + "\n")
}

func parseKey(algorithm, text string) (any, error) {
	if text == "" {
		return nil, ErrKey
	}
	if strings.HasPrefix(algorithm, "HS") {
		return []byte(text), nil
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var key jose.JSONWebKey
		if key.UnmarshalJSON([]byte(text)) != nil || key.IsPublic() || !key.Valid() {
			return nil, ErrKey
		}
		return key.Key, nil
	}
	block, _ := pem.Decode(pemOf(text))
	if block == nil {
		return nil, ErrKey
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, ErrKey
}
