package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

const (
	maxIdempotencyKey = 255     // bytes of an idempotency key
	maxKept           = 1 << 20 // bytes of a response that is kept for a repetition
	maxCallTime       = 100 * time.Second
	// unknownAfter is when a call without a response cannot be under way any more, on any node.
	unknownAfter = 3 * time.Minute
	waitForOther = 15 * time.Second // how long a repetition waits for the first call
	lookAgain    = 100 * time.Millisecond
	unclaimTime  = 5 * time.Second
)

// attempt makes the call of an idempotent request.
type attempt func(ctx context.Context) (*rest.Response, *provider.Response, error)

// once makes a call that changes something at most once for an Idempotency-Key, and responds to repetitions as it responded
// the first time. What is never repeated is a call that the provider may have seen: when the process dies between
// the call and its response, the key says that its outcome is unknown. A call that has certainly done nothing
// gives its key back.
func (h *Handlers) once(ctx context.Context, r *rest.Request, call *provider.Call, raw []byte, do attempt) (*rest.Response, error) {
	key := r.HTTP.Header.Get("Idempotency-Key")
	if key == "" || call.Read || r.HTTP.Method == http.MethodGet || r.HTTP.Method == http.MethodHead {
		out, _, err := do(ctx)
		return out, err
	}
	if len(key) > maxIdempotencyKey {
		return nil, millrace.Invalid("Idempotency-Key", "is longer than %d bytes", maxIdempotencyKey)
	}
	row := &millrace.IdempotentCall{
		ID: millrace.DeriveID[millrace.IdempotentCallID](
			string(call.EnvironmentID), string(call.AccountID), r.HTTP.URL.EscapedPath(), key),
		EnvironmentID: call.EnvironmentID, RequestHash: hashOf(r.HTTP, raw),
	}
	there, err := h.claim(ctx, row)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return repeated(there)
	}
	// From here on the call is made to its end even if the caller goes away: the caller will ask for its outcome.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCallTime)
	defer cancel()
	out, response, err := do(ctx)
	return h.settle(ctx, r, row, out, response, err)
}

// hashOf tells requests under the same key apart.
func hashOf(r *http.Request, raw []byte) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), string(raw)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// claim takes a key for a call, or returns the call that has it, once that has a response.
func (h *Handlers) claim(ctx context.Context, row *millrace.IdempotentCall) (*millrace.IdempotentCall, error) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for waited := time.Duration(0); ; waited += lookAgain {
		there, err := store.Compute(ctx, h.DB, func(tx *store.Tx) (*millrace.IdempotentCall, error) {
			return tx.Calls().Claim(ctx, row)
		})
		if errors.Is(err, store.ErrUnknownOutcome) {
			h.unclaim(ctx, row)
		}
		switch {
		case millrace.KindOf(err) == millrace.KindNotFound && err != nil: // given back this moment
		case err != nil || there == nil:
			return nil, err
		case there.RequestHash != row.RequestHash:
			return nil, rest.NewError(http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request to this path")
		case there.Status != 0:
			return there, nil
		case h.Clock().Sub(there.CreatedAt.Std()) > unknownAfter:
			return nil, millrace.Errorf(millrace.KindConflict, "the call under this Idempotency-Key was interrupted and it is not "+
				"known whether the provider has carried it out; look there, then use another key")
		case waited >= waitForOther:
			return nil, millrace.Errorf(millrace.KindConflict, "the call under this Idempotency-Key is under way; ask again later")
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// unclaim gives a key back that may have been claimed for a call which is not made now. A row that is older is another
// Call's. When the database cannot do it, the key says that its call was interrupted.
func (h *Handlers) unclaim(ctx context.Context, row *millrace.IdempotentCall) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unclaimTime)
	defer cancel()
	_ = h.DB.Update(ctx, func(tx *store.Tx) error { // the caller gets the error of the claim
		mine := *row
		there, err := tx.Calls().Claim(ctx, &mine)
		if err != nil || there != nil && there.CreatedAt != row.CreatedAt {
			return err
		}
		return tx.Calls().Release(ctx, row.ID)
	})
}

// settle stores the outcome of a call, or gives the key back.
func (h *Handlers) settle(ctx context.Context, r *rest.Request, row *millrace.IdempotentCall, out *rest.Response, response *provider.Response, failed error) (*rest.Response, error) {
	if failed != nil && (response == nil || !response.Reached) || failed == nil && response.Safe {
		err := h.DB.Update(ctx, func(tx *store.Tx) error { return tx.Calls().Release(ctx, row.ID) })
		if failed == nil {
			failed = err
		}
		return out, failed
	}
	if failed != nil {
		if millrace.KindOf(failed) == millrace.KindInternal {
			return nil, failed // its outcome is unknown, and the row says so
		}
		e := r.Reject(failed)
		out = &rest.Response{Status: e.StatusCode, Header: http.Header{}}
		out.JSON(e)
	}
	header, err := json.Marshal(out.Header)
	if err != nil {
		return nil, fmt.Errorf("encode headers: %w", err)
	}
	row.Status, row.Header, row.Body = int64(out.Status), header, out.Body
	if len(out.Body) > maxKept {
		row.Body, row.Truncated = nil, true
	}
	finish := func(tx *store.Tx) error { return tx.Calls().Finish(ctx, row) }
	if err = h.DB.Update(ctx, finish); errors.Is(err, store.ErrOutage) {
		err = h.DB.Update(ctx, finish) // the call was made: it is worth another try, which changes nothing where the first one did
	}
	return out, err
}

func repeated(row *millrace.IdempotentCall) (*rest.Response, error) {
	if row.Truncated {
		return nil, millrace.Errorf(millrace.KindConflict, "the call under this Idempotency-Key got status %d; "+
			"the response was too large to be kept", row.Status)
	}
	w := &rest.Response{Status: int(row.Status), Header: http.Header{}, Body: row.Body}
	if err := json.Unmarshal(row.Header, &w.Header); err != nil {
		return nil, fmt.Errorf("decode kept headers: %w", err)
	}
	w.Header.Set("Idempotent-Replayed", "true")
	return w, nil
}
