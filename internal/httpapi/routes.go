package httpapi

// routes registers every route: who may use it, and its handler. First the server itself, then connections to third
// parties, then the work that is done with them.
func (a *api) routes() {
	handle(a, public, "GET /ping", "Ask whether the API answers", a.ping)
	handle(a, public, "GET /healthz", "Ask whether the process lives", a.healthz)
	handle(a, public, "GET /readyz", "Ask whether the server can do its work", a.readyz)
	handle(a, public, "GET /openapi.json", "Get this document", a.openapiJSON)
	handle(a, public, "GET /openapi.yaml", "Get this document as YAML", a.openapiYAML)
	a.connectionRoutes()
	a.thirdPartyRoutes()
	a.workRoutes()
	a.eventRoutes()
	a.inboundRoutes()
}

func (a *api) connectionRoutes() {
	environments := a.environments()
	handle(a, either, "GET /environment", "List environments: the token's own", environments.list, note(eitherNote))
	handle(a, admin, "POST /environment", "Create an environment", a.createEnvironment, note(adminNote))
	handle(a, either, "GET /environment/{id}", "Get an environment with its limits", a.getEnvironment, note(eitherNote))
	handle(a, admin, "PATCH /environment/{id}", "Change the name or the weight of an environment", a.patchEnvironment, note(adminNote))
	handle(a, admin, "DELETE /environment/{id}", "Delete an environment", a.deleteEnvironment, note(deleteNote))

	handle(a, bearer, "GET /api-token", "List API tokens", a.apiTokens().list)
	handle(a, admin, "POST /api-token", "Create an API token of an environment", a.createToken, note(adminNote))
	handle(a, bearer, "GET /api-token/{id}", "Get an API token", a.apiTokens().get)
	handle(a, admin, "DELETE /api-token/{id}", "Delete an API token", a.apiTokens().delete, note(adminNote))

	integrations := a.integrations()
	handle(a, bearer, "GET /integration", "List integrations", integrations.list)
	handle(a, bearer, "POST /integration", "Create an integration", integrations.create)
	handle(a, bearer, "GET /integration/{id}", "Get an integration", a.getIntegration)
	handle(a, bearer, "PATCH /integration/{id}", "Change an integration", integrations.patch, note(patchIntegrationNote))
	handle(a, bearer, "DELETE /integration/{id}", "Delete an integration", integrations.delete)

	installs := a.environmentIntegrations()
	handle(a, bearer, "GET /environment-integration", "List installed integrations", installs.list)
	handle(a, bearer, "POST /environment-integration", "Install an integration", installs.create, note(installNote))
	handle(a, bearer, "GET /environment-integration/{id}", "Get an installed integration", installs.get)
	handle(a, bearer, "PATCH /environment-integration/{id}", "Change an installed integration", installs.patch, note(overrideNote))
	handle(a, bearer, "DELETE /environment-integration/{id}", "Uninstall an integration and its accounts", installs.delete)

	accounts := a.integratedAccounts()
	handle(a, bearer, "GET /integrated-account", "List integrated accounts", accounts.list)
	handle(a, bearer, "POST /integrated-account", "Import an account with its credentials", accounts.create)
	handle(a, bearer, "GET /integrated-account/{id}", "Get an integrated account", accounts.get)
	handle(a, bearer, "PATCH /integrated-account/{id}", "Change an integrated account", accounts.patch, note(contextNote))
	handle(a, bearer, "PATCH /integrated-account/{id}/credentials", "Reconnect an account", accounts.reconnect, note(reconnectNote))
	handle(a, bearer, "DELETE /integrated-account/{id}", "Delete an integrated account with all that is stored about it", accounts.erase, note(eraseNote))
	handle(a, bearer, "DELETE /tenant/{id}", "Delete a tenant with all that is stored about it", a.eraseTenant, note(tenantNote))
}

