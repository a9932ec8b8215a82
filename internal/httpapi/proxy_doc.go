package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const customNote = "The path goes below the integration's base URL and cannot leave its host. A member methodConfig of the " +
	"body, a method as in an integration's config, says how the call is made; the rest of the body is sent. A GET pages " +
	"like the lists of the integration when its query has limit or next_cursor, or when methodConfig has a pagination."

const thirdNote = "Parameters that are not named here are forwarded, nested and in arrays as well; remote_query[name] wins " +
	"over name. What the third party refuses is answered with its status and truto_is_remote_error."

// third documents a route that leads to a third party.
func third(id string) option {
	return func(d *doc) {
		op := &d.op
		op.OperationID, op.Description = id, strings.TrimSpace(op.Description+" "+thirdNote)
		text := &huma.Schema{Type: huma.TypeString}
		param := func(name, in, about string, required bool, s *huma.Schema) {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: in, Description: about, Required: required, Schema: s})
		}
		for _, name := range []string{"resource", "id", "method", "action", "path"} {
			if strings.Contains(op.Path, "{"+name) {
				param(name, "path", "", true, text)
			}
		}
		param("integrated_account_id", "query", "The account on whose behalf the third party is asked.", true,
			&huma.Schema{Type: huma.TypeString, Format: "uuid"})
		param("truto_response_format", "query", "raw: the body as the third party sent it.", false,
			&huma.Schema{Type: huma.TypeString, Enum: []any{"normalized", "unified", "raw", "stream"}})
		param("truto_exclude_fields", "query", "Members to leave out of each record, comma-separated, with dots for nested ones.", false, text)
		if slices.Contains([]string{"list-proxy", "get-custom"}, id) {
			param("limit", "query", "How many records a page has at most.", false, &huma.Schema{Type: huma.TypeInteger})
			param("next_cursor", "query", "The next_cursor or prev_cursor of another page; empty for the first.", false, text)
		}
		if op.Method == http.MethodGet {
			return
		}
		param("truto_body_passthrough", "query", "true: the body is a file and is sent as it is.", false, &huma.Schema{Type: huma.TypeBoolean})
		param("Idempotency-Key", "header", "A repetition under the same key is answered like the first call, without a second one.", false, text)
		d.request = &huma.RequestBody{Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{}}, "multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject}},
		}}
	}
}
