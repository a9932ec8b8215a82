package fetch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/fetch/config"
)

// BenchmarkFetch is one page of 100 records without a network: what a config costs on top of the request itself.
func BenchmarkFetch(b *testing.B) {
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"id":%d,"subject":"ticket %d","tags":["a","b"],"requester":{"email":"a@example.com","name":"A"},"created_at":"2026-01-01T00:00:00Z"}`, i, i))
	}
	body := `{"data":[` + strings.Join(items, ",") + `],"meta":{"after":"c2","more":true}}`
	cfg, err := config.Parse(json.RawMessage(`{"base_url":"https://{{subdomain}}.a.test","headers":{"X-V":"1"},
		"authorization":{"format":"bearer","config":{"token":"{{oauth.token.access_token}}"}},
		"pagination":{"format":"cursor","config":{"cursor_path":"meta.after","has_next_path":"meta.more","limit_key":"n","max_limit":100}},
		"resources":{"things":{"list":{"path":"/v1/things","response_path":"data"}}}}`))
	if err != nil {
		b.Fatal(err)
	}
	rt := &canned{header: http.Header{"Content-Type": {"application/json"}}, body: body}
	f, err := New(FetcherConfig{Client: &http.Client{Transport: rt}, Clock: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	req := Request{
		Integration: cfg, Resource: "things", Method: "list",
		Context: map[string]any{"subdomain": "acme", "oauth": map[string]any{"token": map[string]any{"access_token": "some-access-token", "refresh_token": "some-refresh-token"}}},
	}
	req.Secrets = NewSecrets(cfg.Secrets(req.Context, nil)) // once for many pages, as the server does
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		rt.asked = rt.asked[:0]
		if o, err := f.Fetch(b.Context(), req); err != nil || o.Kind != KindOK || o.Records.Len() != 100 {
			b.Fatalf("got %v %s", err, o.Kind)
		}
	}
}

// BenchmarkDecode is the part of BenchmarkFetch that any implementation has: decoding the response.
func BenchmarkDecode(b *testing.B) {
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"id":%d,"subject":"ticket %d","tags":["a","b"],"requester":{"email":"a@example.com","name":"A"},"created_at":"2026-01-01T00:00:00Z"}`, i, i))
	}
	body := []byte(`{"data":[` + strings.Join(items, ",") + `],"meta":{"after":"c2","more":true}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	}
}
