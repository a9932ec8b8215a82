package inbound

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/millrace/millrace"
)

// leeway is by how much the clock of a provider may be off.
const leeway = time.Minute

// paddedKey is the length to which shared keys are filled up with zeros. go-jose demands keys as long as the digest, which
// providers do not keep to. HMAC itself fills a key up with zeros to the size of a block, 64 bytes or more, so that the
// digest does not change.
const paddedKey = 64

// The two families are never allowed together: a token must not choose that a public key is a shared one.
func sharedAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
}

func publicAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// verifyToken checks a JSON Web Token, by a shared key or by the keys that the provider publishes.
func (v *verifier) verifyToken(ctx context.Context, s *millrace.HookSignature, p *parts) (proof, error) {
	where := s.CompareWith
	if where == "" {
		where = "Bearer $header.authorization"
	}
	text := p.after(where)
	if p.missing != "" {
		return rejected("the request has no %s", p.missing), nil
	}
	algorithms := publicAlgorithms()
	if s.JWKSURL == "" {
		algorithms = sharedAlgorithms()
	}
	if s.Algorithm != "" {
		algorithms = slices.DeleteFunc(algorithms, func(a jose.SignatureAlgorithm) bool { return !strings.EqualFold(string(a), s.Algorithm) })
	}
	if len(algorithms) == 0 {
		return rejected("the algorithm %s does not go with the key that is configured", cut(s.Algorithm)), nil
	}
	token, err := jwt.ParseSigned(strings.TrimSpace(text), algorithms)
	if err != nil || len(token.Headers) != 1 {
		return rejected("there is no token, or one whose algorithm is not allowed"), nil //nolint:nilerr // what is sent is wrong, not we
	}
	claims, reason, err := v.claims(ctx, s, token)
	if err != nil || reason != "" {
		return proof{reason: reason}, err
	}
	return v.judge(s, claims), nil
}

// claims are those of a token whose signature is right.
func (v *verifier) claims(ctx context.Context, s *millrace.HookSignature, token *jwt.JSONWebToken) (*jwt.Claims, string, error) {
	claims := &jwt.Claims{}
	if s.JWKSURL == "" {
		if len(s.Secret) < millrace.MinTokenSecret {
			return nil, fmt.Sprintf("the secret that is set for this account is too short: it must have at least %d bytes", millrace.MinTokenSecret), nil
		}
		key := []byte(s.Secret)
		if len(key) < paddedKey {
			key = append(key, make([]byte, paddedKey-len(key))...)
		}
		if token.Claims(key, claims) != nil {
			return nil, "the signature of the token does not match", nil //nolint:nilerr // what is sent is wrong, not we
		}
		return claims, "", nil
	}
	keys, err := v.keys.get(ctx, s.JWKSURL, token.Headers[0].KeyID)
	if err != nil {
		return nil, "", err
	}
	for _, key := range keys {
		if key.Use == "enc" || !key.IsPublic() {
			continue
		}
		if token.Claims(key.Key, claims) == nil {
			return claims, "", nil
		}
	}
	return nil, "no key of the provider fits the token", nil
}

// judge checks what a token says. One that never expires would be a password in disguise.
func (v *verifier) judge(s *millrace.HookSignature, claims *jwt.Claims) proof {
	now := v.clock()
	expected := jwt.Expected{Issuer: s.Issuer, Time: now}
	if s.Audience != "" {
		expected.AnyAudience = jwt.Audience{s.Audience}
	}
	age := time.Duration(s.Tolerance) * time.Second
	switch err := claims.ValidateWithLeeway(expected, leeway); {
	case err != nil:
		return rejected("the token is not valid now, or has another issuer or audience")
	case claims.Expiry == nil && (claims.IssuedAt == nil || now.Sub(claims.IssuedAt.Time()) > age):
		return rejected("the token has no time at which it expires, and was not issued just now")
	}
	p := proof{}
	if claims.ID != "" {
		p.id = claims.ID
	}
	return p
}
