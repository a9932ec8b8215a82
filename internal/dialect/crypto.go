package dialect

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // providers require it for checksums
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

const (
	pemHeader = "-----BEGIN PRIVATE KEY-----"
	pemFooter = "-----END PRIVATE KEY-----"
)

// cryptoFunctions make digests and signatures.
func cryptoFunctions() []jsonata.Func {
	return js.Bounded(
		jsonata.Func{Name: "digest", Params: 3, Call: digest},
		jsonata.Func{Name: "sign", Params: 4, Call: sign},
	)
}

// hashes are the algorithms by their names in capitals.
func hashes(name string) (func() hash.Hash, bool) {
	switch name {
	case "SHA-1":
		return sha1.New, true
	case "SHA-256":
		return sha256.New, true
	case "SHA-384":
		return sha512.New384, true
	case "SHA-512":
		return sha512.New, true
	}
	return nil, false
}

// optional returns an argument, or a default if it is undefined.
func optional(c *jsonata.Call, i int, otherwise string) jsonata.Value {
	if v := c.Arg(i); v != nil {
		return v
	}
	return otherwise
}

// plainText is the text that is hashed; undefined is none.
func plainText(v jsonata.Value) []byte {
	if v == nil {
		return nil
	}
	return []byte(js.Text(v))
}

// digest implements $digest(text, algorithm, output).
func digest(c *jsonata.Call) (jsonata.Value, error) {
	algorithm, output := optional(c, 1, "SHA-256"), optional(c, 2, "hex")
	text := plainText(c.Arg(0))
	if err := c.Step(len(text) / 64); err != nil {
		return nil, err
	}
	if algorithm == "MD5" || algorithm == "md5" {
		s, ok := c.Arg(0).(string)
		if !ok {
			return nil, js.ArgumentError(`The "data" argument must be a string, a Buffer, a Uint8Array, or a DataView`)
		}
		sum := md5.Sum([]byte(s)) //nolint:gosec // as above
		if output != "hex" && output != "base64-urlSafe" {
			output = "base64"
		}
		return encodeBytes(sum[:], output), nil
	}
	name, _ := algorithm.(string)
	newHash, ok := hashes(strings.ToUpper(name))
	if !ok {
		return nil, js.ArgumentError("Unrecognized algorithm name")
	}
	h := newHash()
	_, _ = h.Write(text)
	return encodeBytes(h.Sum(nil), output), nil
}

// encodeBytes writes bytes as hex, base64 or base64-urlSafe; any other output is undefined.
func encodeBytes(b []byte, output jsonata.Value) jsonata.Value {
	switch output {
	case "hex":
		return hex.EncodeToString(b)
	case "base64":
		return base64.StdEncoding.EncodeToString(b)
	case "base64-urlSafe":
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return nil
}

// sign implements $sign(text, algorithm, secret, output): an HMAC, or an RSA signature for RS256.
func sign(c *jsonata.Call) (jsonata.Value, error) {
	text, output := plainText(c.Arg(0)), optional(c, 3, "hex")
	if err := c.Step(len(text) / 64); err != nil {
		return nil, err
	}
	algorithm := ""
	if v := optional(c, 1, "SHA-256"); !js.IsNullish(v) {
		algorithm = strings.ToUpper(js.TrimSpace(js.Text(v)))
	}
	if algorithm == "RS256" {
		signature, err := signRSA(text, c.Arg(2))
		if err != nil {
			return nil, err
		}
		return encodeBytes(signature, output), nil
	}
	if algorithm == "" {
		algorithm = "SHA-256"
	}
	newHash, ok := hashes(algorithm)
	if !ok {
		return nil, js.ArgumentError("Unrecognized algorithm name")
	}
	secret := plainText(c.Arg(2))
	if len(secret) == 0 {
		return nil, js.ArgumentError("Zero-length key is not supported")
	}
	mac := hmac.New(newHash, secret)
	_, _ = mac.Write(text)
	return encodeBytes(mac.Sum(nil), output), nil
}

// signRSA signs with RSASSA-PKCS1-v1_5 and SHA-256. The line breaks of the key may be written as \n.
func signRSA(text []byte, secret jsonata.Value) ([]byte, error) {
	pem, ok := secret.(string)
	if !ok && !js.IsNullish(secret) {
		return nil, js.ArgumentError("secret.includes is not a function")
	}
	pem = strings.ReplaceAll(pem, `\n`, "\n")
	if !strings.Contains(pem, pemHeader) {
		return nil, js.ArgumentError("RS256 requires a PKCS#8 PEM private key (BEGIN PRIVATE KEY)")
	}
	body := strings.Replace(strings.Replace(pem, pemHeader, "", 1), pemFooter, "", 1)
	der, err := decodeBase64(body)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	private, isRSA := key.(*rsa.PrivateKey)
	if err == nil && !isRSA {
		err = js.ArgumentError("not an RSA key")
	}
	if err != nil {
		return nil, js.ArgumentError("RS256 key import failed. Ensure an unencrypted PKCS#8 PEM (BEGIN PRIVATE KEY). Underlying: %v", err)
	}
	sum := sha256.Sum256(text)
	return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:])
}
