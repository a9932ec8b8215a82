// Derives ../derived.json from five permissively licensed sources. derive.sh fetches them and calls
//   node derive.mjs <node_modules> <goth> <golang.org/x/oauth2> > ../derived.json
// Equal sources give equal bytes. Only facts are taken: addresses, separators, how a client authenticates, fixed parameters.
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, goth, golang] = process.argv.slice(2);

// One name for what sources call differently.
const aliases = {
  "42school": "42", amazoncognito: "cognito", azureadv2: "microsoft", microsoftentraid: "microsoft", microsoftonline: "microsoft",
  bungienet: "bungie", donationalerts: "donation-alerts", eveonline: "eve-online", influxcloud: "influx-cloud", intuit: "quickbooks",
  mailru: "mail-ru", mercadopago: "mercado-pago", openstreetmap2: "openstreetmap", projectplace2: "projectplace", startgg: "start-gg",
  stackoverflow: "stackexchange", twitter: "x", twitter2: "x", twitterv2: "x",
};
// What is no provider, has no API, was replaced, or needs a client secret that is signed anew.
const left = new Set(["apple", "azuread", "faux", "gplus", "openidconnect", "phantauth"]);

// What there is a ready integration of, which says it itself.
const catalogue = new URL("../../", import.meta.url);
for (const name of readdirSync(catalogue)) if (existsSync(new URL(`${name}/integration.yaml`, catalogue))) left.add(name);

const labels = JSON.parse(readFileSync(new URL("labels.json", import.meta.url), "utf8"));

const found = new Map(); // name -> source -> facts

function add(source, raw, facts) {
  const plain = raw.toLowerCase().replace(/[^a-z0-9]/g, "");
  const name = plain in aliases ? aliases[plain] : plain;
  if (!name || left.has(name) || left.has(plain)) return;
  for (const key of ["authorize", "token", "revoke", "api"]) {
    if (facts[key] && !/^https:\/\/[^/\s]+/.test(facts[key])) facts[key] = undefined;
  }
  if (!facts.authorize || !facts.token) return;
  if (!found.has(name)) found.set(name, {});
  const entry = found.get(name);
  if (!entry[source]) entry[source] = facts; // the first of two versions of one provider, in the order of their names
}

// Parameters that every authorization request has, or that are about one request.
const standard = new Set(["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "nonce",
  "response_mode", "grant_type", "client_secret"]);
const clientID = "the-client-id"; // what sources are given, to find out what they call it
const extra = (pairs) => {
  const out = {};
  for (const [k, v] of pairs) if (v !== clientID) if (!standard.has(k) && v !== "" && v !== undefined && v !== null) out[k] = String(v);
  return Object.keys(out).length ? out : undefined;
};
const idParam = (pairs) => [...pairs].find(([k, v]) => v === clientID && k !== "client_id")?.[0];
const bare = (address) => address && address.split("?")[0];
const origin = (address) => { try { return address && new URL(address).origin; } catch { return undefined; } };

// grant: data. [subdomain] stands for a part of the host, or all of it. Without a word its clients authenticate in the body.
function readGrant() {
  const all = JSON.parse(readFileSync(join(modules, "grant/config/oauth.json"), "utf8"));
  for (const [name, v] of Object.entries(all)) {
    if (v.oauth !== 2) continue;
    const whole = v.authorize_url.startsWith("https://[subdomain]/");
    const place = (s) => s.replaceAll("[subdomain]", whole ? "{{domain}}" : "{{subdomain}}");
    add("grant", name, {
      authorize: place(bare(v.authorize_url)), token: place(bare(v.access_url)),
      separator: v.scope_delimiter, bodyByDefault: true, params: extra(new URL(place(v.authorize_url).replace(/[{}]/g, "")).searchParams),
    });
  }
}

