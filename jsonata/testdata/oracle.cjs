// Evaluates expressions with the reference implementation. Reads lines of
// {"expr", "data"} and writes lines of {"result"}, {"undefined"} or {"code"}, with
// "changed" if the data is another one afterwards.
// Usage: node oracle.cjs DIRECTORY-WITH-NODE_MODULES
const path = require("path");
const jsonata = require(path.join(process.argv[2], "node_modules", "jsonata"));

async function unchanged(line) {
  const { expr, data } = JSON.parse(line);
  const before = JSON.stringify(data);
  const out = await run(expr, data);
  return JSON.stringify(data) === before ? out : { ...out, changed: true };
}

async function run(expr, data) {
  try {
    const options = { timeout: 2000, stack: 400, sequence: 200000 };
    const value = await jsonata(expr, options).evaluate(data);
    if (value === undefined || typeof value === "function") return { undefined: true };
    if (value && (value._jsonata_lambda || value._jsonata_function)) return { undefined: true };
    return { result: value };
  } catch (error) {
    return { code: error.code || "?", message: String(error.message) };
  }
}

const replacer = (key, value) =>
  value && (value._jsonata_lambda || value._jsonata_function) ? undefined : value;

(async () => {
  const lines = require("readline").createInterface({ input: process.stdin });
  for await (const line of lines) {
    let out;
    try {
      out = JSON.stringify(await unchanged(line), replacer);
    } catch (error) {
      out = JSON.stringify({ code: "?", message: String(error.message) });
    }
    process.stdout.write(out + "\n");
  }
})();
