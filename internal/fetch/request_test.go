package fetch

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

func TestURL(t *testing.T) { //nolint:tparallel // one upstream serves one case after the other
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	for _, tc := range []struct {
		name, base, method, want string
	}{
		{"slashes meet once", u.URL + "/v1/", `{"path":"/x"}`, "/v1/x"},
		{"no slash at all", u.URL + "/v1", `{"path":"x"}`, "/v1/x"},
		{"empty path", u.URL + "/v1", `{"path":""}`, "/v1"},
		{"static query in the path", u.URL, `{"path":"/x?a=1","query":{"b":2}}`, "/x?a=1&b=2"},
		{"base of the account", "{{instance_url}}/v2", `{"path":"/x"}`, "/v2/x"},
		{"base of the method", "https://unused.test", `{"path":"/x","base_url":"` + u.URL + `/m"}`, "/m/x"},
		{"absolute path", "https://unused.test", `{"path":"` + u.URL + `/abs"}`, "/abs"},
		{"values are escaped", u.URL, `{"path":"/x/{{odd}}/{{list}}/{{nested.deep.0}}/{{count}}"}`, "/x/a%2Fb%3Fc%23d%20%2525/1,a%2Fb/y%2Fz/7"},
		{"aliases of the context", u.URL, `{"path":"/{{context.word}}/{{credentials.word}}/{{word}}"}`, "/w/w/w"},
		{"query of the caller in the path", u.URL, `{"path":"/{{query.kind}}"}`, "/k"},
		{"environment variables", u.URL, `{"path":"/{{environment_variables.REGION}}"}`, "/eu"},
		{"query values without a value are left out", u.URL, `{"path":"/x","query":{"a":"{{nothing}}","b":"{{nothing.b}}","c":null,"d":"","e":"x{{word}}"}}`, "/x?d=&e=xw"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := oneMethod(t, tc.base, "", tc.method)
			req := Request{
				Integration: cfg, EnvironmentVariables: map[string]any{"REGION": "eu"},
				Context: map[string]any{
					"instance_url": u.URL, "odd": "a/b?c#d %25", "list": []any{1, "a/b"}, "count": 7, "word": "w",
					"nested": map[string]any{"deep": []any{"y/z"}},
				},
			}
			if strings.Contains(tc.method, "query.kind") {
				req.Query = object(t, `{"kind":"k"}`)
			}
			fetchOK(t, newFetcher(t), req)
			if r, _ := u.last(t); r.URL.RequestURI() != tc.want {
				t.Errorf("got %s, want %s", r.URL.RequestURI(), tc.want)
			}
		})
	}
}

func TestURLsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, base, method, path string
		context                  map[string]any
	}{
		{"id without value", "https://a.test", `{"path":"/x/{{id}}"}`, "config.resources.things.list.path", nil},
		{"base without value", "https://{{subdomain}}.a.test", `{"path":"/x"}`, "config.base_url", nil},
		{"base is null", "https://{{subdomain}}.a.test", `{"path":"/x"}`, "config.base_url", map[string]any{"subdomain": nil}},
		{"token is null", "https://a.test", `{"path":"/x","authorization":{"format":"bearer","config":{"token":"{{t}}"}}}`, "config.resources.things.list.authorization.config.token", map[string]any{"t": nil}},
		{"host made by a value", "https://{{sub}}.a.test", `{"path":"/x"}`, "config.resources.things.list.path", map[string]any{"sub": "evil.test/"}},
		{"host cut off by a value", "https://{{sub}}.a.test", `{"path":"/x"}`, "config.resources.things.list.path", map[string]any{"sub": "evil.test#"}},
		{"scheme", "{{url}}", `{"path":"/x"}`, "config.resources.things.list.path", map[string]any{"url": "file:///etc/passwd"}},
		{"dots", "https://a.test", `{"path":"/users/{{who}}/secrets"}`, "config.resources.things.list.path", map[string]any{"who": ".."}},
		{"credentials in the URL", "https://user:pass@a.test", `{"path":"/x"}`, "config.resources.things.list.path", nil},
		{"escaped dots", "https://a.test", `{"path":"/users/{{who}}"}`, "config.resources.things.list.path", map[string]any{"who": "."}},
		{"line break in a header", "https://a.test", `{"path":"/x","headers":{"X":"{{v}}"}}`, "headers", map[string]any{"v": "a\r\nB: c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := oneMethod(t, tc.base, "", tc.method)
			_, err := newFetcher(t).Fetch(t.Context(), Request{Integration: cfg, Resource: "things", Method: "list", Context: tc.context})
			var e *millrace.Error
			if !asError(err, &e) || e.Kind != millrace.KindInvalid || e.Failures[0].Path != tc.path {
				t.Errorf("got %v, want a finding at %s", err, tc.path)
			}
		})
	}
}

