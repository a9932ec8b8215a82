// This file must not compile: each line that is marked has a name that the API does not have.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });
// @ts-expect-error the member is target_url
await client.POST("/webhook", { body: { targt_url: "https://example.com" } });
// @ts-expect-error the path is /sync-job
await client.GET("/sync-jobs", {});
const run = await client.GET("/sync-job-run/{id}", { params: { path: { id: "3f1a6a1e-7c0d-4b7e-9d55-0b7a3d1c2e4f" } } });
// @ts-expect-error the member is is_partial
console.log(run.data?.is_partal);
// @ts-expect-error no run has this status
console.log(run.data?.status === "finished");
