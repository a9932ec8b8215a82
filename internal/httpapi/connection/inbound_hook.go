package connection

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/inbound"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

const inboundNote = "For providers; no API token is needed, the integration's config says how a request proves where it " +
	"comes from. The response is sent when the request is stored, or is that to a handshake. A delivery that was accepted before gets the same response."

const shortAddressNote = "An id that a client chose works here in the first environment only; elsewhere another environment may have " +
	"it as well, so the address has to name the environment."

// Inbound are the handlers of the routes that providers call.
type Inbound struct {
	Receiver *inbound.Receiver // nil: there is nothing to send to
	Requests *rest.Limit       // of each account or installation
	Bytes    *rest.Limit       // of their bodies
	Count    func(unit string) // is called with the limit that a request met; may be nil
	MaxBody  int64
}

// Describe documents a route that providers call.
func Describe(verb, what string, scoped bool) rest.Option {
	return func(d *rest.Doc) {
		d.Op.OperationID = strings.ToLower(verb) + "-" + what + "-hook"
		d.Op.Description = inboundNote + " " + shortAddressNote
		d.Op.Parameters = []*huma.Param{{
			Name: "id", In: "path", Required: true, Description: "The id of the " + what + ".",
			Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
		}}
		if scoped {
			d.Op.OperationID = strings.ToLower(verb) + "-environment-" + what + "-hook"
			d.Op.Description = inboundNote
			d.Op.Parameters = append([]*huma.Param{{
				Name: "environment_id", In: "path", Required: true, Description: "The id of its environment.",
				Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
			}}, d.Op.Parameters...)
		}
		if verb == http.MethodPost {
			d.Request = &huma.RequestBody{Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{}}}}
		}
	}
}

// ForAccount takes a request about an account.
func (h *Inbound) ForAccount(ctx context.Context, in *rest.RawIn) (*rest.Verbatim, error) {
	return h.receive(ctx, in, func(req *millrace.InboundRequest, id string) { req.AccountID = millrace.IntegratedAccountID(id) })
}

// ForInstall takes a request about the accounts of an installation.
func (h *Inbound) ForInstall(ctx context.Context, in *rest.RawIn) (*rest.Verbatim, error) {
	return h.receive(ctx, in, func(req *millrace.InboundRequest, id string) { req.InstallID = millrace.EnvironmentIntegrationID(id) })
}

func (h *Inbound) receive(ctx context.Context, in *rest.RawIn, address func(*millrace.InboundRequest, string)) (*rest.Verbatim, error) {
	id, env := strings.ToLower(in.Request.HTTP.PathValue("id")), strings.ToLower(in.Request.HTTP.PathValue("environment_id"))
	if !millrace.IsID(id) || env != "" && !millrace.IsID(env) || h.Receiver == nil {
		return nil, errNoEndpoint()
	}
	body, err := h.readInbound(in, millrace.TaskKey(millrace.EnvironmentID(env), id)) //nolint:contextcheck // the request has it
	if err != nil {
		return nil, err
	}
	req := inboundRequest(in.Request.HTTP, body)
	req.EnvironmentID = millrace.EnvironmentID(env)
	address(req, id)
	response, err := h.Receiver.Receive(ctx, req)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, errNoEndpoint()
	}
	if err != nil {
		return nil, err
	}
	w := &rest.Response{Status: response.Status, Body: response.Body, Header: http.Header{
		// What an expression echoes of a request is never to be taken for a page of ours.
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"sandbox; default-src 'none'"},
	}}
	for name, value := range response.Header {
		w.Header.Set(name, value)
	}
	return w.Reply(), nil
}

// readInbound reads the body of a provider's request within the limits of its account or installation: before it is read
// where its length is known, otherwise while it is.
func (h *Inbound) readInbound(in *rest.RawIn, key string) ([]byte, error) {
	if err := h.Requests.Take(key); err != nil {
		return nil, h.limited(h.Requests, err)
	}
	if n := in.Request.HTTP.ContentLength; n >= 0 {
		if n <= h.MaxBody { // a larger one is rejected when it is read
			if err := h.Bytes.TakeMany(key, int(n)); err != nil {
				return nil, h.limited(h.Bytes, err)
			}
		}
		return in.ReadBody()
	}
	metered := &meteredBody{ReadCloser: in.Request.HTTP.Body, limit: h.Bytes, key: key}
	in.Request.HTTP.Body = metered
	body, err := in.ReadBody()
	if metered.err != nil {
		return nil, h.limited(h.Bytes, metered.err)
	}
	return body, err
}