func (a *api) thirdPartyRoutes() {
	handle(a, bearer, "GET /proxy/{resource}", "List records of a third party", a.third(proxyMethod("list")), third("list-proxy"))
	handle(a, bearer, "GET /proxy/{resource}/{id}", "Get a record of a third party", a.third(proxyMethod("get")), third("get-proxy"))
	handle(a, bearer, "POST /proxy/{resource}", "Create a record at a third party", a.third(proxyMethod("create")), third("create-proxy"))
	handle(a, bearer, "PATCH /proxy/{resource}/{id}", "Change a record at a third party", a.third(proxyMethod("update")), third("update-proxy"))
	handle(a, bearer, "DELETE /proxy/{resource}/{id}", "Delete a record at a third party", a.third(proxyMethod("delete")), third("delete-proxy"))
	handle(a, bearer, "POST /proxy/{resource}/{method}", "Call a method of the integration's own", a.third(proxyMethod("")), third("call-proxy"))
	handle(a, bearer, "POST /proxy/_/{action}", "Run an action of the integration", a.third(proxyAction), third("act-proxy"))
	for _, verb := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		handle(a, bearer, verb+" /custom/{path...}", verb+" any path of a third party", a.third(customPath), note(customNote), third(lower(verb)+"-custom"))
	}
	handle(a, bearer, "GET /integration/{id}/capabilities", "Get what an integration can do", a.integrationCapabilities)
	handle(a, bearer, "GET /integrated-account/{id}/capabilities", "Get what an account can do", a.accountCapabilities)
}

func (a *api) inboundRoutes() {
	for _, verb := range []string{"GET", "POST"} {
		handle(a, public, verb+" /integrated-account-webhook/{id}", "Tell about an account, as its third party", a.receiveForAccount, receives(verb, "account", false))
		handle(a, public, verb+" /integrated-account-webhook/{environment_id}/{id}", "Tell about an account of an environment, as its third party", a.receiveForAccount, receives(verb, "account", true))
		handle(a, public, verb+" /environment-integration-webhook/{id}", "Tell about accounts of an installation, as their third party", a.receiveForInstall, receives(verb, "installation", false))
		handle(a, public, verb+" /environment-integration-webhook/{environment_id}/{id}", "Tell about accounts of an installation of an environment, as their third party", a.receiveForInstall, receives(verb, "installation", true))
	}
	hooks := a.inboundHooks()
	handle(a, bearer, "GET /inbound-hook", "List what third parties sent", hooks.list)
	handle(a, bearer, "GET /inbound-hook/{id}", "Get what a third party sent, and what became of it", hooks.getWhole)
}

