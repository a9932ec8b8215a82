// A webhook receiver for Node without packages: WEBHOOK_SECRET=... PORT=9000 node receiver.mjs
import { createServer } from "node:http";
import { createHmac, timingSafeEqual } from "node:crypto";

if (!process.env.WEBHOOK_SECRET) {
  console.error("WEBHOOK_SECRET is not set: it is the secret that POST /webhook responded with.");
  process.exit(2);
}

// While a secret is being changed: the new one and the old one, separated by a comma.
const keys = process.env.WEBHOOK_SECRET.split(",").map((secret) =>
  secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret, "utf8"));
const toleranceSeconds = 300;

function verified(headers, body) {
  const id = headers["webhook-id"] ?? "", time = headers["webhook-timestamp"] ?? "";
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= toleranceSeconds)) return false;
  return keys.some((key) => {
    const want = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
    return (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
      const got = Buffer.from(signature.replace(/^v1,/, ""), "base64");
      return signature.startsWith("v1,") && got.length === want.length && timingSafeEqual(got, want);
    });
  });
}

// Remember what was handled. A receiver with a database does it in the transaction that stores the records, and so
// survives its own crash as well.
const handled = new Set(), sequences = new Map();
const isNew = (id, { sync_job_run_id: run, sequence } = {}) =>
  !handled.has(id) && !(run && (sequences.get(run) ?? 0) >= sequence);

async function handle(event, payload) {
  console.log(event, payload.records?.length ?? "");
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks); // the bytes as they came: a parsed and printed body has another signature
  if (!verified(request.headers, body)) return response.writeHead(401).end("the signature is wrong");
  const id = request.headers["webhook-id"];
  try {
    const { event, payload } = JSON.parse(body);
    const meta = payload.meta ?? {};
    if (isNew(id, meta)) {
      await handle(event, payload);
      handled.add(id);
      if (meta.sync_job_run_id) sequences.set(meta.sync_job_run_id, meta.sequence);
    }
    response.writeHead(200).end();
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(); // it comes again
  }
});
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => console.log("listening on", server.address().port));
