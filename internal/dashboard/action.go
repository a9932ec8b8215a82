package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

// action is what a form does by a request to the API.
type action struct {
	path    string // of the form, below the environment
	done    string // what the page says afterwards
	request func(h *Handler, r *request, id string) (*apiRequest, error)
}

// apiRequest is a request to the API. To is the page to go to, in which %s is the id in the response; empty: the page of the form.
type apiRequest struct {
	method, path string
	body         any
	to           string
}

// actions are all of them.
func actions() []action {
	return []action{
		{"runs/{id}/stop", "stop", func(_ *Handler, _ *request, id string) (*apiRequest, error) {
			return &apiRequest{method: http.MethodDelete, path: "/sync-job-run/" + id}, nil
		}},
		{"runs/{id}/again", "again", again},
		{"deliveries/{id}/redeliver", "resend", func(_ *Handler, _ *request, id string) (*apiRequest, error) {
			return &apiRequest{method: http.MethodPost, path: "/webhook-delivery/" + id + "/redeliver"}, nil
		}},
		{"workflows/{id}/pause", "pause", setActive("/workflow/", false)},
		{"workflows/{id}/resume", "resume", setActive("/workflow/", true)},
		{"webhooks/{id}/on", "on", setActive("/webhook/", true)},
		{"webhooks/{id}/off", "off", setActive("/webhook/", false)},
		{"webhooks/{id}/test", "test", func(_ *Handler, r *request, id string) (*apiRequest, error) {
			return &apiRequest{method: http.MethodPost, path: "/webhook/test", body: map[string]any{"id": id, "event_type": r.PostFormValue("event_type")}}, nil
		}},
		{"accounts/{id}/refresh", "refresh", aboutAccount("/integrated-account/refresh-credentials")},
		{"accounts/{id}/actions", "actions", aboutAccount("/integrated-account/run-post-install-actions")},
		{"accounts/{id}/link", "", reconnect},
	}
}

func setActive(path string, active bool) func(*Handler, *request, string) (*apiRequest, error) {
	return func(_ *Handler, _ *request, id string) (*apiRequest, error) {
		return &apiRequest{method: http.MethodPatch, path: path + id, body: map[string]any{"is_active": active}}, nil
	}
}

func aboutAccount(path string) func(*Handler, *request, string) (*apiRequest, error) {
	return func(_ *Handler, _ *request, id string) (*apiRequest, error) {
		return &apiRequest{method: http.MethodPost, path: path, body: map[string]any{"id": id}}, nil
	}
}

// again starts a run like one that was.
func again(h *Handler, r *request, id string) (*apiRequest, error) {
	var run *millrace.SyncJobRun
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		run, err = tx.SyncJobRuns().Get(r.Context(), r.env.ID, millrace.SyncJobRunID(id))
		return err
	})
	if err != nil {
		return nil, err
	}
	body := map[string]any{"sync_job_id": run.SyncJobID, "ignore_previous_run": r.PostFormValue("all") == "on"}
	for name, value := range map[string]string{"integrated_account_id": string(run.IntegratedAccountID), "webhook_id": string(run.WebhookID)} {
		if value != "" {
			body[name] = value
		}
	}
	if len(run.Args) > 0 && string(run.Args) != "null" {
		body["args"] = run.Args
	}
	return &apiRequest{method: http.MethodPost, path: "/sync-job-run", body: body, to: "runs/%s"}, nil
}

// reconnect makes a link token, and shows the address that the customer needs.
func reconnect(h *Handler, r *request, id string) (*apiRequest, error) {
	var made struct {
		Token string `json:"link_token"`
	}
	err := h.call(r, &apiRequest{method: http.MethodPost, path: "/link-token", body: map[string]any{"integrated_account_id": id, "persist_previous_context": true}}, &made)
	if err != nil {
		return nil, err
	}
	v, err := h.account(r)
	if err != nil {
		return nil, err
	}
	if page, ok := v.body.(*accountPage); ok {
		page.Link = h.PublicURL() + "/connect-account?link_token=" + url.QueryEscape(made.Token)
	}
	h.render(r, v, http.StatusOK, notice{})
	return nil, nil //nolint:nilnil // it has responded
}

