package jsonata_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/jsonata"
)

// accountJSON is an integrated account as an event carries it, about 1.1 kB.
const accountJSON = `{
  "id": "8a3f2c54-0d1e-4b7a-9c66-2f1d5e8b7a90",
  "tenant_id": "acme-4711",
  "environment_id": "3a2b9f70-6f0c-4c4e-8f3d-1d2c3b4a5968",
  "environment_integration_id": "c0ffee00-1234-4abc-9def-0123456789ab",
  "status": "active",
  "is_sandbox": false,
  "authentication_method": "oauth2",
  "context": {"workspace": "acme", "region": "eu-1", "scopes": ["read", "write", "admin"], "expires_at": "2026-01-31T12:00:00.000Z"},
  "integration": {"id": "1b7e4b1a-52a4-4c9c-8f73-6f0f5f7f2a11", "name": "calcom", "label": "Cal.com", "category": "calendar",
    "logo": "https://cdn.example.com/logos/calcom.png", "version": 3, "is_beta": false},
  "environment_integration": {"id": "c0ffee00-1234-4abc-9def-0123456789ab", "show_in_catalog": true, "is_enabled": true},
  "integrated_account_id": "8a3f2c54-0d1e-4b7a-9c66-2f1d5e8b7a90",
  "event": "integrated_account:active",
  "created_at": "2025-11-02T09:30:00.000Z",
  "updated_at": "2025-11-03T10:45:12.345Z"
}`

const runIf = `integration.name = 'calcom'`

const stepConfig = `( $sync_job_id := $mapValues(integration.name,{ "calcom": "51b7e1a2-8c6f-4c1b-b8a2-9d0f1e2c3b4a" });
{ "sync_job_id": $sync_job_id, "integrated_account_id": integrated_account_id, "webhook_id": "9fda2c1b-7e6d-4f5a-8b9c-0d1e2f3a4b5c" } )`

const transform = `records.{
  "id": id,
  "name": $join([first_name, last_name], " "),
  "email": emails[primary].address,
  "city": address.city,
  "total": price * quantity,
  "active": status = "active",
  "tags": tags,
  "created_at": $fromMillis(created)
}`

// benchLibrary has a $mapValues that looks up strings only.
func benchLibrary(tb testing.TB) *jsonata.Library {
	tb.Helper()
	lib, err := jsonata.NewLibrary(jsonata.Standard(), jsonata.Func{Name: "mapValues", Params: 4, Call: func(c *jsonata.Call) (jsonata.Value, error) {
		key, _ := c.Arg(0).(string)
		if mapping, ok := c.Arg(1).(*jsonata.Object); ok {
			if v, ok := mapping.Get(strings.ToLower(key)); ok {
				return v, nil
			}
		}
		return c.Arg(0), nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return lib
}

func benchRecords() []byte {
	var records []any
	for i := range 100 {
		records = append(records, map[string]any{
			"id": fmt.Sprintf("rec_%04d", i), "first_name": "Ada", "last_name": fmt.Sprintf("Lovelace %d", i),
			"emails":  []any{map[string]any{"address": "a@example.com", "primary": false}, map[string]any{"address": "b@example.com", "primary": true}},
			"address": map[string]any{"city": "London", "zip": "N1"}, "price": 12.5, "quantity": i,
			"status": []string{"active", "closed"}[i%2], "tags": []string{"x", "y"}, "created": 1762072200000 + i*1000,
		})
	}
	data, _ := json.Marshal(map[string]any{"records": records})
	return data
}

func benchEval(b *testing.B, src string, data []byte) {
	b.Helper()
	program, err := benchLibrary(b).Compile(src)
	if err != nil {
		b.Fatal(err)
	}
	v, err := jsonata.FromJSON(data)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Eval(ctx, jsonata.Input{Data: v}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunIf(b *testing.B) { benchEval(b, runIf, []byte(accountJSON)) }

func BenchmarkRunIfFromJSON(b *testing.B) {
	program, err := jsonata.Compile(runIf)
	if err != nil {
		b.Fatal(err)
	}
	data, ctx := []byte(accountJSON), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Eval(ctx, jsonata.Input{JSON: data}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStepConfig(b *testing.B) { benchEval(b, stepConfig, []byte(accountJSON)) }
func BenchmarkTransform(b *testing.B)  { benchEval(b, transform, benchRecords()) }

func benchCompile(b *testing.B, src string) {
	b.Helper()
	lib := benchLibrary(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lib.Compile(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileRunIf(b *testing.B)      { benchCompile(b, runIf) }
func BenchmarkCompileStepConfig(b *testing.B) { benchCompile(b, stepConfig) }
func BenchmarkCompileTransform(b *testing.B)  { benchCompile(b, transform) }

func BenchmarkFromJSON(b *testing.B) {
	data := []byte(accountJSON)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonata.FromJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToJSON(b *testing.B) {
	v, err := jsonata.FromJSON([]byte(accountJSON))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonata.ToJSON(v); err != nil {
			b.Fatal(err)
		}
	}
}
