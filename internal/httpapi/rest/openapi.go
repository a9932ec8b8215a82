package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/definition"
)

// Doc is what the OpenAPI document says about a route, and how its body is read.
type Doc struct {
	Op      huma.Operation
	body    *BodyReader
	Request *huma.RequestBody
	after   func(context.Context)
}

// Option says more about a route.
type Option func(*Doc)

// YAMLToo lets a route take YAML under any content type.
func YAMLToo(d *Doc) { d.body.yamlToo = true }

// EmptyToo lets a route do without a body, which then is an empty object.
func EmptyToo(d *Doc) { d.body.empty = true }

// Note adds sentences to a route's summary.
func Note(text string) Option { return func(d *Doc) { d.Op.Description = text } }

// Status is that of a response to a request that succeeded, unless it is 200.
func Status(code int) Option { return func(d *Doc) { d.Op.DefaultStatus = code } }

// After runs fn when the handler has succeeded, before the response is sent.
func After(fn func(context.Context)) Option { return func(d *Doc) { d.after = fn } }

// Operation names a route whose name does not follow from its path.
func Operation(id string) Option { return func(d *Doc) { d.Op.OperationID = id } }

// wireTime documents millrace.Time, which the root package cannot do because it knows nothing of HTTP.
type wireTime struct{}

// Schema is that of a date and time or null.
func (wireTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Examples: []any{"2025-02-07T20:39:06.000Z"}}
}

// wirePeriod documents a length of time.
type wirePeriod struct{}

// Schema allows text and a number of seconds.
func (wirePeriod) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A whole number with a unit, s, m, h or d, or a number of seconds; at most 30 days.",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}}, Examples: []any{"30s"},
	}
}

// wireInput documents the input of a step's action.
type wireInput struct{}

// Schema allows both forms.
func (wireInput) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true}}}
}

func newHuma(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Millrace", "1")
	config.Info.Description = "Declarative integration workflows: connect accounts, react to their events, " +
		"and receive clean, ordered, signed records on your own webhook."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Info.Contact = &huma.Contact{Name: "Millrace", URL: "https://github.com/millrace/millrace"}
	config.Servers = []*huma.Server{{URL: "http://127.0.0.1:8080", Description: "millrace serve, unless --addr says otherwise."}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks, config.Transformers = nil, []huma.Transformer{selected} // those that are there add $schema links to responses
	config.AllowAdditionalPropertiesByDefault = true                            // responses may get more members
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.Schemas.RegisterTypeAlias(typeOf[millrace.Time](), typeOf[wireTime]())
	config.Components.Schemas.RegisterTypeAlias(typeOf[millrace.Period](), typeOf[wirePeriod]())
	config.Components.Schemas.RegisterTypeAlias(typeOf[definition.Period](), typeOf[wirePeriod]())
	config.Components.Schemas.RegisterTypeAlias(typeOf[definition.Input](), typeOf[wireInput]())
	return humago.New(mux, config)
}

// schemaName names a type's schema: millrace.Page[webhookView] is PageWebhook. What is read in the form that is written has another
// name than what is stored of it: definition.Step is SentStep.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	name = strings.TrimSuffix(name, "View")
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == typeOf[definition.Step]().PkgPath() {
		name = "Sent" + name
	}
	if t == typeOf[WireError]() {
		return "Error"
	}
	return name
}

// describe completes what the document says about a route.
func (r *Router) describe(d *Doc, needed Need, in reflect.Type) {
	op := &d.Op
	first, rest, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	op.Tags = []string{first}
	_, isList := in.FieldByName("List")
	if op.OperationID == "" {
		op.OperationID = operationID(op.Method, first, rest, isList)
	}
	failed := map[string]*huma.MediaType{"application/json": {Schema: r.registry.Schema(typeOf[WireError](), true, "")}}
	op.Responses = map[string]*huma.Response{
		"4XX": {Description: "The request is rejected. The error says what is wrong and where.", Content: failed},
		"5XX": {Description: "The server, its database or a provider failed.", Content: failed},
	}
	op.Security = []map[string][]string{} // anyone
	if needed != Nothing {
		op.Security = append(op.Security, map[string][]string{"token": {}})
	}
	if isList {
		op.Parameters = listParameters()
		op.Description = strings.TrimSpace(op.Description + " Any field filters: field=value, field[gt]=value, " +
			"field[in]=a,b, member.field=value; the operators are eq, ne, gt, gte, lt, lte, in, nin and like.")
	}
	if data, ok := in.FieldByName("Data"); ok {
		d.body.schema = r.registry.Schema(data.Type, true, "")
		media := &huma.MediaType{Schema: d.body.schema}
		if e, ok := reflect.TypeAssert[interface{ Example() string }](reflect.New(data.Type)); ok {
			media.Example = json.RawMessage(e.Example())
		}
		d.Request = &huma.RequestBody{
			Required: true,
			Content:  map[string]*huma.MediaType{"application/json": media, "application/yaml": {Schema: d.body.schema}},
		}
	}
}