func (h *Inbound) limited(l *rest.Limit, err error) error {
	if h.Count != nil {
		h.Count(l.Unit)
	}
	return err
}

// meteredBody counts a body while it is read.
type meteredBody struct {
	io.ReadCloser
	limit *rest.Limit
	key   string
	err   error // of the limit
}

// Read reads, and fails once the limit is met.
func (b *meteredBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if b.err = b.limit.TakeMany(b.key, n); b.err != nil {
		return 0, b.err
	}
	return n, err
}

// errNoEndpoint says no more than that there is nothing, whatever the reason.
func errNoEndpoint() error { return rest.NewError(http.StatusNotFound, "there is nothing here") }

func inboundRequest(r *http.Request, body []byte) *millrace.InboundRequest {
	header := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		header[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "\ufffd")
	}
	return &millrace.InboundRequest{
		Method: r.Method, ContentType: header["content-type"], Header: header,
		Query: strings.ToValidUTF8(r.URL.RawQuery, "\ufffd"), Body: body,
	}
}

type inboundHooks struct {
	*rest.Resource[millrace.InboundHookID, millrace.InboundHook, millrace.InboundHook]
}

// InboundHooks are the handlers of what providers sent.
func (h *Handlers) InboundHooks() inboundHooks {
	return inboundHooks{rest.NewResource(h.DB, rest.RowsOf((*store.Tx).Hooks, nil), rest.AsStored[millrace.InboundHook])}
}

// maxShownBody is how much of a body is shown.
const maxShownBody = 64 << 10

// wholeHookView is an inbound hook with the request that it was.
type wholeHookView struct {
	millrace.InboundHook
	Headers map[string]string `json:"headers" doc:"As they came, by name in lower case; what may be a secret is hidden."`
	Body    string            `json:"body" doc:"The beginning of the body. Of what was rejected, and of repetitions, it is not kept."`
}

func (n inboundHooks) GetWhole(ctx context.Context, in *rest.GetIn[millrace.InboundHookID]) (*rest.Reply[wholeHookView], error) {
	out := &rest.Reply[wholeHookView]{}
	err := n.DB.View(ctx, func(tx *store.Tx) error {
		v, err := tx.Hooks().Get(ctx, in.Environment, in.ID)
		if err != nil {
			return err
		}
		hidden, err := scrubberOf(ctx, tx, v)
		if err != nil {
			return err
		}
		out.Body = wholeHookView{InboundHook: *v, Headers: shownHeaders(v.Header, hidden), Body: shownBody(v.Body, hidden)}
		return nil
	})
	return out, err
}

// scrubberOf returns a scrubber of the secrets of the account that a hook is about, which handshakes have in them.
func scrubberOf(ctx context.Context, tx *store.Tx, v *millrace.InboundHook) (*secret.Scrubber, error) {
	if v.IntegratedAccountID == "" {
		return nil, nil //nolint:nilnil // nil knows no secret
	}
	account, err := tx.Accounts().Get(ctx, v.EnvironmentID, v.IntegratedAccountID)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, nil //nolint:nilnil // the account was deleted, and its secrets with it
	}
	var secrets map[string]any
	if err == nil && len(account.Secrets) > 0 {
		err = json.Unmarshal(account.Secrets, &secrets)
	}
	return secret.NewScrubber(secret.Scalars(secrets), secret.MinText), err
}

func shownHeaders(raw json.RawMessage, hidden *secret.Scrubber) map[string]string {
	headers := map[string]string{}
	if json.Unmarshal(raw, &headers) != nil {
		return map[string]string{}
	}
	for name, value := range headers {
		headers[name] = hidden.Scrub(value)
		if secret.MayBeSecret(name) {
			headers[name] = "(hidden)"
		}
	}
	return headers
}

func shownBody(raw []byte, hidden *secret.Scrubber) string {
	cut := []byte(hidden.ScrubPrefix(string(raw), maxShownBody))
	for range utf8.UTFMax { // not in the middle of a letter
		if r, size := utf8.DecodeLastRune(cut); r != utf8.RuneError || size != 1 {
			break
		}
		cut = cut[:len(cut)-1]
	}
	return strings.ToValidUTF8(string(cut), "\ufffd")
}
