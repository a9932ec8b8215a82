// Writes the expected results into the case files of this directory, computed by the reference implementation.
// With --check it changes nothing, and fails if a file would change. Form of the files: README.md.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

// It is always the same time.
const clock = Date.UTC(2024, 4, 17, 10, 20, 30, 456);
globalThis.Date = class extends Date {
  constructor(...parts) {
    super(...(parts.length ? parts : [clock]));
  }
  static now() {
    return clock;
  }
};

let jsonata = require("jsonata");

// fresh loads the reference implementation anew. It keeps the place of the last call in its functions, so that an
// error would show what another case left behind.
function fresh() {
  delete require.cache[require.resolve("jsonata")];
  jsonata = require("jsonata");
}

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes("--check");
const isFunction = (v) =>
  typeof v === "function" || (v && (v._jsonata_lambda === true || v._jsonata_function === true));

// render writes a value as JSON, with words for what JSON lacks.
function render(v) {
  if (v === undefined) return "undefined";
  if (isFunction(v)) return "function";
  if (typeof v === "number") return Object.is(v, -0) ? "-0" : String(v);
  if (Array.isArray(v)) return "[" + Array.from(v, render).join(",") + "]";
  if (v && typeof v === "object") {
    return "{" + Object.keys(v).map((k) => JSON.stringify(k) + ":" + render(v[k])).join(",") + "}";
  }
  return JSON.stringify(v);
}

function renderError(e) {
  if (!e.code) throw e; // an exception of JavaScript is no behaviour of the language
  let line = "!! " + e.code;
  if (e.position !== undefined) line += " at " + e.position;
  if (e.token !== undefined) line += " token " + JSON.stringify(String(e.token));
  if (e.index !== undefined) line += " argument " + e.index;
  return line;
}

const evaluate = async (c) => jsonata(c.expr, c.limits).evaluate(structuredClone(c.input), c.bindings);

async function result(c) {
  try {
    return "=> " + render(await evaluate(c));
  } catch {
    fresh();
    return evaluate(c).then((v) => "=> " + render(v), renderError);
  }
}

// file reads one case file and returns its text with the results of now.
async function file(name, seen) {
  const out = [];
  const lines = readFileSync(join(here, name), "utf8").replace(/\n$/, "").split("\n");
  let state = {};
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    if (line.startsWith("=> ") || line.startsWith("!! ")) continue;
    out.push(line);
    if (line === "" || line.startsWith("# ")) continue;
    let text = line;
    while (i + 1 < lines.length && lines[i + 1].startsWith("\t")) {
      out.push(lines[++i]);
      text += "\n" + lines[i].slice(1);
    }
    const [, key, rest] = /^--- (\w+) ?([^]*)$/.exec(text) ?? [];
    if (key && key !== "source") {
      if (!["input", "bindings", "limits"].includes(key)) throw new Error(`${name}: unknown ${line}`);
      state = { ...state, [key]: rest === "" ? undefined : JSON.parse(rest) };
      continue;
    }
    const expr = key ? JSON.parse(rest) : text;
    const identity = JSON.stringify([expr, state]);
    if (seen.has(identity)) throw new Error(`${name}: ${expr} is also in ${seen.get(identity)}`);
    seen.set(identity, name);
    try {
      out.push(await result({ expr, ...state }));
    } catch (e) {
      failed++;
      console.error(`${name}: ${expr}: the reference fails with an exception: ${e.message}`);
    }
  }
  return out.join("\n") + "\n";
}

// reference lists the functions and error codes of the reference implementation, for the test that looks for each.
function reference() {
  const source = readFileSync(require.resolve("jsonata"), "utf8");
  const all = (pattern) => [...new Set(Array.from(source.matchAll(pattern), (m) => m[1]))].sort();
  const version = require("jsonata/package.json").version;
  const functions = all(/(?:staticFrame|environment)\.bind\('(\w+)'/g);
  const codes = all(/['"]([STDU]\d{4})['"](?!\s*:)/g);
  return JSON.stringify({ version, functions, codes }, null, 2) + "\n";
}

let changed = 0;
function write(name, text, old) {
  if (text === old) return;
  changed++;
  console.log(`${name} ${check ? "would change" : "written"}`);
  if (!check) writeFileSync(join(here, name), text);
}

const seen = new Map();
let failed = 0;
const names = readdirSync(here).filter((n) => n.endsWith(".txt")).sort();
for (const name of names) {
  try {
    write(name, await file(name, seen), readFileSync(join(here, name), "utf8"));
  } catch (e) {
    failed++;
    console.error(e.message);
  }
}
let old = "";
try { old = readFileSync(join(here, "reference.json"), "utf8"); } catch { /* the first time */ }
write("reference.json", reference(), old);
console.log(`${seen.size} cases in ${names.length} files`);
process.exitCode = failed || (check && changed) ? 1 : 0;
