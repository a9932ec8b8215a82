package catalogue

import (
	"encoding/json"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
)

func exampleIdentity() *account.IntegrationIdentity {
	return &account.IntegrationIdentity{
		ID: ExampleID, Name: "calcom", Category: "calendar", Sharing: "deny", Config: account.IntegrationLabel{Label: "Cal.com"},
		CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
	}
}

func exampleToken() millrace.APIToken {
	return millrace.APIToken{
		ID: ExampleID, EnvironmentID: ExampleID, Name: "CI", Scope: millrace.ScopeWrite, CreatedBy: ExampleID,
		CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
	}
}

func exampleInstall() account.InstallView {
	return account.InstallView{EnvironmentIntegration: millrace.EnvironmentIntegration{
		ID: ExampleID, EnvironmentID: ExampleID, IntegrationID: ExampleID, ShowInCatalog: true, IsEnabled: true,
		Override: json.RawMessage("{}"), CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
	}, Integration: exampleIdentity()}
}

func exampleAccount(status millrace.AccountStatus) account.AccountView {
	install := exampleInstall()
	return account.AccountView{
		IntegratedAccount: millrace.IntegratedAccount{
			ID: ExampleID, EnvironmentID: ExampleID, TenantID: "acme", EnvironmentIntegrationID: ExampleID,
			AuthenticationMethod: "api_key", Status: status, Region: "wnam", Context: json.RawMessage(`{"plan":"pro"}`),
			Features: json.RawMessage("{}"), CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
		},
		Integration: install.Integration, EnvironmentIntegration: &install.EnvironmentIntegration,
	}
}

func exampleRun(status millrace.RunStatus) millrace.RunPayload {
	run := &millrace.SyncJobRun{
		ID: ExampleID, EnvironmentID: ExampleID, SyncJobID: ExampleID, IntegratedAccountID: ExampleID, WebhookID: ExampleID,
		Status: status, Args: json.RawMessage(`{"integrated_account_id":"` + ExampleID + `"}`), Resources: json.RawMessage("[]"),
		ErrorHandling: millrace.ErrorIgnore, Version: 4, CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
		ResourceStats: json.RawMessage(`{"bookings":{"list":{"pages":14,"fetched":342,"persisted":342,"failed":0}}}`),
	}
	payload := millrace.RunPayload{SyncJobRun: run}
	switch status {
	case millrace.RunCreated:
		run.ResourceStats = json.RawMessage("{}")
		return payload
	case millrace.RunFailed:
		run.Error = json.RawMessage(`{"code":"http_404","message":"the provider responded with 404","node":"bookings","resource":"bookings"}`)
	case millrace.RunRateLimited:
		run.RetryAt, payload.RetryAfter = ExampleTime+60_000_000, 60
	case millrace.RunRunning, millrace.RunCompleted, millrace.RunStopped:
	}
	run.StartedAt = ExampleTime
	if status.Finished() {
		run.FinishedAt, payload.RecordsSynced, payload.DurationMS = ExampleTime+2_400_000, 342, 2400
	}
	return payload
}

func exampleRecords() millrace.RecordPayload {
	return millrace.RecordPayload{
		Resource: "bookings", Records: []json.RawMessage{json.RawMessage(`{"id":17,"title":"Intro call"}`)},
		Meta: millrace.RecordMeta{
			SyncJobRunID: ExampleID, SyncJobID: ExampleID, IntegratedAccountID: ExampleID, Node: "bookings", Method: "list", Sequence: 2,
		},
	}
}

func exampleRecordError() millrace.RecordErrorPayload {
	return millrace.RecordErrorPayload{
		Resource: "bookings", Method: "get", SyncJobRunID: ExampleID, SyncJobID: ExampleID, IntegratedAccountID: ExampleID,
		Args: json.RawMessage("{}"),
		Error: &millrace.RecordError{
			RunError: millrace.RunError{
				Code: "http_404", Message: "the provider responded with 404", Node: "bookings", Resource: "bookings",
				Request: "GET https://api.example.com/v2/bookings/17",
			},
			Method: "get", Status: 404, Body: json.RawMessage(`{"error":"not found"}`),
		},
	}
}

// recordPayload is the payload of an event about a record of a provider. payload_transform may add members.
type recordPayload struct {
	IntegratedAccountID      millrace.IntegratedAccountID      `json:"integrated_account_id"`
	EnvironmentIntegrationID millrace.EnvironmentIntegrationID `json:"environment_integration_id"`
	TenantID                 string                            `json:"tenant_id"`
	Integration              recordIntegration                 `json:"integration"`
	EventType                string                            `json:"event_type"`
	ResourceType             any                               `json:"resource_type" doc:"What kind of record it is; also under resource."`
	Resource                 any                               `json:"resource"`
	ResourceID               any                               `json:"resource_id" doc:"Which record it is; also under id."`
	ID                       any                               `json:"id"`
	Raw                      any                               `json:"raw" doc:"What the provider said about it."`
}

type recordIntegration struct {
	ID   millrace.IntegrationID `json:"id"`
	Name string                 `json:"name"`
}

func exampleRecord(name string) recordPayload {
	return recordPayload{
		IntegratedAccountID: ExampleID, EnvironmentIntegrationID: ExampleID, TenantID: "acme",
		Integration: recordIntegration{ID: ExampleID, Name: "calcom"}, EventType: name,
		ResourceType: "bookings", Resource: "bookings", ResourceID: "1017", ID: "1017", Raw: map[string]any{"title": "Demo"},
	}
}

func exampleCronFailure() millrace.CronFailedPayload {
	return millrace.CronFailedPayload{
		SyncJobCronTrigger: &millrace.SyncJobCronTrigger{
			ID: ExampleID, EnvironmentID: ExampleID, SyncJobID: ExampleID, IntegratedAccountID: ExampleID, WebhookID: ExampleID,
			CronExpression: "0 */6 * * *", Args: json.RawMessage("{}"), Meta: json.RawMessage("null"), EventsToSend: json.RawMessage("null"),
			NextRunAt: ExampleTime, CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
		},
		Error: "sync_job_id: the sync job does not exist in this environment",
	}
}

func exampleWebhook(percent int64, reason millrace.DisableReason) millrace.WebhookPayload {
	payload := millrace.WebhookPayload{
		Webhook: &millrace.Webhook{
			ID: ExampleID, EnvironmentID: ExampleID, TargetURL: "https://example.com/hooks", IsActive: reason == "", EventTypes: json.RawMessage(`["sync_job_run:completed"]`),
			SignatureEncoding: "base64", Ordering: millrace.OrderingFirstAttempt, Concurrency: 1, CreatedAt: ExampleTime, UpdatedAt: ExampleTime,
		},
		FailingPercent: percent, Reason: reason,
		Backlog: millrace.Backlog{Pending: 17, OldestPendingAt: ExampleTime, ParkedRuns: 2},
	}
	if percent > 0 {
		payload.FailingSince, payload.InactiveAt = ExampleTime, ExampleTime.Add(5*24*time.Hour)
		payload.LastError = &millrace.WebhookError{Event: millrace.EventAccountActive, StatusCode: 503, At: ExampleTime.Add(84 * time.Hour)}
	}
	return payload
}
