// Reads a JSON array of signed requests from standard input, verifies each one as receivers in the field do, and
// prints one line per verifier and request.
import { createRequire } from "node:module";
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const { Webhook } = require("standardwebhooks");
const svix = require("svix");

const compatible = {
  verify(body, headers, request) {
    const value = headers["x-truto-signature"];
    const got = Buffer.from(value.slice(value.indexOf("v=") + 2), request.encoding);
    const want = createHmac("sha256", request.secret).update(body, "utf8").digest();
    if (!timingSafeEqual(got, want)) throw new Error("signatures differ");
  },
};

function verifiers({ secret }) {
  const options = secret.startsWith("whsec_") ? undefined : { format: "raw" };
  return {
    compatible,
    standardwebhooks: new Webhook(secret, options),
    svix: new svix.Webhook(secret, options),
  };
}

for (const request of JSON.parse(readFileSync(0, "utf8"))) {
  for (const [name, verifier] of Object.entries(verifiers(request))) {
    verifier.verify(request.body, request.headers, request);
    let rejected = false;
    try {
      verifier.verify(request.body + " ", request.headers, request);
    } catch {
      rejected = true;
    }
    console.log(name, request.name, rejected ? "verified" : "ACCEPTS ANOTHER BODY");
  }
}
