package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
)

// Caller asks providers on behalf of integrated accounts.
type Caller interface {
	// Call makes the requests of one call. Every response of the provider is one; an error means that we failed or
	// rejected it. With an error there is a response only to say whether the provider may have been reached.
	Call(ctx context.Context, call *provider.Call) (*provider.Response, error)
	// Log stores the outcome of a call.
	Log(ctx context.Context, row millrace.CallLog)
}

// Handlers are the handlers of the routes that lead to providers.
type Handlers struct {
	DB     *store.DB
	Caller Caller      // nil: they are not available
	Limit  *rest.Limit // of each account
	Memory memory.Pools
	Clock  func() time.Time
}

// shape completes a call with what the route says.
type shape func(r *rest.Request, q *proxyQuery, call *provider.Call)

// Method is the shape of a call of a method of a resource; the path names the method when name is empty.
func Method(name string) shape {
	return func(r *rest.Request, _ *proxyQuery, call *provider.Call) {
		call.Resource, call.Method, call.ID = r.HTTP.PathValue("resource"), name, r.HTTP.PathValue("id")
		call.Read = name == "list" || name == "get"
		if name == "" {
			call.Method = r.HTTP.PathValue("method")
		}
	}
}

// Action is the shape of a call of an action of the integration.
func Action(r *rest.Request, _ *proxyQuery, call *provider.Call) {
	call.Action = r.HTTP.PathValue("action")
}

// Custom is the shape of a call of any path of a provider.
func Custom(r *rest.Request, q *proxyQuery, call *provider.Call) {
	_, path, _ := strings.Cut(strings.TrimLeft(r.SentPath, "/"), "/")
	call.Custom = &provider.CustomCall{Verb: r.HTTP.Method, Path: path, Paged: r.HTTP.Method == http.MethodGet && q.pages}
}

// Call returns the handler of a route that leads to a provider.
func (h *Handlers) Call(shape shape) func(context.Context, *rest.RawIn) (*rest.Verbatim, error) {
	return func(ctx context.Context, in *rest.RawIn) (*rest.Verbatim, error) {
		ctx = store.By(ctx, store.Actor{}) // what the server does about the account for it is no change by the caller
		if h.Caller == nil {
			return nil, millrace.Errorf(millrace.KindUnavailable, "this server calls no providers")
		}
		q, err := parseProxyQuery(in.Request.HTTP.URL.RawQuery, in.Request.Account())
		if err != nil {
			return nil, err
		}
		if err := h.Limit.Take(string(in.Request.Environment) + " " + string(q.account)); err != nil {
			return nil, err
		}
		call := &provider.Call{EnvironmentID: in.Request.Environment, AccountID: q.account, Query: q.forward, Cursor: q.cursor}
		shape(in.Request, q, call)
		if call.Method == "list" {
			if err := q.checkLimit(); err != nil {
				return nil, err
			}
		}
		raw, err := h.readBody(in, q, call) //nolint:contextcheck // the request has it
		if err != nil {
			return nil, err
		}
		out, err := h.once(ctx, in.Request, call, raw, func(ctx context.Context) (*rest.Response, *provider.Response, error) {
			began := h.Clock()
			response, err := h.Caller.Call(ctx, call)
			h.log(ctx, in.Request, call, began, response, err)
			if err != nil {
				return nil, response, err
			}
			defer response.Lease.Release()
			w := q.write(response)
			return w, response, h.makeRoom(ctx, in.Request, call, w)
		})
		if err != nil {
			return nil, err
		}
		return out.Reply(), nil
	}
}

// log writes the outcome of a call to the log, unless its account does not exist.
func (h *Handlers) log(ctx context.Context, r *rest.Request, call *provider.Call, began time.Time, response *provider.Response, failed error) {
	row := call.Log
	if row.Integration == "" {
		return
	}
	row.EnvironmentID, row.IntegratedAccountID = call.EnvironmentID, call.AccountID
	row.Resource, row.Method = call.Resource, call.Method
	switch {
	case call.Action != "":
		row.Resource, row.Method = "_", call.Action
	case call.Custom != nil:
		row.Method = strings.ToLower(call.Custom.Verb)
	}
	row.Duration = h.Clock().Sub(began).Milliseconds()
	switch {
	case failed != nil:
		e := r.Reject(failed)
		row.HTTPStatusCode, row.Message = int64(e.StatusCode), e.Text
	case response.Rejected != nil:
		row.HTTPStatusCode, row.Message = int64(response.Status), response.Rejected.Message
	default:
		row.HTTPStatusCode, row.ResultCount = int64(response.Status), int64(response.Count)
	}
	for _, text := range []*string{&row.Resource, &row.Method, &row.HTTPURL, &row.Message} {
		*text = storable(*text)
	}
	h.Caller.Log(ctx, row)
}

// storable makes what others wrote fit for the log: of bounded length, and without what a database cannot store.
func storable(text string) string {
	const most = 1 << 10
	text = strings.ReplaceAll(strings.ToValidUTF8(text[:min(len(text), 2*most)], ""), "\x00", "")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// makeRoom reserves what a response takes until the client has taken it. When there is no memory for it, a read is
// rejected; what has changed something gets its response all the same.
func (h *Handlers) makeRoom(ctx context.Context, r *rest.Request, call *provider.Call, w *rest.Response) error {
	_, err := r.Lease(ctx, h.Memory.Responses, int64(len(w.Body)), "a response of this size")
	if err != nil && (call.Read || r.HTTP.Method == http.MethodGet) {
		return err
	}
	return nil
}