func (a *api) workRoutes() {
	webhooks := a.webhooks()
	handle(a, bearer, "GET /webhook", "List webhooks", webhooks.list)
	handle(a, bearer, "POST /webhook", "Create a webhook", webhooks.create, note(secretNote))
	handle(a, bearer, "POST /webhook/test", "Send a test event to a webhook", webhooks.test)
	handle(a, bearer, "GET /webhook/{id}", "Get a webhook with the size of its backlog", webhooks.getWithBacklog)
	handle(a, bearer, "PATCH /webhook/{id}", "Change a webhook", webhooks.patch)
	handle(a, bearer, "DELETE /webhook/{id}", "Delete a webhook", webhooks.delete)
	handle(a, bearer, "POST /webhook/{id}/rotate-secret", "Change the signing secret", webhooks.rotateSecret, emptyToo, note(rotateNote))
	handle(a, bearer, "POST /webhook/{id}/redeliver", "Send deliveries of a webhook again", webhooks.redeliver, note(redeliverAllNote))

	destinations := a.destinations()
	handle(a, bearer, "GET /notification-destination", "List notification destinations", destinations.list)
	handle(a, bearer, "POST /notification-destination", "Create a notification destination", destinations.create, note(destinationNote))
	handle(a, bearer, "POST /notification-destination/test", "Send a test notification", destinations.test)
	handle(a, bearer, "GET /notification-destination/{id}", "Get a notification destination", destinations.get)
	handle(a, bearer, "PATCH /notification-destination/{id}", "Change a notification destination", destinations.patch)
	handle(a, bearer, "DELETE /notification-destination/{id}", "Delete a notification destination", destinations.delete)

	deliveries := a.deliveries()
	handle(a, bearer, "GET /webhook-delivery", "List deliveries to webhooks", deliveries.list)
	handle(a, bearer, "GET /webhook-delivery/{id}", "Get a delivery with its attempts", deliveries.getWithAttempts)
	handle(a, bearer, "POST /webhook-delivery/{id}/redeliver", "Send a delivery again", deliveries.redeliver, note(redeliverNote))

	jobs := a.syncJobs()
	handle(a, bearer, "GET /sync-job", "List sync jobs", jobs.list)
	handle(a, bearer, "POST /sync-job", "Create a sync job", jobs.create)
	handle(a, bearer, "GET /sync-job/{id}", "Get a sync job", jobs.get)
	handle(a, bearer, "PATCH /sync-job/{id}", "Change a sync job", jobs.patch)
	handle(a, bearer, "DELETE /sync-job/{id}", "Delete a sync job", jobs.delete)

	runs := a.syncJobRuns()
	handle(a, bearer, "GET /sync-job-run", "List sync job runs", runs.list)
	handle(a, bearer, "POST /sync-job-run", "Start a sync job run", runs.create)
	handle(a, bearer, "GET /sync-job-run/{id}", "Get a sync job run", runs.get)
	handle(a, bearer, "PATCH /sync-job-run/{id}", "Move a sync job run on", runs.patch)
	handle(a, bearer, "DELETE /sync-job-run/{id}", "Stop a sync job run", runs.stop)

	state := runState{a}
	handle(a, bearer, "GET /sync-job-run-state", "List the state of sync job runs", state.list, note(stateNote))
	handle(a, bearer, "POST /sync-job-run-state", "Create or update an entry of the state of runs", state.set, note(stateNote))
	handle(a, bearer, "GET /sync-job-run-state/{id}", "Get an entry of the state of runs", state.get, note(stateNote))
	handle(a, bearer, "PATCH /sync-job-run-state/{id}", "Change an entry of the state of runs", state.patch, note(stateNote))
	handle(a, bearer, "DELETE /sync-job-run-state/{id}", "Delete an entry of the state of runs", state.delete, note(stateNote))

	templates := a.syncJobTemplates()
	handle(a, bearer, "GET /sync-job-template", "List sync job templates", templates.list)
	handle(a, bearer, "POST /sync-job-template", "Create a sync job template", templates.create)
	handle(a, bearer, "GET /sync-job-template/{id}", "Get a sync job template", templates.get)
	handle(a, bearer, "PATCH /sync-job-template/{id}", "Change a sync job template", templates.patch)
	handle(a, bearer, "DELETE /sync-job-template/{id}", "Delete a sync job template", templates.delete)

	triggers := a.syncJobCronTriggers()
	handle(a, bearer, "GET /sync-job-cron-trigger", "List schedules", triggers.list)
	handle(a, bearer, "POST /sync-job-cron-trigger", "Create a schedule", triggers.create)
	handle(a, bearer, "GET /sync-job-cron-trigger/{id}", "Get a schedule", triggers.get)
	handle(a, bearer, "PATCH /sync-job-cron-trigger/{id}", "Change a schedule", triggers.patch)
	handle(a, bearer, "DELETE /sync-job-cron-trigger/{id}", "Delete a schedule", triggers.delete)
	handle(a, bearer, "POST /sync-job-cron-trigger/{id}/schedule", "Make sure that a schedule is active", triggers.schedule)
	handle(a, bearer, "GET /sync-job-cron-trigger/{id}/fires", "List what became of each due instant of a schedule", triggers.fires)

	workflows := a.workflows()
	handle(a, bearer, "GET /workflow", "List workflows", workflows.list)
	handle(a, bearer, "POST /workflow", "Create a workflow", workflows.create, yamlToo, note(yamlNote))
	handle(a, bearer, "GET /workflow/{id}", "Get a workflow", workflows.get)
	handle(a, bearer, "PATCH /workflow/{id}", "Change a workflow", workflows.patch, yamlToo, note(yamlNote))
	handle(a, bearer, "DELETE /workflow/{id}", "Delete a workflow", workflows.delete)

	handle(a, bearer, "GET /workflow-run", "List workflow runs", a.workflowRuns().list)
	handle(a, bearer, "GET /workflow-run/{id}", "Get a workflow run", a.workflowRuns().get)
	handle(a, bearer, "DELETE /workflow-run/{id}", "Delete a workflow run", a.workflowRuns().delete)
}

// eventRoutes are about what has happened.
func (a *api) eventRoutes() {
	events := a.events()
	handle(a, bearer, "GET /event", "List events", events.list)
	handle(a, bearer, "POST /event", "Send an event of your own", events.create, note(eventNote))
	handle(a, bearer, "GET /event/{id}", "Get an event with the decisions about it", events.getWithDecisions)
	handle(a, bearer, "GET /log", "Read a log", a.logEntries, note(logNote), logParameters)
	handle(a, bearer, "GET /event-type", "List the types of events", a.listEventTypes, operation("list-event-type"))
	handle(a, bearer, "GET /event-type/{name}", "Get a type of events with its payload's schema", a.getEventType)
}

// methodNotes says what to do instead of a method that a resource does not have.
func methodNotes(resource string) string {
	switch resource {
	case "workflow-run":
		return "Workflow runs are made by the system when an event wakes a workflow; POST /event sends one."
	case "webhook-delivery":
		return "Deliveries are made by the system when an event happens; POST /webhook-delivery/{id}/redeliver sends one again."
	case "tenant":
		return "A tenant is the tenant_id of integrated accounts; GET /integrated-account?tenant_id=... lists them."
	}
	return ""
}