// arctic: its classes are asked for an address and for a token, and what they would have sent is looked at.
async function readArctic() {
  const dir = join(modules, "arctic/dist/providers");
  const files = readdirSync(dir).filter((f) => f.endsWith(".js")).sort();
  for (const file of files) {
    const exported = await import(pathToFileURL(join(dir, file)));
    for (const make of Object.values(exported)) {
      if (typeof make !== "function" || !make.prototype?.createAuthorizationURL) continue;
      const values = {
        clientId: clientID, clientSecret: "secret", redirectURI: "https://redirect.invalid/", domain: "xdomain.invalid", baseURL: "https://xdomain.invalid",
        realmURL: "https://xdomain.invalid", tenant: "xtenant", authorizationServerId: null, clientKey: clientID, state: "s", codeVerifier: "v", code: "c", scopes: ["a", "b"],
      };
      const named = (fn) => fn.match(/\(([^)]*)\)/)[1].split(",").map((s) => s.trim()).filter(Boolean).map((n) => values[n]);
      const text = make.toString();
      const method = (name) => text.slice(text.indexOf(name + "("));
      let asked;
      globalThis.fetch = async (request) => { asked = request; throw new Error("stop"); };
      let url;
      try {
        const one = new make(...named(method("constructor")));
        url = one.createAuthorizationURL(...named(method("createAuthorizationURL")));
        await one.validateAuthorizationCode(...named(method("validateAuthorizationCode"))).catch(() => {});
      } catch { continue; }
      if (!asked) continue;
      const place = (s) => s.replaceAll("xdomain.invalid", "{{domain}}").replaceAll("xtenant", "{{tenant}}");
      const scope = url.searchParams.get("scope");
      const body = await asked.text();
      add("arctic", file.replace(/\.js$/, ""), {
        authorize: place(bare(url.href)), token: place(bare(asked.url)),
        separator: scope && /^a(.)b$/.test(scope) ? scope[1] : undefined,
        auth: (asked.headers.get("authorization") || "").startsWith("Basic ") ? "header" : /secret/.test(body) ? "body" : undefined,
        revoke: revocation(readFileSync(join(dir, file), "utf8")), params: extra(url.searchParams), idParam: idParam(url.searchParams),
      });
    }
  }
}
const revocation = (source) => source.match(/const tokenRevocationEndpoint = "(https:[^"]+)"/)?.[1];

// Auth.js: its functions are called. Those that only name an issuer find their endpoints by discovery and are left out.
async function readAuthJS() {
  const dir = join(modules, "@auth/core/providers");
  for (const file of readdirSync(dir).filter((f) => f.endsWith(".js")).sort()) {
    let p;
    try {
      p = (await import(pathToFileURL(join(dir, file)))).default?.({ clientId: clientID, clientSecret: "secret" });
    } catch { continue; }
    if (!p || p.type === "email" || p.type === "credentials" || p.type === "webauthn") continue;
    const of = (v) => (typeof v === "string" ? v : v?.url);
    const authorize = of(p.authorization), token = of(p.token);
    if (!authorize || !token || /undefined/.test(authorize + token)) continue;
    const params = p.authorization?.params;
    const scope = params?.scope ?? new URL(authorize).searchParams.get("scope");
    const separator = typeof scope === "string" ? (/^[^\s,]+(,[^\s,]+)+$/.test(scope) ? "," : /^[^\s,]+( [^\s,]+)+$/.test(scope) ? " " : undefined) : undefined;
    const how = p.client?.token_endpoint_auth_method;
    const pairs = [...new URL(authorize).searchParams, ...Object.entries(params ?? {})];
    add("authjs", file.replace(/\.js$/, ""), {
      authorize: bare(authorize), token: bare(token), separator, label: p.name,
      auth: how === "client_secret_post" ? "body" : how === "client_secret_basic" ? "header" : undefined,
      api: origin(of(p.userinfo)), params: extra(pairs), idParam: idParam(pairs),
    });
  }
}

// goth: constants in Go source.
function readGoth() {
  for (const name of readdirSync(join(goth, "providers")).sort()) {
    const file = join(goth, "providers", name, name + ".go");
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8").replace(/^\s*\/\/.*$/gm, "");
    if (/mrjones\/oauth/.test(text)) continue; // OAuth 1.0a
    const constant = (pattern) => text.match(new RegExp(`^\\s*(?:var\\s+|const\\s+)?(?:${pattern})\\s*(?:string)?\\s*=\\s*"(https://[^"]*)"`, "mi"))?.[1];
    add("goth", name, {
      authorize: bare(constant("auth(?:orize|entication)?_?(?:url|endpoint)|endpointAuth")), token: bare(constant("(?:access)?token_?(?:url|endpoint)|endpointToken")),
      api: origin(constant("endpointProfile|profileURL|userEndpoint|endpointUser|userURL|userInfoURL|endpointUserInfo|APIEndpoint")),
    });
  }
}

// golang.org/x/oauth2: variables in Go source. What its functions make is in the other sources.
function readGolang() {
  const text = readFileSync(join(golang, "endpoints/endpoints.go"), "utf8");
  for (const [, name, body] of text.matchAll(/^var (\w+) = oauth2\.Endpoint\{([^}]*)\}/gm)) {
    const member = (key) => body.match(new RegExp(`${key}:\\s*"([^"]*)"`))?.[1];
    const style = body.match(/AuthStyle:\s*oauth2\.AuthStyleIn(\w+)/)?.[1];
    add("golang", name, {
      authorize: bare(member("AuthURL")), token: bare(member("TokenURL")), auth: style === "Header" ? "header" : style === "Params" ? "body" : undefined,
    });
  }
}

