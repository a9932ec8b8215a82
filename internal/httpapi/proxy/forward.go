package proxy

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/jsonata"
)

// maxParts bounds how many parts a multipart body may have.
const maxParts = 200

// readBody reads the body of a call into it, and returns it as it was sent. Reads of the proxy API have none, whatever
// their content type says.
func (h *Handlers) readBody(in *rest.RawIn, q *proxyQuery, call *provider.Call) ([]byte, error) {
	if call.Custom == nil && call.Read {
		return nil, nil
	}
	raw, err := in.ReadBody()
	if err != nil {
		return nil, err
	}
	contentType := in.Request.HTTP.Header.Get("Content-Type")
	mediaType, params, _ := mime.ParseMediaType(contentType)
	switch {
	case q.passthrough:
		if len(raw) > 0 {
			call.Body = &expr.File{Data: raw, ContentType: contentType}
		}
		return raw, nil
	case mediaType == "multipart/form-data":
		call.Body, err = multipartBody(raw, params["boundary"])
		return raw, err
	case mediaType == "application/x-www-form-urlencoded":
		tree, failures := parseForward(string(raw))
		call.Body = objectOf(tree)
		return raw, millrace.InvalidAll(failures)
	}
	text := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(text)) == 0 {
		return raw, nil
	}
	if _, err := in.Request.Lease(in.Request.HTTP.Context(), h.Memory.Parsing, 2*rest.CostOf(text, false), "a body of this size"); err != nil {
		return nil, err
	}
	root, err := document.ParseJSON(text)
	if err != nil {
		if mediaType != "" && !strings.HasSuffix(mediaType, "json") && !strings.HasPrefix(mediaType, "text/") {
			err = millrace.Errorf(millrace.KindUnsupported, "the content type %s cannot be read; send JSON, a form, "+
				"multipart/form-data, or any file with truto_body_passthrough=true", millrace.Shorten(mediaType))
		}
		return nil, err
	}
	return raw, takeBody(call, root)
}

// takeBody takes methodConfig out of the body of a custom call; the rest is for the provider.
func takeBody(call *provider.Call, root *document.Value) error {
	if call.Custom != nil && root.Kind == document.KindObject {
		if config := root.Get("methodConfig"); config != nil {
			call.Custom.Config = config.JSON()
			root.Remove("methodConfig")
			if len(root.Members) == 0 {
				return nil
			}
		}
	}
	call.Sent = root.JSON()
	var err error
	call.Body, err = expr.ParseJSON(call.Sent)
	return err
}

func objectOf(p *parameter) *expr.Object {
	o := jsonata.NewObject(len(p.order))
	for _, key := range p.order {
		o.Set(key, p.members[key].value())
	}
	return o
}

// multipartBody makes an object of a form with files.
func multipartBody(raw []byte, boundary string) (expr.Value, error) {
	bad := func(err error) error {
		return &millrace.Error{Kind: millrace.KindInvalid, Message: "the multipart body cannot be read", Err: err}
	}
	if boundary == "" {
		return nil, bad(http.ErrMissingBoundary)
	}
	body := jsonata.NewObject(4)
	reader := multipart.NewReader(bytes.NewReader(raw), boundary)
	for range maxParts {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, bad(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, bad(err)
		}
		var v expr.Value = string(bytes.ToValidUTF8(data, []byte("\ufffd")))
		if part.FileName() != "" {
			v = &expr.File{Data: data, ContentType: part.Header.Get("Content-Type"), Name: part.FileName()}
		}
		name := part.FormName()
		if before, again := body.Get(name); again {
			items := []expr.Value{before}
			if list, ok := before.(*expr.Array); ok {
				items = list.Items()
			}
			v = jsonata.NewArray(append(items, v)...)
		}
		body.Set(name, v)
	}
	return nil, millrace.Invalid("", "the multipart body has more than %d parts", maxParts)
}
