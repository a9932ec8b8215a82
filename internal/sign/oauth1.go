package sign

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 5849 has no other in most providers' versions of it, and HMAC-SHA1 is not broken
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ways of signing of OAuth 1.0a.
const (
	HMACSHA1   = "HMAC-SHA1"
	HMACSHA256 = "HMAC-SHA256"
	Plaintext  = "PLAINTEXT"
)

// OAuth1 signs requests as RFC 5849 says.
type OAuth1 struct {
	ConsumerKey    string
	ConsumerSecret string
	Token          string // empty: there is none yet
	TokenSecret    string
	Method         string // empty: HMACSHA1
	Realm          string // empty: none
	Callback       string // of a request for temporary credentials
	Verifier       string // of a request for a token
}

// Header returns the header Authorization of a request. form is its body, when that is a form.
func (o *OAuth1) Header(verb string, u *url.URL, form url.Values, now time.Time) string {
	return o.header(verb, u, form, strconv.FormatInt(now.Unix(), 10), rand.Text())
}

func (o *OAuth1) header(verb string, u *url.URL, form url.Values, timestamp, nonce string) string {
	method := o.Method
	if method == "" {
		method = HMACSHA1
	}
	protocol := [][2]string{
		{"oauth_callback", o.Callback},
		{"oauth_consumer_key", o.ConsumerKey},
		{"oauth_nonce", nonce},
		{"oauth_signature_method", method},
		{"oauth_timestamp", timestamp},
		{"oauth_token", o.Token},
		{"oauth_verifier", o.Verifier},
		{"oauth_version", "1.0"},
	}
	protocol = slices.DeleteFunc(protocol, func(p [2]string) bool { return p[1] == "" })
	protocol = append(protocol, [2]string{"oauth_signature", o.sign(method, verb, u, form, protocol)})
	var parts []string
	if o.Realm != "" {
		parts = append(parts, `realm="`+escape(o.Realm)+`"`)
	}
	for _, p := range protocol {
		parts = append(parts, p[0]+`="`+escape(p[1])+`"`)
	}
	return "OAuth " + strings.Join(parts, ", ")
}

func (o *OAuth1) sign(method, verb string, u *url.URL, form url.Values, protocol [][2]string) string {
	key := escape(o.ConsumerSecret) + "&" + escape(o.TokenSecret)
	var digest func() hash.Hash
	switch method {
	case Plaintext:
		return key
	case HMACSHA256:
		digest = sha256.New
	default:
		digest = sha1.New
	}
	mac := hmac.New(digest, []byte(key))
	mac.Write([]byte(baseString(verb, u, form, protocol)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// baseString is what is signed: the verb, the address, and every parameter.
func baseString(verb string, u *url.URL, form url.Values, protocol [][2]string) string {
	var params []string
	add := func(name, value string) { params = append(params, escape(name)+"="+escape(value)) }
	for _, p := range protocol {
		add(p[0], p[1])
	}
	for _, values := range []url.Values{u.Query(), form} {
		for name, list := range values {
			for _, value := range list {
				add(name, value)
			}
		}
	}
	slices.SortFunc(params, func(a, b string) int { // by name, then by value
		return slices.Compare(strings.SplitN(a, "=", 2), strings.SplitN(b, "=", 2))
	})
	return strings.ToUpper(verb) + "&" + escape(baseURL(u)) + "&" + escape(strings.Join(params, "&"))
}

func baseURL(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if name, port, err := net.SplitHostPort(host); err == nil && (scheme == "http" && port == "80" || scheme == "https" && port == "443") {
		host = name
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}

// escape encodes everything but the unreserved characters of RFC 3986.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		out.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return out.String()
}
