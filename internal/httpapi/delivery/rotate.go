package delivery

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// RotateNote is the description of POST /webhook/{id}/rotate-secret.
const RotateNote = "The response shows the new secret, once. Until previous_secret_expires_at every request is signed with both " +
	"secrets: webhook-signature lists both, and the compatible header of the old one ends in -Previous. " +
	"A secret that was still on its way out from an earlier change ends at once."

// defaultOverlap is how long an old secret signs beside the new one unless the caller says otherwise.
const defaultOverlap = 24 * time.Hour

// rotateBody is the body of a change of the secret.
type rotateBody struct {
	Secret  string `json:"secret,omitempty" minLength:"1" maxLength:"512" doc:"The new secret; random, of the kind of the old one, when absent."`
	Overlap *int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old secret signs as well; a day when absent, 0 ends it at once."`
}

func (n webhooks) RotateSecret(ctx context.Context, in *rest.PatchIn[millrace.WebhookID, rotateBody]) (*rest.Reply[WebhookView], error) {
	overlap := defaultOverlap
	if in.Data.Overlap != nil {
		overlap = time.Duration(*in.Data.Overlap) * time.Second
	}
	return store.Compute(ctx, n.DB, func(tx *store.Tx) (*rest.Reply[WebhookView], error) {
		v, err := tx.Webhooks().Lock(ctx, in.Environment, in.ID)
		if err != nil {
			return nil, err
		}
		secret := in.Data.Secret
		if secret == "" {
			secret = newSecret(v.Secret)
		}
		if secret == v.Secret {
			return nil, millrace.Invalid("secret", "is the webhook's secret already")
		}
		v.Rotate(secret, tx.Now().Add(overlap))
		if err := tx.Webhooks().Update(ctx, v); err != nil {
			return nil, err
		}
		out, err := n.Reply(ctx, tx, v)
		if err == nil {
			out.Body.Secret = secret
		}
		return out, err
	})
}

// newSecret makes a secret that a receiver can use instead of another one: base64 behind whsec_, or else a UUID.
func newSecret(old string) string {
	const standard = "whsec_"
	if !strings.HasPrefix(old, standard) {
		return millrace.NewSecret()
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return standard + base64.StdEncoding.EncodeToString(key)
}
