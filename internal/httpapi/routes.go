package httpapi

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/connection"
	"github.com/millrace/millrace/internal/httpapi/delivery"
	"github.com/millrace/millrace/internal/httpapi/proxy"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/httpapi/work"
)

// What the routes need.
const (
	read  = millrace.ScopeRead // write tokens have it, too
	write = millrace.ScopeWrite
	admin = millrace.ScopeAdmin
	own   = millrace.ScopeAccount // the token of the account that it is about
)

// routes registers every route: who may use it, and its handler. First the server itself, then connections to
// providers, then the work that is done with them.
func (a *api) routes() {
	rest.Handle(a.router, rest.Nothing, "GET /ping", "Check whether the API responds", a.ping)
	rest.Handle(a.router, rest.Nothing, "GET /healthz", "Ask whether the process lives", a.healthz)
	rest.Handle(a.router, rest.Nothing, "GET /readyz", "Ask whether the server can do its work", a.readyz)
	rest.Handle(a.router, rest.Nothing, "GET /openapi.json", "Get this document", a.openapiJSON)
	rest.Handle(a.router, rest.Nothing, "GET /openapi.yaml", "Get this document as YAML", a.openapiYAML)
	a.connectionRoutes()
	a.proxyRoutes()
	a.deliveryRoutes()
	a.workRoutes()
	a.inboundRoutes()
}

