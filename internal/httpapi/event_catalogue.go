package httpapi

import (
	"encoding/json"
	"time"

	"github.com/millrace/millrace"
)

// customName stands for all events that clients send.
const customName = "custom:*"

// The id and the time in examples.
const (
	exampleID   = "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"
	exampleTime = millrace.Time(1_732_530_000_000_000)
)

// eventTypes is the catalogue, in the order of millrace.EventNames and with custom events at the end. An example has
// the type that is emitted.
func eventTypes() []eventType {
	out := append(accountEventTypes(), installEventTypes()...)
	out = append(out, runEventTypes()...)
	return append(out, otherEventTypes()...)
}

func accountEventTypes() []eventType {
	gone := deleted{ID: exampleID}
	return []eventType{
		{name: millrace.EventAccountCreated, about: "An account's credentials were saved. Not when it reconnects.", example: exampleAccount(millrace.AccountConnecting)},
		{name: millrace.EventAccountUpdated, about: "An account was changed, or has reconnected.", example: exampleAccount(millrace.AccountActive)},
		{name: millrace.EventAccountDeleted, about: "An account was deleted.", example: gone},
		{name: millrace.EventAccountActive, about: "An account is ready to use; also after every reconnect. integrated_account:connected is the same as a trigger.", example: exampleAccount(millrace.AccountActive)},
		{name: "integrated_account:post_connect_form_submitted", about: "A form after the connection was submitted."},
		{name: "integrated_account:post_install_error", about: "The steps after an installation failed."},
		{name: "integrated_account:validation_error", about: "The steps that validate an account failed."},
		{name: "integrated_account:authentication_error", about: "The third party refuses an account's credentials.", example: exampleAccount(millrace.AccountNeedsReauth)},
		{name: "integrated_account:forbidden_error", about: "The third party forbids an account a request."},
		{name: "integrated_account:reactivated", about: "Credentials that had been refused work again. Not when an account reconnects.", example: exampleAccount(millrace.AccountActive)},
		{name: "link_token:connection_error", about: "An attempt to connect failed."},
	}
}

func installEventTypes() []eventType {
	return []eventType{
		{name: "environment_integration:created", about: "An integration was installed.", example: exampleInstall()},
		{name: "environment_integration:updated", about: "An installation was changed.", example: exampleInstall()},
		{name: "environment_integration:deleted", about: "An integration was uninstalled.", example: deleted{ID: exampleID}},
		{name: "environment_unified_model:created", about: "A unified model was installed."},
		{name: "environment_unified_model:updated", about: "An installed unified model was changed."},
		{name: "environment_unified_model:deleted", about: "A unified model was uninstalled."},
		{name: "api_token:created", about: "An API token was created."},
		{name: "api_token:deleted", about: "An API token was deleted."},
	}
}

func runEventTypes() []eventType {
	return []eventType{
		{name: millrace.EventRunCreated, about: "A sync job run was made and waits for a worker.", example: exampleRun(millrace.RunCreated)},
		{name: millrace.EventRunUpdated, about: "A sync job run was stopped.", example: exampleRun(millrace.RunStopped)},
		{name: millrace.EventRunStarted, about: "A sync job run begins. A webhook that answers 400 stops it.", example: exampleRun(millrace.RunRunning)},
		{name: millrace.EventRunCompleted, about: "A sync job run has delivered everything.", example: exampleRun(millrace.RunCompleted)},
		{name: millrace.EventRunFailed, about: "A sync job run has failed; error says why and where.", example: exampleRun(millrace.RunFailed)},
		{name: millrace.EventRunDeleted, about: "A sync job run was deleted."},
		{name: millrace.EventRunRecord, about: "Records of a sync job run, in order. Sent to the webhooks that the run names; stored as an event while a workflow listens.", example: exampleRecords()},
		{name: millrace.EventRunRecordError, about: "A request or an expression of a sync job run failed, and the run goes on.", example: exampleRecordError()},
		{name: millrace.EventRunRateLimited, about: "A third party limits a sync job run; it goes on by itself at retry_at.", example: exampleRun(millrace.RunRateLimited)},
	}
}

