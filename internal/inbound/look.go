package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// What handle_verification may call a request.
const (
	kindVerify  = "verify"
	kindMeta    = "meta"
	kindPayload = "payload"
)

// sight is what the expressions of a config make of a request.
type sight struct {
	kind     string
	scope    *expr.Object // that the account is looked up in
	response *millrace.InboundResponse
	update   json.RawMessage // of the account's context; nil: nothing
	payload  expr.Value      // what the events are made of
}

// scope is the document that expressions see: the request without what proves where it comes from.
func (r *Receiver) scope(e *Endpoint, req *millrace.InboundRequest) *expr.Object {
	headers := jsonata.NewObject(len(req.Header))
	for name, value := range req.Header {
		if !e.proves("$header." + name) {
			headers.Set(name, value)
		}
	}
	scope := jsonata.NewObject(3)
	body := r.cfg.DecodeBody(req.ContentType, req.Body)
	if body == nil {
		body = jsonata.NewObject(0)
	}
	scope.Set("body", body)
	scope.Set("headers", headers)
	scope.Set("query", r.cfg.DecodeQuery(e.bareQuery(req.Query)))
	return scope
}

// look evaluates handle_verification, which sees the request as it came, then payload_transform. A handshake has no payload to
// transform: what a transform makes of one is no reason to leave it without a response. A transform that makes events of the
// payload, or nothing, leaves the search for an account the body as it came.
func (r *Receiver) look(ctx context.Context, e *Endpoint, req *millrace.InboundRequest, limits expr.Limits) (*sight, *millrace.Failure) {
	scope := r.scope(e, req)
	s := &sight{kind: kindPayload, scope: scope}
	s.payload, _ = scope.Get("body")
	if e.Handle != nil {
		v, err := e.Handle.Eval(ctx, scope, limits)
		if err != nil {
			f := expr.DiscreetFailureOf(handlePath, err) // a handshake brings secrets
			return nil, &f
		}
		if f := s.handle(v); f != nil || s.kind == kindVerify {
			return s, f
		}
	}
	if e.Transform == nil {
		return s, nil
	}
	v, err := e.Transform.Eval(ctx, forTransform(scope), limits)
	if err != nil {
		f := expr.FailureOf(transformPath, err)
		return nil, &f
	}
	s.payload = v
	if v != nil && !hasElements(v) {
		scope.Set("body", v)
	}
	return s, nil
}

// handle reads what handle_verification returned: nothing, a type with what belongs to it, or a status code and a body.
func (s *sight) handle(v expr.Value) *millrace.Failure {
	o, ok := v.(*expr.Object)
	if !ok {
		return nil
	}
	if update, ok := member(o, "update_context").(*expr.Object); ok && update.Len() > 0 {
		raw, err := expr.EncodeJSON(update)
		if err != nil {
			return &millrace.Failure{Path: handlePath, Message: "update_context cannot be stored: " + err.Error()}
		}
		s.update = raw
	}
	kind, _ := member(o, "type").(string)
	switch {
	case kind == kindVerify:
		response, _ := member(o, "verification_response").(*expr.Object)
		s.response = responseTo(response)
	case kind == kindMeta, kind == kindPayload:
	case kind == "" && (member(o, "statusCode") != nil || member(o, "status_code") != nil):
		kind, s.response = kindVerify, responseTo(o)
	case kind == "":
		kind = kindPayload
	default:
		unknown := &millrace.Failure{Path: handlePath, Message: fmt.Sprintf("unknown type %q; known are verify, meta and payload", kind)}
		unknown.Suggest(kind, []string{kindVerify, kindMeta, kindPayload})
		return unknown
	}
	s.kind = kind
	return nil
}

// member returns a member of an object that may be nil.
func member(o *expr.Object, name string) expr.Value {
	if o == nil {
		return nil
	}
	v, _ := o.Get(name)
	return v
}

// responseTo makes the response to a handshake. A text is sent unchanged, anything else as JSON.
func responseTo(o *expr.Object) *millrace.InboundResponse {
	a := &millrace.InboundResponse{Status: http.StatusOK, Header: map[string]string{}}
	for _, name := range []string{"status_code", "statusCode"} {
		if n, ok := member(o, name).(float64); ok && n >= 200 && n <= 599 {
			a.Status = int(n)
		}
	}
	switch body := member(o, "body").(type) {
	case nil:
	case string:
		a.Header["Content-Type"], a.Body = "text/plain; charset=utf-8", []byte(body)
	default:
		raw, err := expr.EncodeJSON(body)
		if err == nil {
			a.Header["Content-Type"], a.Body = "application/json", raw
		}
	}
	headers, _ := member(o, "headers").(*expr.Object)
	if headers == nil {
		return a
	}
	for name, v := range headers.All() {
		if text, ok := v.(string); ok && maySend(name) {
			a.Header[http.CanonicalHeaderKey(name)] = text
		}
	}
	return a
}

// maySend reports whether an expression may set a header. Those of the connection are the server's, and a cookie would
// belong to our own site.
func maySend(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "content-length", "transfer-encoding", "upgrade", "trailer", "date", "set-cookie",
		"content-security-policy", "x-content-type-options":
		return false
	}
	return true
}

// lookup renders the value that an account is found by, from what the transform made of the body or else from the body
// as it came.
func (s *sight) lookup(text string, raw *expr.Object) string {
	for _, scope := range []*expr.Object{s.scope, raw} {
		value, err := expr.RenderString(text, scope)
		if err == nil && value != "" && !strings.Contains(value, "{{") {
			return value
		}
	}
	return ""
}