func (a *api) connectionRoutes() {
	environments := a.environments()
	rest.Handle(a.router, rest.Needs(read, admin), "GET /environment", "List environments: the token's own", environments.List, rest.Note(eitherNote))
	rest.Handle(a.router, rest.Needs(admin), "POST /environment", "Create an environment", a.createEnvironment, rest.Note(adminNote))
	rest.Handle(a.router, rest.Needs(read, admin), "GET /environment/{id}", "Get an environment with its limits", a.getEnvironment, rest.Note(eitherNote))
	rest.Handle(a.router, rest.Needs(admin), "PATCH /environment/{id}", "Change the name or the weight of an environment", a.patchEnvironment, rest.Note(adminNote))
	rest.Handle(a.router, rest.Needs(admin), "DELETE /environment/{id}", "Delete an environment", a.deleteEnvironment, rest.Note(deleteNote))

	tokens := a.apiTokens()
	rest.Handle(a.router, rest.Needs(read, admin), "GET /api-token", "List API tokens: of the token's environment", tokens.List, rest.Note(eitherNote))
	rest.Handle(a.router, rest.Needs(admin), "POST /api-token", "Create an API token", a.createToken, rest.Note(tokenNote))
	rest.Handle(a.router, rest.Needs(read, admin), "GET /api-token/{id}", "Get an API token", tokens.Get, rest.Note(eitherNote))
	rest.Handle(a.router, rest.Needs(admin), "DELETE /api-token/{id}", "Delete an API token", a.deleteToken, rest.Note(adminNote))

	entries := a.auditEntries()
	rest.Handle(a.router, rest.Needs(admin), "GET /audit", "List who changed what", entries.List, rest.Note(auditNote))
	rest.Handle(a.router, rest.Needs(admin), "GET /audit/{id}", "Get an entry of the audit log", entries.Get, rest.Note(adminNote))

	c := &connection.Handlers{DB: a.cfg.DB, Renew: a.cfg.Renew}
	settled := rest.After(c.Settle)
	integrations := c.Integrations()
	rest.Handle(a.router, rest.Needs(read), "GET /integration", "List integrations", integrations.List)
	rest.Handle(a.router, rest.Needs(write), "POST /integration", "Create an integration", integrations.Create)
	rest.Handle(a.router, rest.Needs(read), "GET /integration/{id}", "Get an integration", c.GetIntegration)
	rest.Handle(a.router, rest.Needs(write), "PATCH /integration/{id}", "Change an integration", integrations.Patch, rest.Note(connection.PatchIntegrationNote), settled)
	rest.Handle(a.router, rest.Needs(write), "DELETE /integration/{id}", "Delete an integration", integrations.Delete, settled)

	installs := c.EnvironmentIntegrations()
	rest.Handle(a.router, rest.Needs(read), "GET /environment-integration", "List installed integrations", installs.List)
	rest.Handle(a.router, rest.Needs(write), "POST /environment-integration", "Install an integration", installs.Create, rest.Note(connection.InstallNote))
	rest.Handle(a.router, rest.Needs(read), "GET /environment-integration/{id}", "Get an installed integration", installs.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /environment-integration/{id}", "Change an installed integration", installs.Patch, rest.Note(connection.OverrideNote), settled)
	rest.Handle(a.router, rest.Needs(write), "DELETE /environment-integration/{id}", "Uninstall an integration and its accounts", installs.Delete, settled)

	accounts := c.IntegratedAccounts()
	rest.Handle(a.router, rest.Needs(read), "GET /integrated-account", "List integrated accounts", accounts.List)
	rest.Handle(a.router, rest.Needs(write), "POST /integrated-account", "Import an account with its credentials", accounts.Create)
	rest.Handle(a.router, rest.Needs(write), "POST /link-token", "Create a link token", c.CreateLink, rest.Note(connection.LinkNote))
	rest.Handle(a.router, rest.Needs(write), "POST /integrated-account/refresh-credentials", "Refresh the credentials of an account", accounts.Refresh, rest.Note(connection.RefreshNote), settled)
	rest.Handle(a.router, rest.Needs(read), "GET /integrated-account/{id}", "Get an integrated account", accounts.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /integrated-account/{id}", "Change an integrated account", accounts.Patch, rest.Note(connection.ContextNote), settled)
	rest.Handle(a.router, rest.Needs(write), "PATCH /integrated-account/{id}/credentials", "Reconnect an account", accounts.Reconnect, rest.Note(connection.ReconnectNote), settled)
	rest.Handle(a.router, rest.Needs(write), "POST /integrated-account/token", "Create a token of an account", accounts.CreateToken, rest.Note(connection.AccountTokenNote))
	rest.Handle(a.router, rest.Needs(own), "GET /integrated-account/me", "Get the account of the token", accounts.Me, rest.Note(connection.MeNote), rest.Operation("get-me-integrated-account"))
	rest.Handle(a.router, rest.Needs(own), "PATCH /integrated-account/me", "Change the context of the account of the token", accounts.PatchMe, rest.Note(connection.MyNote), rest.Operation("update-me-integrated-account"), settled)
	rest.Handle(a.router, rest.Needs(write), "POST /integrated-account/bulk-delete", "Delete accounts with all that is stored about them", accounts.BulkDelete, rest.Note(connection.BulkDeleteNote), settled)
	rest.Handle(a.router, rest.Needs(write), "POST /integrated-account/run-post-install-actions", "Run the actions of a connection again", accounts.RunActions, rest.Note(connection.ActionsNote), settled)
	rest.Handle(a.router, rest.Needs(write), "DELETE /integrated-account/{id}", "Delete an integrated account with all that is stored about it", accounts.Erase, rest.Note(connection.EraseNote), settled)

	sandboxes := c.Sandboxes()
	rest.Handle(a.router, rest.Needs(read), "GET /sandbox-integrated-account", "List sandbox accounts", sandboxes.List)
	rest.Handle(a.router, rest.Needs(read), "GET /sandbox-integrated-account/{id}", "Get a sandbox account", sandboxes.Get)
	rest.Handle(a.router, rest.Needs(write), "POST /sandbox-integrated-account", "Make an account a sandbox account", sandboxes.Mark, rest.Note(connection.SandboxNote), settled)
	rest.Handle(a.router, rest.Needs(write), "DELETE /sandbox-integrated-account/{id}", "Make a sandbox account an ordinary one", sandboxes.Delete, rest.Note(connection.SandboxNote), settled)

	gates := c.StaticGates()
	rest.Handle(a.router, rest.Needs(read), "GET /static-gate", "List static gates", gates.List)
	rest.Handle(a.router, rest.Needs(write), "POST /static-gate", "Create a static gate", gates.Create, rest.Note(connection.GateNote))
	rest.Handle(a.router, rest.Needs(read), "GET /static-gate/{id}", "Get a static gate", gates.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /static-gate/{id}", "Change a static gate", gates.Patch, settled)
	rest.Handle(a.router, rest.Needs(write), "DELETE /static-gate/{id}", "Delete a static gate", gates.Delete, rest.Note(connection.DeleteGateNote))

	tenants := c.Tenants()
	rest.Handle(a.router, rest.Needs(read), "GET /tenant", "List tenants", tenants.List)
	rest.Handle(a.router, rest.Needs(write), "POST /tenant", "Create a tenant", tenants.Create, rest.Note(connection.NewTenantNote), rest.Status(http.StatusCreated))
	rest.Handle(a.router, rest.Needs(write), "POST /tenant/bulk", "Create tenants", tenants.CreateAll, rest.Note(connection.TenantsNote))
	rest.Handle(a.router, rest.Needs(read), "GET /tenant/{id}", "Get a tenant", tenants.Read)
	rest.Handle(a.router, rest.Needs(write), "PATCH /tenant/{id}", "Change a tenant", tenants.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /tenant/{id}", "Delete a tenant with all that is stored about it", c.EraseTenant, rest.Note(connection.TenantNote), settled)
	rest.Handle(a.router, rest.Needs(read), "GET /integration/{id}/capabilities", "Get what an integration can do", c.IntegrationCapabilities)
	rest.Handle(a.router, rest.Needs(read), "GET /integrated-account/{id}/capabilities", "Get what an account can do", c.AccountCapabilities)
}

func (a *api) proxyRoutes() {
	p := &proxy.Handlers{
		DB: a.cfg.DB, Caller: a.cfg.Proxy, Memory: a.cfg.Memory, Clock: a.cfg.Clock,
		Limit: rest.NewLimit("integrated account", a.cfg.AccountLimit, a.cfg.Clock),
	}
	rest.Handle(a.router, rest.Needs(read, own), "GET /proxy/{resource}", "List records of a provider", p.Call(proxy.Method("list")), proxy.Describe("list-proxy"))
	rest.Handle(a.router, rest.Needs(read, own), "GET /proxy/{resource}/{id}", "Get a record of a provider", p.Call(proxy.Method("get")), proxy.Describe("get-proxy"))
	rest.Handle(a.router, rest.Needs(write, own), "POST /proxy/{resource}", "Create a record at a provider", p.Call(proxy.Method("create")), proxy.Describe("create-proxy"))
	rest.Handle(a.router, rest.Needs(write, own), "PATCH /proxy/{resource}/{id}", "Change a record at a provider", p.Call(proxy.Method("update")), proxy.Describe("update-proxy"))
	rest.Handle(a.router, rest.Needs(write, own), "DELETE /proxy/{resource}/{id}", "Delete a record at a provider", p.Call(proxy.Method("delete")), proxy.Describe("delete-proxy"))
	rest.Handle(a.router, rest.Needs(write, own), "POST /proxy/{resource}/{method}", "Call a method of the integration's own", p.Call(proxy.Method("")), proxy.Describe("call-proxy"))
	rest.Handle(a.router, rest.Needs(write, own), "POST /proxy/_/{action}", "Run an action of the integration", p.Call(proxy.Action), proxy.Describe("act-proxy"))
	for _, verb := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		needed := rest.Needs(write, own)
		if verb == "GET" {
			needed = rest.Needs(read, own)
		}
		rest.Handle(a.router, needed, verb+" /custom/{path...}", verb+" any path of a provider", p.Call(proxy.Custom), rest.Note(proxy.CustomNote), proxy.Describe(strings.ToLower(verb)+"-custom"))
	}
}

func (a *api) inboundRoutes() {
	in := &connection.Inbound{
		Receiver: a.cfg.Inbound, Count: a.cfg.InboundLimited, MaxBody: a.cfg.MaxBody,
		Requests: rest.NewLimit("account or installation", a.cfg.InboundLimit, a.cfg.Clock),
		Bytes:    rest.NewByteLimit("account or installation", a.cfg.InboundBytesLimit, a.cfg.Clock),
	}
	for _, verb := range []string{"GET", "POST"} {
		rest.Handle(a.router, rest.Nothing, verb+" /integrated-account-webhook/{id}", "Report on an account, as its provider", in.ForAccount, connection.Describe(verb, "account", false))
		rest.Handle(a.router, rest.Nothing, verb+" /integrated-account-webhook/{environment_id}/{id}", "Report on an account of an environment, as its provider", in.ForAccount, connection.Describe(verb, "account", true))
		rest.Handle(a.router, rest.Nothing, verb+" /environment-integration-webhook/{id}", "Report on accounts of an installation, as their provider", in.ForInstall, connection.Describe(verb, "installation", false))
		rest.Handle(a.router, rest.Nothing, verb+" /environment-integration-webhook/{environment_id}/{id}", "Report on accounts of an installation of an environment, as their provider", in.ForInstall, connection.Describe(verb, "installation", true))
	}
	hooks := (&connection.Handlers{DB: a.cfg.DB}).InboundHooks()
	rest.Handle(a.router, rest.Needs(read), "GET /inbound-hook", "List what providers sent", hooks.List)
	rest.Handle(a.router, rest.Needs(read), "GET /inbound-hook/{id}", "Get what a provider sent, and its outcome", hooks.GetWhole)
}

func (a *api) deliveryRoutes() {
	d := &delivery.Handlers{DB: a.cfg.DB, Sender: a.cfg.Sender, Clock: a.cfg.Clock, BlockReason: a.cfg.BlockReason}
	webhooks := d.Webhooks()
	rest.Handle(a.router, rest.Needs(read), "GET /webhook", "List webhooks", webhooks.List)
	rest.Handle(a.router, rest.Needs(write), "POST /webhook", "Create a webhook", webhooks.Create, rest.Note(delivery.SecretNote))
	rest.Handle(a.router, rest.Needs(write), "POST /webhook/test", "Send a test event to a webhook", webhooks.Test)
	rest.Handle(a.router, rest.Needs(read), "GET /webhook/{id}", "Get a webhook with the size of its backlog", webhooks.GetWithBacklog)
	rest.Handle(a.router, rest.Needs(write), "PATCH /webhook/{id}", "Change a webhook", webhooks.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /webhook/{id}", "Delete a webhook", webhooks.Delete)
	rest.Handle(a.router, rest.Needs(write), "POST /webhook/{id}/rotate-secret", "Change the signing secret", webhooks.RotateSecret, rest.EmptyToo, rest.Note(delivery.RotateNote))
	rest.Handle(a.router, rest.Needs(write), "DELETE /webhook/{id}/previous-secret", "End the signing secret from before", webhooks.EndPreviousSecret, rest.Note(delivery.EndPreviousNote))
	rest.Handle(a.router, rest.Needs(write), "POST /webhook/{id}/redeliver", "Send deliveries of a webhook again", webhooks.Redeliver, rest.Note(delivery.RedeliverAllNote))

	destinations := d.Destinations()
	rest.Handle(a.router, rest.Needs(read), "GET /notification-destination", "List notification destinations", destinations.List)
	rest.Handle(a.router, rest.Needs(write), "POST /notification-destination", "Create a notification destination", destinations.Create, rest.Note(delivery.DestinationNote))
	rest.Handle(a.router, rest.Needs(write), "POST /notification-destination/test", "Send a test notification", destinations.Test)
	rest.Handle(a.router, rest.Needs(read), "GET /notification-destination/{id}", "Get a notification destination", destinations.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /notification-destination/{id}", "Change a notification destination", destinations.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /notification-destination/{id}", "Delete a notification destination", destinations.Delete)

	deliveries := d.Deliveries()
	rest.Handle(a.router, rest.Needs(read), "GET /webhook-delivery", "List deliveries to webhooks", deliveries.List)
	rest.Handle(a.router, rest.Needs(read), "GET /webhook-delivery/{id}", "Get a delivery with its attempts", deliveries.GetWithAttempts)
	rest.Handle(a.router, rest.Needs(write), "POST /webhook-delivery/{id}/redeliver", "Send a delivery again", deliveries.Redeliver, rest.Note(delivery.RedeliverNote))

	redeliveries := d.Redeliveries()
	rest.Handle(a.router, rest.Needs(read), "GET /webhook-redelivery", "List redeliveries", redeliveries.List)
	rest.Handle(a.router, rest.Needs(write), "POST /webhook-redelivery", "Send again what a webhook did not get", redeliveries.Create, rest.Note(delivery.StartNote))
	rest.Handle(a.router, rest.Needs(read), "POST /webhook-redelivery/preview", "Count what a redelivery would take", redeliveries.Preview, rest.Note(delivery.PreviewNote))
	rest.Handle(a.router, rest.Needs(read), "GET /webhook-redelivery/{id}", "Get a redelivery", redeliveries.Get)
	rest.Handle(a.router, rest.Needs(write), "POST /webhook-redelivery/{id}/stop", "Stop a redelivery", redeliveries.Stop, rest.Note(delivery.StopNote))
}

func (a *api) workRoutes() {
	w := &work.Handlers{DB: a.cfg.DB, Accepter: a.cfg.Accepter, Clock: a.cfg.Clock}
	jobs := w.SyncJobs()
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job", "List sync jobs", jobs.List)
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job", "Create a sync job", jobs.Create)
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job/{id}", "Get a sync job", jobs.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /sync-job/{id}", "Change a sync job", jobs.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /sync-job/{id}", "Delete a sync job", jobs.Delete)

	runs := w.SyncJobRuns()
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-run", "List sync job runs", runs.List)
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job-run", "Start a sync job run", runs.Create)
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-run/{id}", "Get a sync job run", runs.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /sync-job-run/{id}", "Move a sync job run on", runs.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /sync-job-run/{id}", "Stop a sync job run", runs.Stop)

	state := w.SyncJobRunState()
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-run-state", "List the state of sync job runs", state.List, rest.Note(work.StateNote))
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job-run-state", "Create or update an entry of the state of runs", state.Set, rest.Note(work.StateNote))
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-run-state/{id}", "Get an entry of the state of runs", state.Get, rest.Note(work.StateNote))
	rest.Handle(a.router, rest.Needs(write), "PATCH /sync-job-run-state/{id}", "Change an entry of the state of runs", state.Patch, rest.Note(work.StateNote))
	rest.Handle(a.router, rest.Needs(write), "DELETE /sync-job-run-state/{id}", "Delete an entry of the state of runs", state.Delete, rest.Note(work.StateNote))

	templates := w.SyncJobTemplates()
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-template", "List sync job templates", templates.List)
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job-template", "Create a sync job template", templates.Create)
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-template/{id}", "Get a sync job template", templates.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /sync-job-template/{id}", "Change a sync job template", templates.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /sync-job-template/{id}", "Delete a sync job template", templates.Delete)

	triggers := w.SyncJobCronTriggers()
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-cron-trigger", "List schedules", triggers.List)
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job-cron-trigger", "Create a schedule", triggers.Create)
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-cron-trigger/{id}", "Get a schedule", triggers.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /sync-job-cron-trigger/{id}", "Change a schedule", triggers.Patch)
	rest.Handle(a.router, rest.Needs(write), "DELETE /sync-job-cron-trigger/{id}", "Delete a schedule", triggers.Delete)
	rest.Handle(a.router, rest.Needs(write), "POST /sync-job-cron-trigger/{id}/schedule", "Make sure that a schedule is active", triggers.Schedule)
	rest.Handle(a.router, rest.Needs(read), "GET /sync-job-cron-trigger/{id}/fires", "List the outcome of each due instant of a schedule", triggers.Fires)

	workflows := w.Workflows()
	rest.Handle(a.router, rest.Needs(read), "GET /workflow", "List workflows", workflows.List)
	rest.Handle(a.router, rest.Needs(write), "POST /workflow", "Create a workflow", workflows.Create, rest.YAMLToo, rest.Note(work.YAMLNote))
	rest.Handle(a.router, rest.Needs(read), "GET /workflow/{id}", "Get a workflow", workflows.Get)
	rest.Handle(a.router, rest.Needs(write), "PATCH /workflow/{id}", "Change a workflow", workflows.Patch, rest.YAMLToo, rest.Note(work.YAMLNote))
	rest.Handle(a.router, rest.Needs(write), "DELETE /workflow/{id}", "Delete a workflow", workflows.Delete)

	rest.Handle(a.router, rest.Needs(read), "GET /workflow-run", "List workflow runs", w.WorkflowRuns().List)
	rest.Handle(a.router, rest.Needs(read), "GET /workflow-run/{id}", "Get a workflow run", w.WorkflowRuns().Get)
	rest.Handle(a.router, rest.Needs(write), "DELETE /workflow-run/{id}", "Delete a workflow run", w.WorkflowRuns().Delete)

	events := w.Events()
	rest.Handle(a.router, rest.Needs(read), "GET /event", "List events", events.List)
	rest.Handle(a.router, rest.Needs(write), "POST /event", "Send an event of your own", events.Create, rest.Note(work.EventNote))
	rest.Handle(a.router, rest.Needs(read), "GET /event/{id}", "Get an event with the decisions about it", events.GetWithDecisions)
	rest.Handle(a.router, rest.Needs(read), "GET /log", "Read a log", w.LogEntries, rest.Note(work.LogNote), work.LogParameters)
	rest.Handle(a.router, rest.Needs(read), "GET /event-type", "List the types of events", w.ListEventTypes, rest.Operation("list-event-type"))
	rest.Handle(a.router, rest.Needs(read), "GET /event-type/{name}", "Get a type of events with its payload's schema", w.GetEventType)
}

// methodNote says what to do instead of a method that a resource does not have.
func methodNote(resource string) string {
	switch resource {
	case "workflow-run":
		return "Workflow runs are made by the system when an event wakes a workflow; POST /event sends one."
	case "webhook-delivery":
		return "Deliveries are made by the system when an event happens; POST /webhook-delivery/{id}/redeliver sends one again."
	}
	return ""
}