func otherEventTypes() []eventType {
	return []eventType{
		{name: millrace.EventRecordCreated, about: "A third party told that a record was created.", example: exampleRecord(millrace.EventRecordCreated), open: true},
		{name: millrace.EventRecordUpdated, about: "A third party told that a record was changed.", example: exampleRecord(millrace.EventRecordUpdated), open: true},
		{name: millrace.EventRecordDeleted, about: "A third party told that a record was deleted.", example: exampleRecord(millrace.EventRecordDeleted), open: true},
		{name: millrace.EventRecordMeta, about: "A third party told something that is about no record.", example: exampleRecord(millrace.EventRecordMeta), open: true},
		{name: millrace.EventCronFailed, about: "A schedule was due and no run could be made.", example: exampleCronFailure()},
		{name: millrace.EventWebhookFailing, about: "A webhook has failed for 50, 70 or 90 % of the time that it may. Not sent to that webhook.", example: exampleWebhook(70, "")},
		{name: millrace.EventWebhookDisabled, about: "A webhook was set inactive, because it has failed for too long or answered 410. Not sent to that webhook.", example: exampleWebhook(millrace.FailureOver, millrace.DisabledProlonged)},
		{name: millrace.EventWebhookReactivated, about: "Somebody has activated a webhook that had been set inactive for its failures. Not sent to that webhook.", example: exampleWebhook(0, "")},
		{name: "batch_job:dry_run_completed", about: "The trial of a batch job has ended."},
		{name: "batch_job:completed", about: "A batch job has ended."},
		{name: "batch_job:dry_run_failed", about: "The trial of a batch job failed."},
		{name: "batch_job:failed", about: "A batch job failed."},
		{name: millrace.EventTest, about: "Somebody tests a webhook.", example: map[string]any{"foo": "bar"}, open: true},
		{name: customName, about: "An event of your own, sent with POST /event.", example: map[string]any{"invoice": "A-17", "total": 1200}, open: true},
	}
}

func exampleIdentity() *integrationIdentity {
	return &integrationIdentity{
		ID: exampleID, Name: "calcom", Category: "calendar", Sharing: "deny", Config: integrationLabel{Label: "Cal.com"},
		CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}
}

func exampleInstall() installView {
	return installView{EnvironmentIntegration: millrace.EnvironmentIntegration{
		ID: exampleID, EnvironmentID: exampleID, IntegrationID: exampleID, ShowInCatalog: true, IsEnabled: true,
		Override: json.RawMessage("{}"), CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}, Integration: exampleIdentity()}
}

func exampleAccount(status millrace.AccountStatus) accountView {
	install := exampleInstall()
	return accountView{
		IntegratedAccount: millrace.IntegratedAccount{
			ID: exampleID, EnvironmentID: exampleID, TenantID: "acme", EnvironmentIntegrationID: exampleID,
			AuthenticationMethod: "api_key", Status: status, Region: "wnam", Context: json.RawMessage(`{"plan":"pro"}`),
			Features: json.RawMessage("{}"), CreatedAt: exampleTime, UpdatedAt: exampleTime,
		},
		Integration: install.Integration, EnvironmentIntegration: &install.EnvironmentIntegration,
	}
}

func exampleRun(status millrace.RunStatus) millrace.RunPayload {
	run := &millrace.SyncJobRun{
		ID: exampleID, EnvironmentID: exampleID, SyncJobID: exampleID, IntegratedAccountID: exampleID, WebhookID: exampleID,
		Status: status, Args: json.RawMessage(`{"integrated_account_id":"` + exampleID + `"}`), Resources: json.RawMessage("[]"),
		ErrorHandling: millrace.ErrorIgnore, Version: 4, CreatedAt: exampleTime, UpdatedAt: exampleTime,
		ResourceStats: json.RawMessage(`{"bookings":{"list":{"pages":14,"fetched":342,"persisted":342,"failed":0}}}`),
	}
	payload := millrace.RunPayload{SyncJobRun: run}
	switch status {
	case millrace.RunCreated:
		run.ResourceStats = json.RawMessage("{}")
		return payload
	case millrace.RunFailed:
		run.Error = json.RawMessage(`{"code":"http_404","message":"the third party answered 404","node":"bookings","resource":"bookings"}`)
	case millrace.RunRateLimited:
		run.RetryAt, payload.RetryAfter = exampleTime+60_000_000, 60
	case millrace.RunRunning, millrace.RunCompleted, millrace.RunStopped:
	}
	run.StartedAt = exampleTime
	if status.Finished() {
		run.FinishedAt, payload.RecordsSynced, payload.DurationMS = exampleTime+2_400_000, 342, 2400
	}
	return payload
}