// The order decides where as many sources say one thing as another.
const order = ["golang", "arctic", "authjs", "goth", "grant"];
// Where that is known to be the older one.
const prefer = { battlenet: "arctic", dailymotion: "grant", discord: "golang", mastodon: "grant", slack: "golang", strava: "arctic", uber: "golang" };

// Most returns what most sources say of something, and who says what where they differ.
function most(entry, get, preferred) {
  const said = new Map();
  for (const source of order) {
    const v = entry[source] && get(entry[source]);
    if (v === undefined) continue;
    if (!said.has(v)) said.set(v, []);
    said.get(v).push(source);
  }
  let best;
  for (const [v, who] of said) if (best === undefined || who.length > said.get(best).length) best = v;
  if (preferred && entry[preferred]) best = get(entry[preferred]) ?? best;
  return [best, said.size > 1 ? Object.fromEntries([...said].sort(([a], [b]) => (a < b ? -1 : 1))) : undefined];
}

function split(address) {
  const at = address.indexOf("/", "https://".length);
  return at < 0 ? [address, "/"] : [address.slice(0, at), address.slice(at)];
}

const fields = {
  subdomain: { name: "subdomain", label: "Subdomain", type: "text", required: true, pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$" },
  domain: { name: "domain", label: "Domain", type: "text", required: true, pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?$", placeholder: "login.example.com" },
  tenant: { name: "tenant", label: "Tenant", type: "text", required: true, pattern: "^[A-Za-z0-9][A-Za-z0-9.-]*$", default: "common" },
};

function describe(name, entry) {
  const differs = {};
  const pick = (key, get) => {
    const [v, which] = most(entry, get, prefer[name]);
    if (which) differs[key] = which;
    return v;
  };
  // The two addresses belong together.
  const [authorize, token] = pick("endpoints", (f) => f.authorize + " " + f.token).split(" ");
  const same = (f) => f.authorize === authorize && f.token === token;
  const separator = pick("scope_separator", (f) => f.separator);
  // Who has taken care of how the client authenticates says it; else what grant does.
  const auth = pick("client_authentication", (f) => f.auth) ?? (entry.grant && same(entry.grant) ? "body" : undefined);
  const revoke = pick("revoke", (f) => (same(f) ? f.revoke : undefined));
  const params = {};
  for (const source of [...order].reverse()) if (entry[source] && same(entry[source])) Object.assign(params, entry[source].params);
  // A host that only signs people in is no API, and with a host of each customer's own it is another one for each.
  const api = /\{\{/.test(token) ? undefined : order.map((s) => entry[s]?.api).find((v) => v && !/^https:\/\/(accounts?|app|auth|id|login|oauth|meta|log)\./.test(v));

  const [tokenHost, tokenPath] = split(token);
  const [authorizeHost, authorizePath] = split(authorize);
  const config = { auth: { tokenHost, tokenPath } };
  if (authorizeHost !== tokenHost) config.auth.authorizeHost = authorizeHost;
  config.auth.authorizePath = authorizePath;
  if (revoke && split(revoke)[0] === tokenHost) config.auth.revokePath = split(revoke)[1];
  const options = {};
  if (separator && separator !== " ") options.scopeSeparator = separator;
  if (auth) options.authorizationMethod = auth;
  const id = most(entry, (f) => (same(f) ? f.idParam : undefined))[0];
  if (id) config.client = { idParamName: id };
  if (Object.keys(options).length) config.options = options;
  const sorted = Object.fromEntries(Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (Object.keys(sorted).length) config.params = sorted;
  const asked = [...new Set((authorize + token).match(/\{\{(\w+)\}\}/g) ?? [])].map((p) => fields[p.slice(2, -2)]);
  if (asked.length) config.fields = asked;

  const out = { name, label: labels[name] ?? entry.authjs?.label ?? name[0].toUpperCase() + name.slice(1) };
  if (api) out.base_url = api;
  out.oauth2 = config;
  out.sources = order.filter((s) => entry[s]);
  if (Object.keys(differs).length) out.differs = differs;
  return out;
}

readGrant();
await readArctic();
await readAuthJS();
readGoth();
readGolang();
const all = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, entry]) => describe(name, entry));
process.stdout.write(JSON.stringify(all, null, 1) + "\n");
