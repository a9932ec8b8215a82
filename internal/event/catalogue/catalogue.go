package catalogue

import (
	"github.com/millrace/millrace"
)

// Custom stands for all events that clients send.
const Custom = "custom:*"

// The id and the time in examples.
const (
	ExampleID   = "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f"
	ExampleTime = millrace.Time(1_732_530_000_000_000)
)

// Types is the catalogue, in the order of millrace.EventNames and with custom events at the end. An example has
// the type that is emitted.
func Types() []Type {
	out := append(accountEventTypes(), installEventTypes()...)
	out = append(out, runEventTypes()...)
	return append(out, otherEventTypes()...)
}

func accountEventTypes() []Type {
	gone := millrace.DeletedPayload{ID: ExampleID}
	return []Type{
		{Name: millrace.EventAccountCreated, About: "An account's credentials were saved. Not when it reconnects.", Example: exampleAccount(millrace.AccountConnecting)},
		{Name: millrace.EventAccountUpdated, About: "An account was changed, or has reconnected.", Example: exampleAccount(millrace.AccountActive)},
		{Name: millrace.EventAccountValidating, About: "The actions of a connection have passed, and a workflow listens to this: the account is not active until its run has ended, for five minutes at most. A run that fails leaves the account validation_error.", Example: exampleAccount(millrace.AccountConnecting)},
		{Name: millrace.EventAccountDeleting, About: "An account is about to be deleted, and a workflow listens to this: until its run has ended, for an hour at most, the credentials are there.", Example: exampleAccount(millrace.AccountDeleting)},
		{Name: millrace.EventAccountDeleted, About: "An account was deleted.", Example: gone},
		{Name: millrace.EventAccountActive, About: "An account is ready to use: its post_install and its validation have passed. Also after every reconnect. integrated_account:connected is the same as a trigger.", Example: exampleAccount(millrace.AccountActive)},
		{Name: millrace.EventFormSubmitted, About: "A customer has submitted the form after the connection; context has the answers.", Example: exampleAccount(millrace.AccountActive)},
		{Name: millrace.EventPostInstallError, About: "The post_install action of an account that was being connected has failed.", Example: exampleAccount(millrace.AccountPostInstallError)},
		{Name: millrace.EventValidationError, About: "The validation action of an account that was being connected has failed.", Example: exampleAccount(millrace.AccountValidationError)},
		{Name: "integrated_account:authentication_error", About: "The provider rejects an account's credentials.", Example: exampleAccount(millrace.AccountNeedsReauth)},
		{Name: "integrated_account:forbidden_error", About: "The provider forbids an account a request."},
		{Name: "integrated_account:reactivated", About: "Credentials that had been rejected work again. Not when an account reconnects.", Example: exampleAccount(millrace.AccountActive)},
		{Name: "link_token:connection_error", About: "An attempt to connect failed."},
	}
}

func installEventTypes() []Type {
	return []Type{
		{Name: "environment_integration:created", About: "An integration was installed.", Example: exampleInstall()},
		{Name: "environment_integration:updated", About: "An installation was changed.", Example: exampleInstall()},
		{Name: "environment_integration:deleted", About: "An integration was uninstalled.", Example: millrace.DeletedPayload{ID: ExampleID}},
		{Name: "environment_unified_model:created", About: "A unified model was installed."},
		{Name: "environment_unified_model:updated", About: "An installed unified model was changed."},
		{Name: "environment_unified_model:deleted", About: "A unified model was uninstalled."},
		{Name: millrace.EventTokenCreated, About: "An API token of the environment was created.", Example: exampleToken()},
		{Name: millrace.EventTokenDeleted, About: "An API token of the environment was deleted.", Example: millrace.DeletedPayload{ID: ExampleID}},
	}
}

func runEventTypes() []Type {
	return []Type{
		{Name: millrace.EventRunCreated, About: "A sync job run was made and waits for a worker.", Example: exampleRun(millrace.RunCreated)},
		{Name: millrace.EventRunUpdated, About: "The status of a sync job run has changed. Stored while a webhook or a workflow listens, and when the run was stopped.", Example: exampleRun(millrace.RunStopped)},
		{Name: millrace.EventRunStarted, About: "A sync job run begins. A webhook that responds with 400 stops it.", Example: exampleRun(millrace.RunRunning)},
		{Name: millrace.EventRunCompleted, About: "A sync job run has delivered what it could fetch. Nothing in it failed unless is_partial is true.", Example: exampleRun(millrace.RunCompleted)},
		{Name: millrace.EventRunPartial, About: "A sync job run is completed and something in it failed: first_error says what. Sent beside sync_job_run:completed.", Example: exampleRun(millrace.RunCompleted)},
		{Name: millrace.EventRunFailed, About: "A sync job run has failed; error says why and where.", Example: exampleRun(millrace.RunFailed)},
		{Name: millrace.EventRunDeleted, About: "A sync job run was deleted."},
		{Name: millrace.EventRunRecord, About: "Records of a sync job run, in order. Sent to the webhooks that the run names; stored as an event while a workflow listens.", Example: exampleRecords()},
		{Name: millrace.EventRunRecordError, About: "A request or an expression of a sync job run failed, and the run goes on.", Example: exampleRecordError()},
		{Name: millrace.EventRunRateLimited, About: "A provider limits a sync job run; it goes on by itself at retry_at.", Example: exampleRun(millrace.RunRateLimited)},
	}
}

func otherEventTypes() []Type {
	return []Type{
		{Name: millrace.EventRecordCreated, About: "A provider reported that a record was created.", Example: exampleRecord(millrace.EventRecordCreated), Open: true},
		{Name: millrace.EventRecordUpdated, About: "A provider reported that a record was changed.", Example: exampleRecord(millrace.EventRecordUpdated), Open: true},
		{Name: millrace.EventRecordDeleted, About: "A provider reported that a record was deleted.", Example: exampleRecord(millrace.EventRecordDeleted), Open: true},
		{Name: millrace.EventRecordMeta, About: "A provider reported something that is about no record.", Example: exampleRecord(millrace.EventRecordMeta), Open: true},
		{Name: millrace.EventCronFailed, About: "A schedule was due and no run could be made.", Example: exampleCronFailure()},
		{Name: millrace.EventWebhookFailing, About: "A webhook has failed for 50, 70 or 90 % of the time that it may. Not sent to that webhook.", Example: exampleWebhook(70, "")},
		{Name: millrace.EventWebhookDisabled, About: "A webhook was set inactive, because it has failed for too long or responded with 410. Not sent to that webhook.", Example: exampleWebhook(millrace.FailureOver, millrace.DisabledProlonged)},
		{Name: millrace.EventWebhookReactivated, About: "A webhook that had been set inactive for its failures was activated. Not sent to that webhook.", Example: exampleWebhook(0, "")},
		{Name: "batch_job:dry_run_completed", About: "The trial of a batch job has ended."},
		{Name: "batch_job:completed", About: "A batch job has ended."},
		{Name: "batch_job:dry_run_failed", About: "The trial of a batch job failed."},
		{Name: "batch_job:failed", About: "A batch job failed."},
		{Name: millrace.EventTest, About: "A webhook is tested.", Example: map[string]any{"foo": "bar"}, Open: true},
		{Name: Custom, About: "An event of your own, sent with POST /event.", Example: map[string]any{"invoice": "A-17", "total": 1200}, Open: true},
	}
}
