package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// TestBaseString is the example of RFC 5849, section 3.4.1.1.
func TestBaseString(t *testing.T) {
	t.Parallel()
	u, _ := url.Parse("http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b")
	got := baseString("post", u, url.Values{"c2": {""}, "a3": {"2 q"}}, [][2]string{
		{"oauth_consumer_key", "9djdj82h48djs9d2"},
		{"oauth_token", "kkk9d7dh3k39sjv7"},
		{"oauth_signature_method", "HMAC-SHA1"},
		{"oauth_timestamp", "137131201"},
		{"oauth_nonce", "7d8f3e4a"},
	})
	want := "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26" +
		"oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOAuth1 is the example of RFC 5849, section 1.2, whose signatures its readers can check, without a version.
func TestOAuth1(t *testing.T) {
	t.Parallel()
	u, _ := url.Parse("http://photos.example.net/photos?file=vacation.jpg&size=original")
	o := OAuth1{ConsumerKey: "dpf43f3p2l4k3l03", ConsumerSecret: "kd94hf93k423kf44", Token: "nnch734d00sl2jdk", TokenSecret: "pfkkdhi9sl3r4s00"}
	if got := o.sign(HMACSHA1, "GET", u, nil, [][2]string{
		{"oauth_consumer_key", o.ConsumerKey},
		{"oauth_token", o.Token},
		{"oauth_signature_method", "HMAC-SHA1"},
		{"oauth_timestamp", "137131202"},
		{"oauth_nonce", "chapoH"},
	}); got != "MdpQcU8iPSUjWoN/UDMsK2sui9I=" {
		t.Errorf("got %s", got)
	}
	o.Realm, o.Method = "123 x", Plaintext
	want := `OAuth realm="123%20x", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_nonce="n", oauth_signature_method="PLAINTEXT", oauth_timestamp="1", ` +
		`oauth_token="nnch734d00sl2jdk", oauth_version="1.0", oauth_signature="kd94hf93k423kf44%26pfkkdhi9sl3r4s00"`
	if got := o.header("GET", u, nil, "1", "n"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	o.Method = HMACSHA256
	if a, b := o.Header("GET", u, nil, time.Unix(7, 0)), o.Header("GET", u, nil, time.Unix(7, 0)); a == b || !strings.Contains(a, `oauth_timestamp="7"`) {
		t.Errorf("two requests have the same nonce: %s", a)
	}
}

func TestJWT(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	ecDER, _ := x509.MarshalECPrivateKey(ecKey)
	jwk, _ := jose.JSONWebKey{Key: rsaKey}.MarshalJSON()
	shared := strings.Repeat("shared-secret ", 5)
	for name, c := range map[string]struct {
		algorithm, key string
		public         any
	}{
		"PKCS 8":             {"RS256", pkcs8(rsaKey), rsaKey.Public()},
		"PKCS 8 on one line": {"PS256", strings.ReplaceAll(pkcs8(rsaKey), "\n", `\n`), rsaKey.Public()},
		"PKCS 1":             {"RS512", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})), rsaKey.Public()},
		"JSON Web Key":       {"RS256", string(jwk), rsaKey.Public()},
		"an elliptic curve":  {"ES256", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ecDER})), ecKey.Public()},
		"an Edwards curve":   {"EdDSA", pkcs8(edKey), edKey.Public()},
		"a shared secret":    {"HS256", shared, []byte(shared)},
	} {
		token, err := (&JWT{Algorithm: c.algorithm, Key: c.key, KeyID: "k1", Headers: map[string]any{"x": "y"}, Claims: map[string]any{"iss": "me"}}).Sign()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.algorithm)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		payload, err := parsed.Verify(c.public)
		if err != nil || string(payload) != `{"iss":"me"}` || parsed.Signatures[0].Header.KeyID != "k1" || parsed.Signatures[0].Header.ExtraHeaders["typ"] != "JWT" {
			t.Errorf("%s: got %s, %v, %v", name, payload, parsed.Signatures[0].Header, err)
		}
	}
	public, _ := jose.JSONWebKey{Key: rsaKey.Public()}.MarshalJSON()
	for name, key := range map[string]string{"nothing": "", "no key": "secret-key", "PEM of nothing": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "another curve": pkcs8(ecKey), "a public key": string(public), "no JSON": "{secret-key"} {
		if _, err := (&JWT{Algorithm: "RS256", Key: key}).Sign(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := (&JWT{Algorithm: "HS256", Key: "short"}).Sign(); !errors.Is(err, ErrKey) {
		t.Errorf("a short shared secret: got %v", err)
	}
	if _, err := (&JWT{Algorithm: "HS256", Key: "secret-key", Certificate: "secret"}).Sign(); !errors.Is(err, ErrCertificate) {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(Algorithms(), "RS256") {
		t.Error("RS256 is missing")
	}
}

// TestAWS is the example of a request to IAM that AWS has in its documentation, with the header that this package adds.
func TestAWS(t *testing.T) {
	t.Parallel()
	req, _ := http.NewRequest(http.MethodGet, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	a := AWS{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Region: "us-east-1", Service: "iam"}
	if err := a.Sign(t.Context(), req, nil, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	got := req.Header.Get("Authorization")
	if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=") ||
		req.Header.Get("X-Amz-Date") != "20150830T123600Z" || strings.Contains(got, a.SecretAccessKey) {
		t.Errorf("got %s", got)
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	if _, err := Certificate("secret", "secret"); !errors.Is(err, ErrCertificatePair) {
		t.Errorf("got %v", err)
	}
}
