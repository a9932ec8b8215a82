package rest

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// RawIn is the input of a route that reads its request itself: one that leads to a provider, or that providers call.
type RawIn struct {
	Request *Request
	body    *BodyReader
}

// ReadBody reads the body as it came.
func (in *RawIn) ReadBody() ([]byte, error) { return in.body.bytes(in.Request) }

func (in *RawIn) Read(r *Request, b *BodyReader) error {
	in.Request, in.body = r, b
	return nil
}

// Verbatim is a response that is written unchanged.
type Verbatim struct{ Body func(huma.Context) }

// Response is a response that is ready to be sent, and to be kept for a repetition.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Reply writes it.
func (w *Response) Reply() *Verbatim {
	return &Verbatim{func(ctx huma.Context) {
		for name, values := range w.Header {
			for _, v := range values {
				ctx.AppendHeader(name, v)
			}
		}
		ctx.SetStatus(w.Status)
		_, _ = ctx.BodyWriter().Write(w.Body) // the client has gone, or there is nothing to be done
	}}
}

// JSON makes a value the body.
func (w *Response) JSON(v any) {
	w.Header.Set("Content-Type", "application/json")
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // only of a value that is not JSON, which none is
		w.Status = http.StatusInternalServerError
	}
	w.Body = buf.Bytes()
}
