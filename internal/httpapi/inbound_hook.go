package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

const inboundNote = "For third parties; no API token is needed, the integration's config says how a request proves where it " +
	"comes from. The answer is sent when the request is stored, or is that to a handshake. A delivery that was accepted before is answered again."

const shortAddressNote = "An id that a client chose works here in the first environment only; elsewhere another environment may have " +
	"it as well, so the address has to name the environment."

// Inbound takes requests of third parties.
type Inbound interface {
	Receive(ctx context.Context, req *millrace.InboundRequest) (*millrace.InboundAnswer, error)
}

// receives documents a route that third parties call.
func receives(verb, what string, scoped bool) option {
	return func(d *doc) {
		d.op.OperationID = lower(verb) + "-" + what + "-hook"
		d.op.Description = inboundNote + " " + shortAddressNote
		d.op.Parameters = []*huma.Param{{
			Name: "id", In: "path", Required: true, Description: "The id of the " + what + ".",
			Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
		}}
		if scoped {
			d.op.OperationID = lower(verb) + "-environment-" + what + "-hook"
			d.op.Description = inboundNote
			d.op.Parameters = append([]*huma.Param{{
				Name: "environment_id", In: "path", Required: true, Description: "The id of its environment.",
				Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
			}}, d.op.Parameters...)
		}
		if verb == http.MethodPost {
			d.request = &huma.RequestBody{Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{}}}}
		}
	}
}

func (a *api) receiveForAccount(ctx context.Context, in *proxyIn) (*verbatim, error) {
	return a.receive(ctx, in, func(req *millrace.InboundRequest, id string) { req.AccountID = millrace.IntegratedAccountID(id) })
}

func (a *api) receiveForInstall(ctx context.Context, in *proxyIn) (*verbatim, error) {
	return a.receive(ctx, in, func(req *millrace.InboundRequest, id string) { req.InstallID = millrace.EnvironmentIntegrationID(id) })
}

func (a *api) receive(ctx context.Context, in *proxyIn, address func(*millrace.InboundRequest, string)) (*verbatim, error) {
	id, env := lower(in.r.http.PathValue("id")), lower(in.r.http.PathValue("environment_id"))
	if !millrace.IsID(id) || env != "" && !millrace.IsID(env) || a.cfg.Inbound == nil {
		return nil, errNoEndpoint()
	}
	body, err := a.readInbound(in, millrace.TaskKey(millrace.EnvironmentID(env), id)) //nolint:contextcheck // the request has it
	if err != nil {
		return nil, err
	}
	req := inboundRequest(in.r.http, body)
	req.EnvironmentID = millrace.EnvironmentID(env)
	address(req, id)
	answer, err := a.cfg.Inbound.Receive(ctx, req)
	if millrace.KindOf(err) == millrace.KindNotFound {
		return nil, errNoEndpoint()
	}
	if err != nil {
		return nil, err
	}
	w := &written{Status: answer.Status, Body: answer.Body, Header: http.Header{
		// What an expression echoes of a request is never to be taken for a page of ours.
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"sandbox; default-src 'none'"},
	}}
	for name, value := range answer.Header {
		w.Header.Set(name, value)
	}
	return w.reply(), nil
}

// readInbound reads the body of a provider's request within the limits of its account or installation: before it is read
// where its length is known, otherwise while it is.
func (a *api) readInbound(in *proxyIn, key string) ([]byte, error) {
	if err := a.inboundLimit.take(key); err != nil {
		return nil, a.limited(a.inboundLimit, err)
	}
	if n := in.r.http.ContentLength; n >= 0 {
		if n <= a.cfg.MaxBody { // a larger one is rejected when it is read
			if err := a.inboundBytes.takeMany(key, int(n)); err != nil {
				return nil, a.limited(a.inboundBytes, err)
			}
		}
		return in.body.bytes(in.r)
	}
	metered := &meteredBody{ReadCloser: in.r.http.Body, limit: a.inboundBytes, key: key}
	in.r.http.Body = metered
	body, err := in.body.bytes(in.r)
	if metered.err != nil {
		return nil, a.limited(a.inboundBytes, metered.err)
	}
	return body, err
}

func (a *api) limited(l *limit, err error) error {
	if a.cfg.InboundLimited != nil {
		a.cfg.InboundLimited(l.unit)
	}
	return err
}

// meteredBody counts a body while it is read.
type meteredBody struct {
	io.ReadCloser
	limit *limit
	key   string
	err   error // of the limit
}

// Read reads, and fails once the limit is met.
func (b *meteredBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if b.err = b.limit.takeMany(b.key, n); b.err != nil {
		return 0, b.err
	}
	return n, err
}

// errNoEndpoint says no more than that there is nothing, whatever the reason.
func errNoEndpoint() error { return newEnvelope(http.StatusNotFound, "there is nothing here") }

func inboundRequest(r *http.Request, body []byte) *millrace.InboundRequest {
	header := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		header[lower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "\ufffd")
	}
	return &millrace.InboundRequest{
		Method: r.Method, ContentType: header["content-type"], Header: header,
		Query: strings.ToValidUTF8(r.URL.RawQuery, "\ufffd"), Body: body,
	}
}

type inboundHooks struct {
	*noun[millrace.InboundHookID, millrace.InboundHook, millrace.InboundHook]
}

func (a *api) inboundHooks() inboundHooks {
	return inboundHooks{&noun[millrace.InboundHookID, millrace.InboundHook, millrace.InboundHook]{
		api: a, one: (*store.Tx).InboundHook, many: (*store.Tx).ListInboundHooks, show: asStored[millrace.InboundHook],
	}}
}

// maxShownBody is how much of a body is shown.
const maxShownBody = 64 << 10

// wholeHookView is an inbound hook with the request that it was.
type wholeHookView struct {
	millrace.InboundHook
	Headers map[string]string `json:"headers" doc:"As they came, by name in lower case; what may be a secret is hidden."`
	Body    string            `json:"body" doc:"The beginning of the body. Of what was turned away, and of repetitions, it is not kept."`
}

func (n inboundHooks) getWhole(ctx context.Context, in *getIn[millrace.InboundHookID]) (*reply[wholeHookView], error) {
	out := &reply[wholeHookView]{}
	err := n.api.cfg.DB.View(ctx, func(tx *store.Tx) error {
		v, err := tx.InboundHook(ctx, in.Environment, in.ID)
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
	account, err := tx.IntegratedAccount(ctx, v.EnvironmentID, v.IntegratedAccountID)
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
