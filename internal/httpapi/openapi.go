package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/millrace/millrace"
)

// doc is what the OpenAPI document says about a route, and how its body is read.
type doc struct {
	op      huma.Operation
	body    *bodyReader
	request *huma.RequestBody
}

type option func(*doc)

// yamlToo lets a route take YAML under any content type.
func yamlToo(d *doc) { d.body.yamlToo = true }

// emptyToo lets a route do without a body, which then is an empty object.
func emptyToo(d *doc) { d.body.empty = true }

// note adds sentences to a route's summary.
func note(text string) option { return func(d *doc) { d.op.Description = text } }

// operation names a route whose name does not follow from its path.
func operation(id string) option { return func(d *doc) { d.op.OperationID = id } }

// wireTime documents millrace.Time, which the root package cannot do because it knows nothing of HTTP.
type wireTime struct{}

// Schema is that of a date and time or null.
func (wireTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Examples: []any{"2025-02-07T20:39:06.000Z"}}
}

func newHuma(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Millrace", "1")
	config.Info.Description = "Declarative integration workflows: connect accounts, react to their events, " +
		"and receive clean, ordered, signed records on your own webhook."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks, config.Transformers = nil, nil // they add $schema links to answers
	config.AllowAdditionalPropertiesByDefault = true   // answers may grow members
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.Schemas.RegisterTypeAlias(typeOf[millrace.Time](), typeOf[wireTime]())
	config.Components.Schemas.RegisterTypeAlias(typeOf[millrace.Period](), typeOf[period]())
	return humago.New(mux, config)
}

// schemaName names a type's schema: millrace.Page[webhookView] is PageWebhook.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	name = strings.TrimSuffix(name, "View")
	if t == typeOf[envelope]() {
		return "Error"
	}
	return name
}

// describe completes what the document says about a route.
func (a *api) describe(d *doc, who access, in reflect.Type) {
	op := &d.op
	first, rest, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	op.Tags = []string{first}
	_, isList := in.FieldByName("List")
	if op.OperationID == "" {
		op.OperationID = operationID(op.Method, first, rest, isList)
	}
	op.Responses = map[string]*huma.Response{"default": {
		Description: "The refusal of a request.",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: a.registry.Schema(typeOf[envelope](), true, ""),
		}},
	}}
	if who != public {
		op.Security = []map[string][]string{{"token": {}}}
	}
	if isList {
		op.Parameters = listParameters()
		op.Description = strings.TrimSpace(op.Description + " Any field filters: field=value, field[gt]=value, " +
			"field[in]=a,b, member.field=value; the operators are eq, ne, gt, gte, lt, lte, in, nin and like.")
	}
	if data, ok := in.FieldByName("Data"); ok {
		d.body.schema = a.registry.Schema(data.Type, true, "")
		media := &huma.MediaType{Schema: d.body.schema}
		if e, ok := reflect.TypeAssert[interface{ example() string }](reflect.New(data.Type)); ok {
			media.Example = json.RawMessage(e.example())
		}
		d.request = &huma.RequestBody{
			Required: true,
			Content:  map[string]*huma.MediaType{"application/json": media, "application/yaml": {Schema: d.body.schema}},
		}
	}
}

// attachBody documents the body of a route that is registered already: had huma known of it before, it would read the
// body itself.
func (a *api) attachBody(d *doc) {
	item := a.huma.OpenAPI().Paths[d.op.Path]
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
		if op != nil && op.Method == d.op.Method {
			op.RequestBody = d.request
		}
	}
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

// complete finishes the document, after all routes are known.
func (a *api) complete() {
	components := a.registry.Map()
	delete(components, "ErrorModel") // huma's own form of errors, which is never sent
	delete(components, "ErrorDetail")
	for _, s := range components {
		describeDocuments(s)
	}
	components["Step"].Properties["config"] = components["SentStep"].Properties["config"]
	paths := a.huma.OpenAPI().Paths
	paths["/custom/{path}"] = paths["/custom/{path...}"] // net/http's way to say that it has slashes
	delete(paths, "/custom/{path...}")
	a.openJSON = sync.OnceValues(a.renderJSON)
	a.openYAML = sync.OnceValues(a.huma.OpenAPI().YAML)
}

func (a *api) renderJSON() ([]byte, error) {
	raw, err := json.Marshal(a.huma.OpenAPI())
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
