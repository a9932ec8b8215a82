package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/httpapi/rest"

	"github.com/danielgtaylor/huma/v2"
)

// CustomNote is the description of the custom API.
const CustomNote = "The path goes below the integration's base URL and cannot leave its host. A member methodConfig of the " +
	"body, a method as in an integration's config, says how the call is made; the rest of the body is sent. A GET pages " +
	"like the lists of the integration when its query has limit or next_cursor, or when methodConfig has a pagination."

const proxyNote = "Parameters that are not named here are forwarded, nested and in arrays as well; remote_query[name] wins " +
	"over name. An error of the provider is passed on with its status and truto_is_remote_error."

// Describe documents a route that leads to a provider.
func Describe(id string) rest.Option {
	return func(d *rest.Doc) {
		op := &d.Op
		op.OperationID, op.Description = id, strings.TrimSpace(op.Description+" "+proxyNote)
		text := &huma.Schema{Type: huma.TypeString}
		param := func(name, in, about string, required bool, s *huma.Schema) {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: in, Description: about, Required: required, Schema: s})
		}
		for _, name := range []string{"resource", "id", "method", "action", "path"} {
			if strings.Contains(op.Path, "{"+name) {
				param(name, "path", "", true, text)
			}
		}
		param("integrated_account_id", "query", "The account on whose behalf the provider is called.", true,
			&huma.Schema{Type: huma.TypeString, Format: "uuid"})
		param("truto_response_format", "query", "raw: the body as the provider sent it.", false,
			&huma.Schema{Type: huma.TypeString, Enum: []any{"normalized", "unified", "raw", "stream"}})
		param("truto_exclude_fields", "query", "Members to leave out of each record, comma-separated, with dots for nested ones.", false, text)
		if slices.Contains([]string{"list-proxy", "get-custom"}, id) {
			param("limit", "query", "How many records a page has at most.", false, &huma.Schema{Type: huma.TypeInteger})
			param("next_cursor", "query", "The next_cursor or prev_cursor of another page; empty for the first.", false, text)
		}
		if op.Method == http.MethodGet {
			return
		}
		param("truto_body_passthrough", "query", "true: the body is a file and is sent unchanged.", false, &huma.Schema{Type: huma.TypeBoolean})
		param("Idempotency-Key", "header", "A repetition under the same key gets the response of the first call, without a second one.", false, text)
		d.Request = &huma.RequestBody{Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{}}, "multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject}},
		}}
	}
}