func TestQueryArrayFormats(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	for format, want := range map[string]string{
		`"comma"`:    "k=a,b%2Fc&o[x]=1,2&n=true",
		`"brackets"`: "k[]=a&k[]=b%2Fc&o[x][]=1&o[x][]=2&n=true",
		`"indices"`:  "k[0]=a&k[1]=b%2Fc&o[x][0]=1&o[x][1]=2&n=true",
		`"repeat"`:   "k=a&k=b%2Fc&o[x]=1&o[x]=2&n=true",
		`null`:       "k=a&k=b%2Fc&o[x]=1&o[x]=2&n=true",
	} {
		cfg := oneMethod(t, u.URL, `"query_array_format":`+format, `{"path":"/x"}`)
		fetchOK(t, newFetcher(t), Request{Integration: cfg, Query: object(t, `{"k":["a","b/c"],"o":{"x":[1,2]},"n":true,"z":null}`)})
		if r, _ := u.last(t); r.URL.RawQuery != want {
			t.Errorf("%s: got %s, want %s", format, r.URL.RawQuery, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `[]`))
	cfg := oneMethod(t, u.URL, `"headers":{"X-A":"top","x-b":"top","X-Gone":null,"X-Region":"{{region}}","X-None":"{{nothing}}"}`,
		`{"path":"/x","headers":{"x-a":"method","X-B":null,"x-gone":"method","User-Agent":"mine","Host":"evil.test","Accept-Encoding":"br"}}`)
	fetchOK(t, newFetcher(t), Request{
		Integration: cfg, Context: map[string]any{"region": "eu"}, Headers: http.Header{"X-Caller": {"c"}, "X-Region": {"us"}},
	})
	r, _ := u.last(t)
	got := map[string]string{}
	for _, name := range []string{"X-A", "X-B", "X-Gone", "X-Region", "X-None", "X-Caller", "User-Agent", "Accept-Encoding"} {
		got[name] = r.Header.Get(name)
	}
	want := map[string]string{
		"X-A": "method", "X-B": "", "X-Gone": "", "X-Region": "us", "X-None": "", "X-Caller": "c", "User-Agent": "mine", "Accept-Encoding": "gzip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if r.Host == "evil.test" {
		t.Error("a config may not choose the Host header")
	}
}

func TestBodies(t *testing.T) { //nolint:tparallel // one upstream serves one case after the other
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{}`))
	for _, tc := range []struct {
		name, method, body, query string
		want, contentType         string
	}{
		{"the caller's", `{"path":"/x","method":"post"}`, `{"b":1,"a":[null]}`, "", `{"b":1,"a":[null]}`, "application/json"},
		{"none on get", `{"path":"/x"}`, `{"b":1}`, "", ``, ""},
		{"configured on get", `{"path":"/x","body":{"q":"{{body.b:int}}"}}`, `{"b":"1"}`, "", `{"q":1}`, "application/json"},
		{"expression", `{"path":"/x","method":"post","body":"{\"n\": $sum(body.items), \"r\": region}"}`, `{"items":[1,2]}`, "", `{"n":3,"r":"eu"}`, "application/json"},
		{"caller's ignored", `{"path":"/x","method":"post","ignore_body":true}`, `{"b":1}`, "", ``, ""},
		{"set to null", `{"path":"/x","method":"post","body":{"q":1},"set_body_to_null":true}`, `{"b":1}`, "", ``, ""},
		{"query copied into it", `{"path":"/x","method":"post","add_query_to_body":true}`, `{"b":1}`, `{"b":2,"c":3}`, `{"b":1,"c":3}`, "application/json"},
		{"query copied into nothing", `{"path":"/x","method":"post","add_query_to_body":true}`, ``, `{"c":3}`, `{"c":3}`, "application/json"},
		{"form", `{"path":"/x","method":"post","body_format":"form","query_array_format":"brackets"}`, `{"a":"x y&z","l":[1,2],"o":{"p":true}}`, "", `a=x+y%26z&l[]=1&l[]=2&o[p]=true`, "application/x-www-form-urlencoded"},
		{"raw", `{"path":"/x","method":"post","body_format":"raw","body":"id={{body.id}}"}`, `{"id":7}`, "", `id=7`, "text/plain; charset=utf-8"},
		{"raw with a type", `{"path":"/x","method":"post","body_format":"raw","headers":{"Content-Type":"application/graphql"},"body":"{ q(id: {{body.id}}) }"}`, `{"id":7}`, "", `{ q(id: 7) }`, "application/graphql"},
		{"xml", `{"path":"/x","method":"post","body_format":"xml"}`, `{"order":{"@id":"1\"","line":["a<b",2],"empty":null,"note":{"#text":"t","@x":1}}}`, "", `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<order id="1&#34;"><line>a&lt;b</line><line>2</line><empty></empty><note x="1">t</note></order>`, "application/xml"},
		{"xml with a root", `{"path":"/x","method":"post","body_format":"xml","body_format_config":{"root":"r"}}`, `{"a":1,"b":2}`, "", `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<r><a>1</a><b>2</b></r>`, "application/xml"},
		{"xml text", `{"path":"/x","method":"post","body_format":"xml","body":"<a>{{body.v}}</a>"}`, `{"v":"1"}`, "", `<a>1</a>`, "application/xml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := Request{Integration: oneMethod(t, u.URL, "", tc.method), Context: map[string]any{"region": "eu"}}
			if tc.body != "" {
				req.Body = value(t, tc.body)
			}
			if tc.query != "" {
				req.Query = object(t, tc.query)
			}
			fetchOK(t, newFetcher(t), req)
			r, body := u.last(t)
			if body != tc.want || r.Header.Get("Content-Type") != tc.contentType {
				t.Errorf("got %s of type %q, want %s of type %q", body, r.Header.Get("Content-Type"), tc.want, tc.contentType)
			}
		})
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, respondJSON(200, `{}`))
	cfg := oneMethod(t, u.URL, "", `{"path":"/x","method":"post","body_format":"multipart","headers":{"Content-Type":"multipart/form-data"},
		"body":{"title":"{{body.title}}","tags":["a","b"],"file":"{{body.file}}","doc":{"file_name":"d\".txt","content":"hello","content_type":"text/plain"}}}`)
	body := object(t, `{"title":"T"}`)
	body.Set("file", &expr.File{Data: []byte{0, 1, 2}, ContentType: "image/png", Name: "p.png"})
	fetchOK(t, newFetcher(t), Request{Integration: cfg, Body: body})
	r, sent := u.last(t)
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("content type: %v", err)
	}
	reader := multipart.NewReader(strings.NewReader(sent), params["boundary"])
	var got []string
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("part: %v", err)
		}
		data, _ := io.ReadAll(part)
		got = append(got, strings.Join([]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(data)}, "|"))
	}
	want := []string{"title|||T", "tags|||a", "tags|||b", "file|p.png|image/png|\x00\x01\x02", `doc|d".txt|text/plain|hello`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestBlobPassesThrough(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte{0xff, 0}, 10)
	u := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Disposition", `attachment; filename="a.png"`)
		_, _ = w.Write(data)
	})
	cfg := parse(t, `{"base_url":"`+u.URL+`","resources":{"things":{"download":{"path":"/x"},"list":{"path":"/x","response_path":"data"},"upload":{"path":"/x","method":"put","body_format":"raw"}}}}`)
	f := newFetcher(t)
	got := fetchOK(t, f, Request{Integration: cfg, Resource: "things", Method: "download"})
	want := &expr.File{Data: data, ContentType: "image/png", Name: "a.png"}
	if diff := cmp.Diff(any(want), got.Data); diff != "" {
		t.Fatalf("blob (-want +got):\n%s", diff)
	}
	query := jsonata.NewObject(1)
	query.Set("truto_response_format", "stream")
	got = fetchOK(t, f, Request{Integration: cfg, Resource: "things", Method: "list", Query: query})
	if diff := cmp.Diff(any(want), got.Data); diff != "" || got.NextCursor != "" || got.Records.Len() != 1 {
		t.Fatalf("a list as a stream (-want +got):\n%s", diff)
	}
	fetchOK(t, f, Request{Integration: cfg, Resource: "things", Method: "upload", Body: got.Data})
	r, body := u.last(t)
	if body != string(data) || r.Header.Get("Content-Type") != "image/png" {
		t.Errorf("got %q of type %s", body, r.Header.Get("Content-Type"))
	}
}
