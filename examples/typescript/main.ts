// The main job through a client that is generated from docs/openapi.json: create an integration, a webhook, a sync job and a workflow,
// connect an account, and wait for the records. See README.md beside it.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const env = (name: string, fallback: string) => process.env[name] ?? fallback;
const client = createClient<paths>({
  baseUrl: env("MILLRACE_URL", "http://127.0.0.1:8080"),
  headers: { Authorization: `Bearer ${env("MILLRACE_TOKEN", "")}` },
});

// made returns the body of a response, or throws with everything that the server says is wrong.
function made<T>(got: { data?: T; error?: components["schemas"]["Error"] }): T {
  if (got.data === undefined) throw new Error(JSON.stringify(got.error));
  return got.data;
}

const integration = made(await client.POST("/integration", {
  body: {
    name: "calcom-typescript",
    config: {
      base_url: "{{base_url}}",
      authorization: { format: "header", config: { header_name: "Authorization", header_value: "Bearer {{api_key}}" } },
      pagination: { format: "offset", config: { offset_key: "skip", limit_key: "take", max_limit: 25 } },
      resources: { bookings: { list: { method: "get", path: "/v2/bookings", response_path: "data" } } },
    },
  },
}));
const install = made(await client.POST("/environment-integration", { body: { integration_id: integration.id } }));
const webhook = made(await client.POST("/webhook", {
  body: { target_url: env("RECEIVER", "http://127.0.0.1:9000/hook"), secret: "playground", event_types: ["sync_job_run:deleted"] },
}));
const job = made(await client.POST("/sync-job", {
  body: {
    label: "Bookings", integration_name: integration.name, default_runtime_version: 4,
    resources: [
      { name: "bookings", type: "request", resource: "bookings", method: "list", integrated_account_id: "{{args.integrated_account_id}}" },
      { name: "meetings", type: "transform", depends_on: "bookings", persist: true, config: { expression: 'resources.bookings.{ "id": uid, "title": title }' } },
    ],
  },
}));
const workflow = made(await client.POST("/workflow", {
  body: {
    trigger_name: "integrated_account:active",
    config: {
      run_if: `integration.name = '${integration.name}'`,
      steps: [{ type: "run", action: "run_sync_job", config: { sync_job_id: job.id, webhook_id: webhook.id } }],
    },
  },
}));
for (const warning of [...(job.warnings ?? []), ...(workflow.warnings ?? [])]) throw new Error(`${warning.path}: ${warning.message}`);
const account = made(await client.POST("/integrated-account", {
  body: {
    tenant_id: "acme", environment_integration_id: install.id, authentication_method: "api_key",
    context: { api_key: "cal_demo_key", base_url: env("PROVIDER", "http://127.0.0.1:9001") },
  },
}));

const ended: components["schemas"]["SyncJobRun"]["status"][] = ["completed", "failed", "stopped"];
for (let tries = 0; tries < 300; tries++) {
  const runs = made(await client.GET("/sync-job-run", { params: { query: { limit: 1 } } }));
  const run = runs.result?.find((r) => r.integrated_account_id === account.id);
  if (run && ended.includes(run.status)) {
    console.log(`the run is ${run.status}:`, JSON.stringify(run.resource_stats), run.error ?? "");
    process.exit(run.status === "completed" && !run.is_partial ? 0 : 1);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
throw new Error("the run has not ended within a minute");
