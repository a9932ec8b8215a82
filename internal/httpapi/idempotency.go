package httpapi

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
	"github.com/millrace/millrace/internal/store"
)

const (
	maxIdempotencyKey = 255     // bytes of an idempotency key
	maxKept           = 1 << 20 // bytes of an answer that is kept for a repetition
	maxCallTime       = 100 * time.Second
	// unknownAfter is when a call without an answer cannot be under way any more, on any node.
	unknownAfter = 3 * time.Minute
	waitForOther = 15 * time.Second // how long a repetition waits for the first call
	lookAgain    = 100 * time.Millisecond
	unclaimTime  = 5 * time.Second
)

// attempt makes the call of an idempotent request.
type attempt func(ctx context.Context) (*written, *ThirdPartyAnswer, error)

// once makes a call that changes something at most once for an Idempotency-Key, and answers repetitions as it answered
// the first time. What is never repeated is a call that the third party may have seen: when the process dies between
// the call and its answer, the key says that nobody knows what came of it. A call that has certainly done nothing
// gives its key back.
func (a *api) once(ctx context.Context, r *request, call *ThirdPartyCall, raw []byte, do attempt) (*written, error) {
	key := r.http.Header.Get("Idempotency-Key")
	if key == "" || call.Read || r.http.Method == http.MethodGet || r.http.Method == http.MethodHead {
		out, _, err := do(ctx)
		return out, err
	}
	if len(key) > maxIdempotencyKey {
		return nil, millrace.Invalid("Idempotency-Key", "is longer than %d bytes", maxIdempotencyKey)
	}
	row := &millrace.IdempotentCall{
		ID: millrace.DeriveID[millrace.IdempotentCallID](
			string(call.EnvironmentID), string(call.AccountID), r.http.URL.EscapedPath(), key),
		EnvironmentID: call.EnvironmentID, RequestHash: hashOf(r.http, raw),
	}
	there, err := a.claim(ctx, row)
	if err != nil {
		return nil, err
	}
	if there != nil {
		return repeated(there)
	}
	// From here on the call is made to its end even if the caller goes away: the caller will ask what came of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCallTime)
	defer cancel()
	out, answer, err := do(ctx)
	return a.settle(ctx, r, row, out, answer, err)
}

// hashOf tells requests under the same key apart.
func hashOf(r *http.Request, raw []byte) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), string(raw)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// claim takes a key for a call, or returns the call that has it, once that has an answer.
func (a *api) claim(ctx context.Context, row *millrace.IdempotentCall) (*millrace.IdempotentCall, error) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for waited := time.Duration(0); ; waited += lookAgain {
		there, err := store.Compute(ctx, a.cfg.DB, func(tx *store.Tx) (*millrace.IdempotentCall, error) {
			return tx.ClaimIdempotentCall(ctx, row)
		})
		if errors.Is(err, store.ErrUnknownOutcome) {
			a.unclaim(ctx, row)
		}
		switch {
		case millrace.KindOf(err) == millrace.KindNotFound && err != nil: // given back this moment
		case err != nil || there == nil:
			return nil, err
		case there.RequestHash != row.RequestHash:
			return nil, newEnvelope(http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request to this path")
		case there.Status != 0:
			return there, nil
		case a.now().Std().Sub(there.CreatedAt.Std()) > unknownAfter:
			return nil, millrace.Errorf(millrace.KindConflict, "the call under this Idempotency-Key was interrupted and it is not "+
				"known whether the third party has carried it out; look there, then use another key")
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
// call's. When the database cannot do it, the key says that its call was interrupted.
func (a *api) unclaim(ctx context.Context, row *millrace.IdempotentCall) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unclaimTime)
	defer cancel()
	_ = a.cfg.DB.Update(ctx, func(tx *store.Tx) error { // the caller gets the error of the claim
		mine := *row
		there, err := tx.ClaimIdempotentCall(ctx, &mine)
		if err != nil || there != nil && there.CreatedAt != row.CreatedAt {
			return err
		}
		return tx.ReleaseIdempotentCall(ctx, row.ID)
	})
}

// settle stores what came of a call, or gives the key back.
func (a *api) settle(ctx context.Context, r *request, row *millrace.IdempotentCall, out *written, answer *ThirdPartyAnswer, failed error) (*written, error) {
	if failed != nil && (answer == nil || !answer.Reached) || failed == nil && answer.Safe {
		err := a.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.ReleaseIdempotentCall(ctx, row.ID) })
		if failed == nil {
			failed = err
		}
		return out, failed
	}
	if failed != nil {
		if millrace.KindOf(failed) == millrace.KindInternal {
			return nil, failed // nobody knows what came of it, and the row says so
		}
		e := r.refuse(failed)
		out = &written{Status: e.StatusCode, Header: http.Header{}}
		out.json(e)
	}
	header, err := json.Marshal(out.Header)
	if err != nil {
		return nil, fmt.Errorf("encode headers: %w", err)
	}
	row.Status, row.Header, row.Body = int64(out.Status), header, out.Body
	if len(out.Body) > maxKept {
		row.Body, row.Truncated = nil, true
	}
	finish := func(tx *store.Tx) error { return tx.FinishIdempotentCall(ctx, row) }
	if err = a.cfg.DB.Update(ctx, finish); errors.Is(err, store.ErrOutage) {
		err = a.cfg.DB.Update(ctx, finish) // the call was made: it is worth another try, which changes nothing where the first one did
	}
	return out, err
}

func repeated(row *millrace.IdempotentCall) (*written, error) {
	if row.Truncated {
		return nil, millrace.Errorf(millrace.KindConflict, "the call under this Idempotency-Key was answered with status %d; "+
			"the answer was too large to be kept", row.Status)
	}
	w := &written{Status: int(row.Status), Header: http.Header{}, Body: row.Body}
	if err := json.Unmarshal(row.Header, &w.Header); err != nil {
		return nil, fmt.Errorf("decode kept headers: %w", err)
	}
	w.Header.Set("Idempotent-Replayed", "true")
	return w, nil
}
