package inbound

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
)

// Vectors that providers publish.
const (
	githubSecret    = "It's a Secret to Everybody"
	githubSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	slackSecret     = "8f742231b10e8888abcd99yyyzzz85a5"
	slackBody       = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	slackSignature  = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	slackTime       = 1531420618
	standardSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	standardBody    = `{"test": 2432232314}`
	standardTime    = 1614265330
)

func sign(key, content string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(content))
	return hex.EncodeToString(h.Sum(nil))
}

type signatureCase struct {
	name      string
	signature millrace.HookSignature
	header    map[string]string
	query     string
	body      string
	now       int64
	reason    string // part of; empty: genuine
}

func signatureCases() []signatureCase {
	github := func(signature, delivery string) map[string]string {
		return map[string]string{"x-hub-signature-256": signature, "x-github-delivery": delivery}
	}
	slack := map[string]string{"x-slack-signature": slackSignature, "x-slack-request-timestamp": "1531420618"}
	standard := map[string]string{
		"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
		"webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
	}
	svix := map[string]string{}
	for name, value := range standard {
		svix[strings.Replace(name, "webhook", "svix", 1)] = value
	}
	stripe := func(at, signature string) map[string]string {
		return map[string]string{"stripe-signature": "t=" + at + ",v0=beef,v1=" + signature + ",v1=00"}
	}
	digest := func(of millrace.HookSignature) millrace.HookSignature {
		of.Format, of.Secret = "hmac", "key"
		if of.CompareWith == "" {
			of.CompareWith = "$header.x-sig"
		}
		return of
	}
	raw := func(text string) []byte { b, _ := hex.DecodeString(text); return b }
	return []signatureCase{
		{name: "github, as documented", signature: millrace.HookSignature{Format: "github", Secret: githubSecret}, header: github(githubSignature, "72d3162e"), body: "Hello, World!"},
		{name: "github, another body", signature: millrace.HookSignature{Format: "github", Secret: githubSecret}, header: github(githubSignature, "72d3162e"), body: "Hello, World?", reason: "does not match"},
		{name: "github, another secret", signature: millrace.HookSignature{Format: "github", Secret: "x"}, header: github(githubSignature, "72d3162e"), body: "Hello, World!", reason: "does not match"},
		{name: "github, no signature", signature: millrace.HookSignature{Format: "github", Secret: githubSecret}, header: map[string]string{"x-github-delivery": "1"}, body: "Hello, World!", reason: "$header.x-hub-signature-256"},
		{name: "github, no delivery", signature: millrace.HookSignature{Format: "github", Secret: githubSecret}, header: github(githubSignature, ""), body: "Hello, World!", reason: "$header.x-github-delivery"},
		{name: "github, an empty secret", signature: millrace.HookSignature{Format: "github"}, header: github("sha256="+sign("", "x"), "1"), body: "x", reason: "no secret"},
		{name: "slack, as documented", signature: millrace.HookSignature{Format: "slack", Secret: slackSecret, Tolerance: 300}, header: slack, body: slackBody, now: slackTime + 299},
		{name: "slack, too late", signature: millrace.HookSignature{Format: "slack", Secret: slackSecret, Tolerance: 300}, header: slack, body: slackBody, now: slackTime + 301, reason: "5m1s"},
		{name: "slack, from the future", signature: millrace.HookSignature{Format: "slack", Secret: slackSecret, Tolerance: 300}, header: slack, body: slackBody, now: slackTime - 301, reason: "signed"},
		{name: "standard, as documented", signature: millrace.HookSignature{Format: "standard", Secret: standardSecret, Tolerance: 300}, header: standard, body: standardBody, now: standardTime},
		{name: "clerk", signature: millrace.HookSignature{Format: "clerk", Secret: standardSecret, Tolerance: 300}, header: svix, body: standardBody, now: standardTime},
		{name: "standard, too late", signature: millrace.HookSignature{Format: "standard", Secret: standardSecret, Tolerance: 300}, header: standard, body: standardBody, now: standardTime + 3600, reason: "signed"},
		{name: "stripe", signature: millrace.HookSignature{Format: "stripe", Secret: "whsec_x", Tolerance: 300}, header: stripe("1000", sign("whsec_x", "1000.{}")), body: "{}", now: 1000},
		{name: "stripe, another time", signature: millrace.HookSignature{Format: "stripe", Secret: "whsec_x", Tolerance: 300}, header: stripe("1001", sign("whsec_x", "1000.{}")), body: "{}", now: 1000, reason: "does not match"},
		{name: "stripe, nonsense", signature: millrace.HookSignature{Format: "stripe", Secret: "whsec_x", Tolerance: 300}, header: map[string]string{"stripe-signature": "hello"}, body: "{}", now: 1000, reason: "no signature that can be read"},
		{name: "hmac of the body", signature: digest(millrace.HookSignature{}), header: map[string]string{"x-sig": strings.ToUpper(sign("key", "x"))}, body: "x"},
		{name: "hmac in base64", signature: digest(millrace.HookSignature{StringType: "base64"}), header: map[string]string{"x-sig": base64.StdEncoding.EncodeToString(raw(sign("key", "x")))}, body: "x"},
		{name: "hmac in base64url", signature: digest(millrace.HookSignature{StringType: "base64url"}), header: map[string]string{"x-sig": base64.URLEncoding.EncodeToString(raw(sign("key", "x")))}, body: "x"},
		{name: "hmac of parts", signature: digest(millrace.HookSignature{Parts: []string{"v1:", "$header.X-At", ".", "$body", "!$query.q"}, CompareWith: "v1=$header.x-sig"}), header: map[string]string{"x-at": "9", "x-sig": "v1=" + sign("key", "v1:9.x!z")}, query: "q=z", body: "x"},
		{name: "hmac, a part is missing", signature: digest(millrace.HookSignature{Parts: []string{"$header.x-at", "$body"}}), header: map[string]string{"x-sig": sign("key", "x")}, body: "x", reason: "$header.x-at"},
		{name: "hmac with a time", signature: digest(millrace.HookSignature{Timestamp: "$header.x-at", Tolerance: 10}), header: map[string]string{"x-at": "1000", "x-sig": sign("key", "x")}, body: "x", now: 1011, reason: "signed 11s"},
		{name: "hmac cut short", signature: digest(millrace.HookSignature{}), header: map[string]string{"x-sig": sign("key", "x")[:8]}, body: "x", reason: "does not match"},
		{name: "basic", signature: millrace.HookSignature{Format: "basic", Username: "u", Password: "p:w"}, header: map[string]string{"authorization": "basic dTpwOnc="}},
		{name: "basic, wrong", signature: millrace.HookSignature{Format: "basic", Username: "u", Password: "p"}, header: map[string]string{"authorization": "basic dTpwOnc="}, reason: "wrong"},
		{name: "basic, nothing set", signature: millrace.HookSignature{Format: "basic"}, header: map[string]string{"authorization": "basic Og=="}, reason: "no user name"},
		{name: "bearer", signature: millrace.HookSignature{Format: "bearer", Secret: "t"}, header: map[string]string{"authorization": "bearer t"}},
		{name: "bearer in a header of its own", signature: millrace.HookSignature{Format: "bearer", Secret: "t", CompareWith: "$header.x-gitlab-token"}, header: map[string]string{"x-gitlab-token": "t"}},
		{name: "bearer, wrong", signature: millrace.HookSignature{Format: "bearer", Secret: "t"}, header: map[string]string{"authorization": "Bearer tt"}, reason: "wrong"},
		{name: "bearer, nothing set", signature: millrace.HookSignature{Format: "bearer"}, header: map[string]string{"authorization": "Bearer x"}, reason: "no secret"},
		{name: "unknown", signature: millrace.HookSignature{Format: "rot13", Secret: "t"}, reason: "not known"},
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	for _, c := range signatureCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := &verifier{clock: func() time.Time { return time.Unix(c.now, 0) }}
			got, err := v.verify(t.Context(), &c.signature, &millrace.InboundRequest{Header: c.header, Query: c.query, Body: []byte(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			if c.reason == "" && got.reason != "" || !strings.Contains(got.reason, c.reason) {
				t.Errorf("got reason %q, want %q", got.reason, c.reason)
			}
			for _, secret := range []string{c.signature.Secret, c.signature.Password} {
				if len(secret) > 5 && strings.Contains(got.reason, secret) {
					t.Errorf("the reason %q has the secret", got.reason)
				}
			}
		})
	}
}

// A repetition has the id of the first delivery, also when it is signed anew; another delivery has another one.
func TestRepetitionsAreKnownByTheirID(t *testing.T) {
	t.Parallel()
	v := &verifier{clock: func() time.Time { return time.Unix(1000, 0) }}
	stripe := func(at int, body string) proof {
		header := map[string]string{"stripe-signature": "t=" + strconv.Itoa(at) + ",v1=" + sign("k", strconv.Itoa(at)+"."+body)}
		s := &millrace.HookSignature{Format: "stripe", Secret: "k", Tolerance: 300}
		got, err := v.verify(t.Context(), s, &millrace.InboundRequest{Header: header, Body: []byte(body)})
		if err != nil || got.reason != "" {
			t.Fatalf("got %v, %q", err, got.reason)
		}
		return got
	}
	if first, second := stripe(990, "a"), stripe(999, "a"); first.id == "" || first != second {
		t.Errorf("a repetition got %+v, the first %+v", second, first)
	}
	if first, other := stripe(990, "a"), stripe(990, "b"); first.id == other.id {
		t.Errorf("another delivery has the same id %q", other.id)
	}
}
