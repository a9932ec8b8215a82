package config

import (
	"time"

	"github.com/millrace/millrace/internal/fetch/field"
	"github.com/millrace/millrace/internal/sign"
)

// JWT says how a JSON Web Token is made and signed.
type JWT struct {
	Key         *field.Template
	KeyID       *field.Template
	Certificate *field.Template
	Algorithm   string
	Issuer      *field.Template // nil: the id of the client
	Subject     *field.Template // nil: none
	Audience    *field.Template // nil: the address of the token endpoint
	Claims      *field.Template
	Headers     *field.Template
	Lifetime    time.Duration
}

// OAuth1 says how requests are signed with OAuth 1.0a.
type OAuth1 struct {
	ClientID     *field.Template // nil: member client_id of the context
	ClientSecret *field.Template // nil: member client_secret
	Method       string
	Realm        *field.Template
	Token        *field.Template // nil: that of the account, as it was granted
	TokenSecret  *field.Template
}

// AWS says how requests are signed with version 4 of the signatures of AWS.
type AWS struct {
	AccessKeyID     *field.Template
	SecretAccessKey *field.Template
	SessionToken    *field.Template // nil: none
	Region          *field.Template
	Service         *field.Template
}

// Certificate is what a client shows where TLS asks for it.
type Certificate struct {
	Path        string
	Certificate *field.Template
	Key         *field.Template
}

// parseKey reads what signs a JSON Web Token.
func parseKey(o *options) *JWT {
	key := o.get("privateKey")
	key.Need()
	j := &JWT{Key: key.Template(), KeyID: o.get("keyId").Template(), Certificate: o.get("certificate").Template(), Lifetime: defaultLifetime}
	j.Algorithm = "RS256"
	if f := o.get("algorithm"); f.Present() {
		j.Algorithm = f.Text()
		among(f, j.Algorithm, sign.Algorithms())
	}
	return j
}

// defaultLifetime is how long a JSON Web Token of ours is valid: long enough for clocks that disagree.
const defaultLifetime = 5 * time.Minute

func parseJWT(o *options) *JWT {
	j := parseKey(o)
	j.Issuer, j.Subject, j.Audience = o.get("issuer").Template(), o.get("subject").Template(), o.get("audience").Template()
	j.Claims, j.Headers = object(o.get("claims")), object(o.get("jwtHeaders"))
	if f := o.get("lifetime"); f.Present() {
		if j.Lifetime = seconds(f, time.Second); j.Lifetime == 0 || j.Lifetime > 24*time.Hour {
			f.Report("must be between 1 and 86400 seconds")
		}
	}
	return j
}

func parseOAuth1(o *options) *OAuth1 {
	out := &OAuth1{Realm: o.get("realm").Template(), Token: o.get("token").Template(), TokenSecret: o.get("tokenSecret").Template()}
	out.Method = sign.HMACSHA1
	if f := o.get("signatureMethod"); f.Present() {
		out.Method = f.Text()
		among(f, out.Method, []string{sign.HMACSHA1, sign.HMACSHA256, sign.Plaintext})
	}
	return out
}

func parseAWS(o *options) *AWS {
	for _, name := range []string{"accessKeyId", "secretAccessKey", "region", "service"} {
		o.get(name).Need()
	}
	return &AWS{
		AccessKeyID: o.get("accessKeyId").Template(), SecretAccessKey: o.get("secretAccessKey").Template(), SessionToken: o.get("sessionToken").Template(),
		Region: o.get("region").Template(), Service: o.get("service").Template(),
	}
}

func parseCertificate(o *options) *Certificate {
	f := o.get("clientCertificate")
	if !f.Present() {
		return nil
	}
	pair := o.below("clientCertificate")
	certificate, key := pair.get("certificate"), pair.get("privateKey")
	certificate.Need()
	key.Need()
	pair.done()
	return &Certificate{Path: f.Path, Certificate: certificate.Template(), Key: key.Template()}
}
