package sign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// AWS signs requests as version 4 of the signatures of AWS says.
type AWS struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // empty: the keys last
	Region          string
	Service         string
}

// Sign adds the headers of a signature to a request with a body.
func (a *AWS) Sign(ctx context.Context, req *http.Request, body []byte, now time.Time) error {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", digest)
	credentials := aws.Credentials{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken}
	// S3 signs the path itself; other services sign it escaped once more.
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = a.Service == "s3" })
	if err := signer.SignHTTP(ctx, credentials, req, digest, a.Service, a.Region, now); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	return nil
}