func exampleRecords() millrace.RecordPayload {
	return millrace.RecordPayload{
		Resource: "bookings", Records: []json.RawMessage{json.RawMessage(`{"id":17,"title":"Intro call"}`)},
		Meta: millrace.RecordMeta{
			SyncJobRunID: exampleID, SyncJobID: exampleID, IntegratedAccountID: exampleID, Node: "bookings", Method: "list", Sequence: 2,
		},
	}
}

func exampleRecordError() millrace.RecordErrorPayload {
	return millrace.RecordErrorPayload{
		Resource: "bookings", Method: "get", SyncJobRunID: exampleID, SyncJobID: exampleID, IntegratedAccountID: exampleID,
		Args: json.RawMessage("{}"),
		Error: &millrace.RecordError{
			RunError: millrace.RunError{
				Code: "http_404", Message: "the third party answered 404", Node: "bookings", Resource: "bookings",
				Request: "GET https://api.example.com/v2/bookings/17",
			},
			Method: "get", Status: 404, Body: json.RawMessage(`{"error":"not found"}`),
		},
	}
}

// recordPayload is the payload of an event about a record of a third party. payload_transform may add members.
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
	Raw                      any                               `json:"raw" doc:"What the third party said about it."`
}

type recordIntegration struct {
	ID   millrace.IntegrationID `json:"id"`
	Name string                 `json:"name"`
}

func exampleRecord(name string) recordPayload {
	return recordPayload{
		IntegratedAccountID: exampleID, EnvironmentIntegrationID: exampleID, TenantID: "acme",
		Integration: recordIntegration{ID: exampleID, Name: "calcom"}, EventType: name,
		ResourceType: "bookings", Resource: "bookings", ResourceID: "1017", ID: "1017", Raw: map[string]any{"title": "Demo"},
	}
}

func exampleCronFailure() millrace.CronFailedPayload {
	return millrace.CronFailedPayload{
		SyncJobCronTrigger: &millrace.SyncJobCronTrigger{
			ID: exampleID, EnvironmentID: exampleID, SyncJobID: exampleID, IntegratedAccountID: exampleID, WebhookID: exampleID,
			CronExpression: "0 */6 * * *", Args: json.RawMessage("{}"), Meta: json.RawMessage("null"), EventsToSend: json.RawMessage("null"),
			NextRunAt: exampleTime, CreatedAt: exampleTime, UpdatedAt: exampleTime,
		},
		Error: "sync_job_id: the sync job does not exist in this environment",
	}
}

func exampleWebhook(percent int64, reason millrace.DisableReason) millrace.WebhookPayload {
	payload := millrace.WebhookPayload{
		Webhook: &millrace.Webhook{
			ID: exampleID, EnvironmentID: exampleID, TargetURL: "https://example.com/hooks", IsActive: reason == "", EventTypes: json.RawMessage(`["sync_job_run:completed"]`),
			SignatureEncoding: "base64", Ordering: millrace.OrderingFirstAttempt, Concurrency: 1, CreatedAt: exampleTime, UpdatedAt: exampleTime,
		},
		FailingPercent: percent, Reason: reason,
		Backlog: millrace.Backlog{Pending: 17, OldestPendingAt: exampleTime, ParkedRuns: 2},
	}
	if percent > 0 {
		payload.FailingSince, payload.InactiveAt = exampleTime, exampleTime.Add(5*24*time.Hour)
		payload.LastError = &millrace.WebhookError{Event: millrace.EventAccountActive, StatusCode: 503, At: exampleTime.Add(84 * time.Hour)}
	}
	return payload
}
