package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// MaxBody is how large a request a handler reads.
const MaxBody = 64 << 20

// ErrCancelRun is what a handler returns for a sync_job_run:started to stop that run before it fetches anything.
var ErrCancelRun = errors.New("webhook: this run is not wanted")

// Log remembers which deliveries were handled. Implementations must be safe for concurrent use.
type Log interface {
	// Handled reports whether a delivery was handled before: its id was, or a delivery of the same run with this or a
	// higher sequence.
	Handled(ctx context.Context, d *Delivery) (bool, error)
	// Done remembers that a delivery was handled.
	Done(ctx context.Context, d *Delivery) error
}

// handler handles requests of Millrace.
type handler struct {
	verifier *Verifier
	log      Log
	handle   func(context.Context, *Delivery) error
	busy     busy
}

// NewHandler returns a handler that verifies a request, leaves repetitions out and calls handle for the rest. It
// responds with 200 when handle returns nil or has done so before; 500 when handle fails, so that the delivery comes again;
// 401 when the signature is wrong; 503 while the same delivery is being handled. Deliveries of one run are never
// handled at the same time, because Millrace waits for a response before it sends the next.
func NewHandler(v *Verifier, log Log, handle func(context.Context, *Delivery) error) http.Handler {
	return &handler{verifier: v, log: log, handle: handle}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		status := http.StatusInternalServerError // not 400, which would cancel a run that starts
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the body could not be read", status)
		return
	}
	if err := h.verifier.Verify(r.Header, body); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	d, err := parse(r.Header, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	status, message := h.once(r.Context(), d)
	if status != http.StatusOK {
		http.Error(w, message, status)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// once handles a delivery that was not handled before.
func (h *handler) once(ctx context.Context, d *Delivery) (int, string) {
	if !h.busy.enter(d.ID) {
		return http.StatusServiceUnavailable, "this delivery is being handled"
	}
	defer h.busy.leave(d.ID)
	handled, err := h.log.Handled(ctx, d)
	if err != nil {
		return http.StatusInternalServerError, "the log of deliveries could not be read"
	}
	if handled {
		return http.StatusOK, ""
	}
	err = h.handle(ctx, d)
	if errors.Is(err, ErrCancelRun) && d.Event == "sync_job_run:started" {
		return http.StatusBadRequest, "this run is not wanted"
	}
	if err != nil {
		return http.StatusInternalServerError, "the delivery could not be handled"
	}
	if err := h.log.Done(ctx, d); err != nil {
		return http.StatusInternalServerError, "the log of deliveries could not be written"
	}
	return http.StatusOK, ""
}