// attachBody documents the body of a route that is registered already: had huma known of it before, it would read the
// body itself.
func (r *Router) attachBody(d *Doc) {
	item := r.huma.OpenAPI().Paths[d.Op.Path]
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
		if op != nil && op.Method == d.Op.Method {
			op.RequestBody = d.Request
			d.body.shown = r.shown(op)
		}
	}
}

// shown returns the schema of a route's response, nil when it has none. Clients send back what they have read.
func (r *Router) shown(op *huma.Operation) *huma.Schema {
	response := op.Responses["200"]
	if response == nil || response.Content["application/json"] == nil {
		return nil
	}
	s := response.Content["application/json"].Schema
	for s != nil && s.Ref != "" {
		s = r.registry.SchemaFromRef(s.Ref)
	}
	return s
}

func operationID(method, first, rest string, isList bool) string {
	verb := map[string]string{"GET": "get", "POST": "create", "PATCH": "update", "DELETE": "delete"}[method]
	if isList {
		verb = "list"
	}
	if _, action, _ := strings.Cut(rest, "}/"); action != "" {
		return verb + "-" + first + "-" + action
	}
	if rest != "" && !strings.HasPrefix(rest, "{") {
		return rest + "-" + first
	}
	return verb + "-" + strings.ReplaceAll(first, ".", "-")
}

func listParameters() []*huma.Param {
	one, most := 1.0, float64(millrace.MaxLimit)
	return []*huma.Param{
		{
			Name: "limit", In: "query", Description: "How many objects to return at most.",
			Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &most, Default: millrace.MaxLimit},
		},
		{
			Name: "next_cursor", In: "query", Description: "The next_cursor of the page before; empty for the first.",
			Schema: &huma.Schema{Type: huma.TypeString},
		},
		{
			Name: "sort_by", In: "query", Style: "deepObject", Explode: new(true),
			Description: "The order: sort_by[created_at]=desc. sort=-created_at does the same.",
			Schema: &huma.Schema{
				Type:                 huma.TypeObject,
				AdditionalProperties: &huma.Schema{Type: huma.TypeString, Enum: []any{"asc", "desc"}},
			},
		},
	}
}

// Complete finishes the document, after all routes are known.
func (r *Router) Complete() {
	components := r.registry.Map()
	delete(components, "ErrorModel") // huma's own form of errors, which is never sent
	delete(components, "ErrorDetail")
	values := enums()
	for name, s := range components {
		describeDocuments(s)
		if s.AdditionalProperties == true && len(s.Properties) > 0 {
			s.AdditionalProperties = nil // the same, and generated clients know a member that does not exist
		}
		enumerate(s, r.registry.TypeFromRef("#/components/schemas/"+name), values)
	}
	components["Step"].Properties["config"] = components["SentStep"].Properties["config"]
	paths := r.huma.OpenAPI().Paths
	paths["/custom/{path}"] = paths["/custom/{path...}"] // net/http's way to say that it has slashes
	delete(paths, "/custom/{path...}")
	// To OpenAPI, two paths that differ in the names of parameters are one.
	call := paths["/proxy/{resource}/{method}"].Post
	for _, p := range call.Parameters {
		if p.Name == "method" && p.In == "path" {
			p.Name, p.Description = "id", "The name of a method of the integration's own."
		}
	}
	paths["/proxy/{resource}/{id}"].Post = call
	delete(paths, "/proxy/{resource}/{method}")
	names := map[string]bool{}
	for _, item := range paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			names[op.Tags[0]] = true
			if op.Description == "" {
				op.Description = op.Summary + "."
			}
			examples{r.registry}.operation(op)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		r.huma.OpenAPI().Tags = append(r.huma.OpenAPI().Tags, &huma.Tag{Name: name, Description: "The routes below /" + name + "."})
	}
	r.openJSON = sync.OnceValues(r.renderJSON)
	r.openYAML = sync.OnceValues(r.huma.OpenAPI().YAML)
}

func (r *Router) renderJSON() ([]byte, error) {
	raw, err := json.Marshal(r.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return nil, err
	}
	return append(indented.Bytes(), '\n'), nil
}

// describeDocuments gives a type to the members that the root package keeps as raw JSON.
func describeDocuments(s *huma.Schema) {
	for name, p := range s.Properties {
		if p.Type == "" && p.Nullable { // huma would write a type that is empty
			p.Nullable = false
			if len(p.OneOf) > 0 {
				p.OneOf = append(p.OneOf, &huma.Schema{Type: "null"})
			}
		}
		if p.Type != "" || p.Ref != "" || len(p.OneOf) > 0 {
			continue
		}
		switch name {
		case "config", "override", "context", "features", "args", "args_schema", "meta", "payload", "resource_stats",
			"unified_model_override", "integration_override", "error", "result":
			p.Type, p.Nullable, p.AdditionalProperties = huma.TypeObject, true, true
		case "resources", "events_to_send", "event_types":
			p.Type, p.Nullable, p.Items = huma.TypeArray, true, &huma.Schema{}
		}
	}
}
