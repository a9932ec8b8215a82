package inbound

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// claimOf reads what a request claims in the way of a format, or says why it cannot be read.
func claimOf(s *millrace.HookSignature, p *parts) (claim, string) {
	switch s.Format {
	case "stripe":
		return stripeClaim(s, p), ""
	case "standard", "clerk":
		return standardClaim(s, p), ""
	case "github":
		return digestClaim(&millrace.HookSignature{
			Secret: s.Secret, CompareWith: "sha256=$header.x-hub-signature-256", DeliveryID: "$header.x-github-delivery",
		}, p), ""
	case "slack":
		c := digestClaim(&millrace.HookSignature{
			Secret: s.Secret, CompareWith: "v0=$header.x-slack-signature", Timestamp: "$header.x-slack-request-timestamp",
			Parts: []string{"v0:", "$header.x-slack-request-timestamp", ":", "$body"},
		}, p)
		c.id, c.window = contentID(string(p.req.Body)), 0 // a retry is signed anew; every body has an id in it
		return c, ""
	case "hmac":
		c := digestClaim(s, p)
		c.window = time.Duration(s.Tolerance) * time.Second
		return c, ""
	}
	return claim{}, "the format " + s.Format + " of the signature is not known"
}

// digestClaim is that of a digest over the parts of the request.
func digestClaim(s *millrace.HookSignature, p *parts) claim {
	texts := s.Parts
	if len(texts) == 0 {
		texts = []string{"$body"}
	}
	var content strings.Builder
	for _, text := range texts {
		content.WriteString(p.text(text))
	}
	c := claim{content: content.String(), key: []byte(s.Secret), candidates: decodeDigest(p.after(s.CompareWith), s.StringType)}
	if s.Timestamp != "" {
		c.at, c.aged = p.text(s.Timestamp), true
	}
	c.id = contentID(c.content)
	if s.DeliveryID != "" {
		c.id = p.text(s.DeliveryID)
	}
	return c
}

// stripeClaim reads Stripe-Signature: t=<time>,v1=<signature>[,v1=<signature>...].
func stripeClaim(s *millrace.HookSignature, p *parts) claim {
	c := claim{key: []byte(s.Secret), aged: true, id: contentID(string(p.req.Body))}
	for pair := range strings.SplitSeq(p.text("$header.stripe-signature"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch name {
		case "t":
			c.at = value
		case "v1":
			c.candidates = append(c.candidates, decodeDigest(value, "hex")...)
		}
	}
	c.content = c.at + "." + string(p.req.Body)
	return c
}

// standardClaim reads the headers of Standard Webhooks, whose older names begin with svix.
func standardClaim(s *millrace.HookSignature, p *parts) claim {
	prefix := "webhook-"
	if p.req.Header["webhook-id"] == "" && p.req.Header["svix-id"] != "" {
		prefix = "svix-"
	}
	c := claim{key: standardKey(s.Secret), aged: true}
	c.id, c.at = p.text("$header."+prefix+"id"), p.text("$header."+prefix+"timestamp")
	for signature := range strings.FieldsSeq(p.text("$header." + prefix + "signature")) {
		if value, ok := strings.CutPrefix(signature, "v1,"); ok {
			c.candidates = append(c.candidates, decodeDigest(value, "base64")...)
		}
	}
	c.content = c.id + "." + c.at + "." + string(p.req.Body)
	return c
}

// standardKey is the key in a secret: base64 after whsec_, or the bytes of the secret.
func standardKey(secret string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return []byte(secret)
	}
	return key
}
