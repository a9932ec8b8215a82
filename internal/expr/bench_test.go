package expr

import "testing"

// The account document and the two expressions that the reference documentation shows for workflows.
const (
	benchEvent = `{"id": "e1", "event": "integrated_account:active", "environment_id": "9c2e0000-0000-4000-8000-000000000001",
		"created_at": "2024-09-10T12:00:00.000Z", "payload": {"id": "0f6d3d4e-8f55-4c11-a1ff-1f8b3a6c0a01", "tenant_id": "acme-1",
		"environment_integration_id": "ee110000-0000-4000-8000-000000000001", "status": "active", "is_sandbox": false,
		"authentication_method": "oauth2", "region": "wnam", "integration": {"id": "a1b20000-0000-4000-8000-000000000001",
		"name": "calcom", "category": "calendar", "config": {"label": "Cal.com"}}, "environment_integration":
		{"id": "ee110000-0000-4000-8000-000000000001", "is_active": true}, "created_at": "2024-09-10 11:59:50"}}`
	benchRunIf  = `integration.name = 'calcom'`
	benchConfig = `(
		$sync_job_id := $mapValues(integration.name, {"calcom": "51b79ace-a7b4-4077-93ba-8048a06ece2b"});
		{
			"sync_job_id": $sync_job_id,
			"integrated_account_id": integrated_account_id,
			"webhook_id": "9fda519d-148f-4cc5-bbac-4e373b16e5d4"
		}
	)`
	benchTemplate = `{"sync_job_id": "51b79ace-0000-4000-8000-000000000001", "integrated_account_id": "{{integrated_account_id}}",
		"args": {"tenant": "{{tenant_id}}", "plan": "{{context.plan?:free}}", "url": "/v1/{{region}}/{{id}}"}}`
)

func benchScope(b *testing.B) Value {
	b.Helper()
	event, err := ParseJSON([]byte(benchEvent))
	if err != nil {
		b.Fatal(err)
	}
	return EventScope(ScopeInput{Event: event})
}

func benchEval(b *testing.B, src string) {
	b.Helper()
	scope := benchScope(b)
	program, err := Compile(src)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Eval(b.Context(), scope, LimitsCondition()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunIf(b *testing.B)      { benchEval(b, benchRunIf) }
func BenchmarkStepConfig(b *testing.B) { benchEval(b, benchConfig) }

func BenchmarkCompileCached(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(benchConfig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	scope := benchScope(b)
	v, err := ParseJSON([]byte(benchTemplate))
	if err != nil {
		b.Fatal(err)
	}
	template, err := ParseTemplate(v)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(scope); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventScope(b *testing.B) {
	event, err := ParseJSON([]byte(benchEvent))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		EventScope(ScopeInput{Event: event})
	}
}
