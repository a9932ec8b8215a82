package delivery

import (
	"context"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/secret"
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

	UpdatedAt millrace.Time `json:"updated_at,omitempty" doc:"The webhook's updated_at as the caller has seen it: 409 when it was changed since, so that two callers do not end each other's secret. Not compared when absent."`
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
		fresh := in.Data.Secret
		if fresh == "" {
			fresh = secret.NewSigning(v.Secret)
		}
		if fresh == v.Secret {
			return nil, millrace.Invalid("secret", "is the webhook's secret already")
		}
		if seen := in.Data.UpdatedAt; seen != 0 && seen.String() != v.UpdatedAt.String() { // as precise as responses are
			return nil, millrace.Errorf(millrace.KindConflict, "the webhook was changed since; look at it again")
		}
		v.Rotate(fresh, tx.Now().Add(overlap))
		if err := tx.Webhooks().Update(ctx, v); err != nil {
			return nil, err
		}
		out, err := n.Reply(ctx, tx, v)
		if err == nil {
			out.Body.Secret = fresh
		}
		return out, err
	})
}

// EndPreviousNote is the description of DELETE /webhook/{id}/previous-secret.
const EndPreviousNote = "From now on requests are signed with the secret alone. Without a previous one nothing is changed."

// EndPreviousSecret ends the secret that signs beside the webhook's own.
func (n webhooks) EndPreviousSecret(ctx context.Context, in *rest.GetIn[millrace.WebhookID]) (*rest.Reply[WebhookView], error) {
	return n.Update(ctx, func(tx *store.Tx) (*millrace.Webhook, error) {
		v, err := tx.Webhooks().Lock(ctx, in.Environment, in.ID)
		if err != nil || v.PreviousSecret == "" {
			return v, err
		}
		v.PreviousSecret, v.PreviousExpiresAt = "", 0
		return v, tx.Webhooks().Update(ctx, v)
	})
}