// act returns the handler of an action.
func (h *Handler) act(a action) func(*request) (string, error) {
	return func(r *request) (string, error) {
		id := r.PathValue("id")
		if !millrace.IsID(id) {
			return "", millrace.NotFound("page", id)
		}
		req, err := a.request(h, r, strings.ToLower(id))
		if err != nil || req == nil {
			return "", err
		}
		var made struct {
			ID string `json:"id"`
		}
		if err := h.call(r, req, &made); err != nil {
			return "", err
		}
		to := r.path(strings.SplitN(a.path, "/", 2)[0], id)
		if req.to != "" {
			to = r.path(fmt.Sprintf(req.to, url.PathEscape(made.ID)))
		}
		return to + "?done=" + a.done, nil
	}
}

// call makes a request to the API in the name of who is signed in, and decodes the response. What the API rejects is an error of the same
// kind with the same words.
func (h *Handler) call(r *request, req *apiRequest, out any) error {
	body := []byte(nil)
	if req.body != nil {
		var err error
		if body, err = json.Marshal(req.body); err != nil {
			return err
		}
	}
	w, err := h.ask(r.Context(), r, req.method, req.path, "", body)
	if err != nil {
		return err
	}
	if w.body.Len() == 0 || out == nil {
		return nil
	}
	if err := json.Unmarshal(w.body.Bytes(), out); err != nil {
		return fmt.Errorf("decode response of %s: %w", req.path, err)
	}
	return nil
}

// ask makes a request to the API in the name of who is signed in. A response that rejects it is an error.
func (h *Handler) ask(ctx context.Context, r *request, method, path, mediaType string, body []byte) (*recorder, error) {
	scope := millrace.ScopeRead
	if r.steers() {
		scope = millrace.ScopeWrite
	}
	return h.send(rest.Acting(ctx, r.env.ID, scope, "user "+string(r.who.ID)), method, path, mediaType, body)
}

// send makes a request to the API in the name of who a context says.
func (h *Handler) send(ctx context.Context, method, path, mediaType string, body []byte) (*recorder, error) {
	api, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = "application/json"
	}
	api.Header.Set("Content-Type", mediaType)
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	h.API.ServeHTTP(w, api)
	if w.status >= http.StatusBadRequest {
		return nil, rejected(w)
	}
	return w, nil
}

// rejected turns a response of the API into an error.
func rejected(w *recorder) error {
	var envelope struct {
		Message string `json:"message"`
		Details struct {
			Failures []millrace.Failure `json:"failures"`
		} `json:"details"`
	}
	if err := json.Unmarshal(w.body.Bytes(), &envelope); err != nil || envelope.Message == "" {
		envelope.Message = http.StatusText(w.status)
	}
	kind, known := map[int]millrace.Kind{
		http.StatusBadRequest: millrace.KindInvalid, http.StatusForbidden: millrace.KindForbidden, http.StatusNotFound: millrace.KindNotFound,
		http.StatusConflict: millrace.KindConflict, http.StatusTooManyRequests: millrace.KindRateLimited, http.StatusServiceUnavailable: millrace.KindUnavailable,
		http.StatusMethodNotAllowed: millrace.KindReadOnly, http.StatusUnprocessableEntity: millrace.KindInvalid,
		http.StatusRequestEntityTooLarge: millrace.KindTooLarge, http.StatusUnsupportedMediaType: millrace.KindUnsupported,
	}[w.status]
	if !known {
		return fmt.Errorf("the API responded with %d: %s", w.status, envelope.Message)
	}
	return &millrace.Error{Kind: kind, Message: envelope.Message, Failures: envelope.Details.Failures}
}

// recorder keeps the response of the API.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header returns the headers.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader keeps the first status.
func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

// Write keeps a part of the body.
func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	return w.body.Write(b)
}
