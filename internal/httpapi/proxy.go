package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/memory"
)

// ThirdParty asks third parties on behalf of integrated accounts.
type ThirdParty interface {
	// Call makes the requests of one call. What the third party answers is an answer; an error means that we failed or
	// refused. With an error there is an answer only to say whether the third party may have been reached.
	Call(ctx context.Context, call *ThirdPartyCall) (*ThirdPartyAnswer, error)
	// File makes a value of a file, for bodies.
	File(data []byte, contentType, name string) expr.Value
}

// ThirdPartyCall is one call of the proxy API or the custom API.
type ThirdPartyCall struct {
	EnvironmentID millrace.EnvironmentID
	AccountID     millrace.IntegratedAccountID

	Resource, Method, ID string      // a method of a resource
	Action               string      // or an action
	Custom               *CustomCall // or a path of the third party
	Read                 bool        // the caller means to read, whatever verb the third party wants for that

	Query  *expr.Object
	Body   expr.Value
	Sent   []byte // Body as JSON, when it was sent as that
	Cursor string
}

// CustomCall names a path of a third party.
type CustomCall struct {
	Verb   string
	Path   string // escaped, below the base URL
	Config json.RawMessage
	Paged  bool
}

// ThirdPartyAnswer is what a third party answered.
type ThirdPartyAnswer struct {
	Status  int         // for the caller
	Headers http.Header // of the third party
	Limits  http.Header // how much the third party allows, in normalised headers

	Data   expr.Value
	List   bool // Data is to be answered as a page
	Custom bool // of the custom API, whose pages have less beside Data
	Count  int  // records of the page
	Next   string
	Prev   string
	Raw    []byte // the body as it came
	Exact  bool   // Raw is Data as JSON
	Binary bool   // Raw is no document

	Lease *memory.Lease // on what all of this takes; released when the answer is written out

	Refused *RemoteRefusal
	Safe    bool // the third party has certainly not done what it was asked for
	Reached bool // it may have got the request
}

// RemoteRefusal says that a third party refused a request, or could not be asked.
type RemoteRefusal struct {
	Message string
	Raw     []byte // the beginning of the body, without secrets
}

// proxyIn is the input of the routes that lead to third parties, and of those that third parties call.
type proxyIn struct {
	r    *request
	body *bodyReader
}

func (in *proxyIn) read(r *request, b *bodyReader) error { //nolint:unparam // the method of an interface
	in.r, in.body = r, b
	return nil
}

// verbatim is an answer that is written as it is.
type verbatim struct{ Body func(huma.Context) }

// written is an answer that is ready to be sent, and to be kept for a repetition.
type written struct {
	Status int
	Header http.Header
	Body   []byte
}

func (w *written) reply() *verbatim {
	return &verbatim{func(ctx huma.Context) {
		for name, values := range w.Header {
			for _, v := range values {
				ctx.AppendHeader(name, v)
			}
		}
		ctx.SetStatus(w.Status)
		_, _ = ctx.BodyWriter().Write(w.Body) // the client has gone, or there is nothing to be done
	}}
}

// shape completes a call with what the route says.
type shape func(r *http.Request, q *proxyQuery, call *ThirdPartyCall)

func proxyMethod(name string) shape {
	return func(r *http.Request, _ *proxyQuery, call *ThirdPartyCall) {
		call.Resource, call.Method, call.ID = r.PathValue("resource"), name, r.PathValue("id")
		call.Read = name == "list" || name == "get"
		if name == "" {
			call.Method = r.PathValue("method")
		}
	}
}

func proxyAction(r *http.Request, _ *proxyQuery, call *ThirdPartyCall) {
	call.Action = r.PathValue("action")
}

func customPath(r *http.Request, q *proxyQuery, call *ThirdPartyCall) {
	_, path, _ := strings.Cut(strings.TrimLeft(sentPath(r.Context()), "/"), "/")
	call.Custom = &CustomCall{Verb: r.Method, Path: path, Paged: r.Method == http.MethodGet && q.pages}
}

// third returns the handler of a route that leads to a third party.
func (a *api) third(shape shape) func(context.Context, *proxyIn) (*verbatim, error) {
	return func(ctx context.Context, in *proxyIn) (*verbatim, error) {
		if a.cfg.ThirdParty == nil {
			return nil, millrace.Errorf(millrace.KindUnavailable, "this server asks no third parties")
		}
		q, err := parseProxyQuery(in.r.http.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		if err := a.accountLimit.take(string(in.r.environment) + " " + string(q.account)); err != nil {
			return nil, err
		}
		call := &ThirdPartyCall{EnvironmentID: in.r.environment, AccountID: q.account, Query: q.forward, Cursor: q.cursor}
		shape(in.r.http, q, call)
		if call.Method == "list" {
			if err := q.checkLimit(); err != nil {
				return nil, err
			}
		}
		raw, err := in.readBody(a, q, call) //nolint:contextcheck // the request has it
		if err != nil {
			return nil, err
		}
		out, err := a.once(ctx, in.r, call, raw, func(ctx context.Context) (*written, *ThirdPartyAnswer, error) {
			answer, err := a.cfg.ThirdParty.Call(ctx, call)
			if err != nil {
				return nil, answer, err
			}
			defer answer.Lease.Release()
			w := q.write(answer)
			return w, answer, a.makeRoom(ctx, in.r, call, w)
		})
		if err != nil {
			return nil, err
		}
		return out.reply(), nil
	}
}

// makeRoom reserves what a response takes until the client has taken it. When there is no memory for it, a read is
// rejected; what has changed something is answered all the same.
func (a *api) makeRoom(ctx context.Context, r *request, call *ThirdPartyCall, w *written) error {
	_, err := r.lease(ctx, a.cfg.Memory.Responses, int64(len(w.Body)), "a response of this size")
	if err != nil && (call.Read || r.http.Method == http.MethodGet) {
		return err
	}
	return nil
}
