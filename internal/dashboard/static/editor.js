// What the editor has beside its textarea: a coloured copy of what can be seen of the text, line numbers, problems at their places,
// completion, and the pair of a bracket. The textarea stays what it is: with undo, selection and speech of the browser.

const area = document.querySelector(".pad textarea");
const pad = area?.parentElement;
const form = area?.form;
const outcome = document.getElementById("outcome");
const verdict = document.getElementById("verdict");
const HEIGHT = 20, TOP = 6, LEFT = 64; // as in the styles
const LONGEST = 5000; // characters of a line that are coloured
const LIVELY = 256 << 10; // characters of a text that is checked while it is typed

// Lexers. Each takes a line with the state that the line before has left, and returns its tokens and the next state.
const EXPRESSIONS = new Set(["run_if", "expression", "value_expression", "args_validation", "idempotency_key", "if", "config", "query", "body"]);
const JSONATA = /(\/\*.*?(?:\*\/|$))|("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?)|(`[^`]*`?)|(\$[\w$]*)(?=\s*\()|(\$[\w$]*)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(and|or|in|true|false|null|function)\b|([\w\u0080-\u2027\u2030-\u205f\u2070-\uffff]+)|([()[\]{}])|(\s+)|([^])/g;
const JSONATA_CLASSES = ["c", "s", "v", "f", "v", "n", "b", "", "p", "", ""];

function expression(text, out, inComment) {
  if (inComment) {
    const end = text.indexOf("*/");
    out.push(["c", end < 0 ? text : text.slice(0, end + 2)]);
    if (end < 0) return true;
    text = text.slice(end + 2);
  }
  let open = false;
  for (const m of text.matchAll(JSONATA)) {
    const i = m.slice(1).findIndex((g) => g !== undefined);
    open = i === 0 && !m[0].endsWith("*/");
    out.push([JSONATA_CLASSES[i], m[0]]);
  }
  return open;
}

// quoted colours a text in quotes: as an expression where one stands, and what is filled in.
function quoted(text, out, isExpression) {
  if (isExpression && text.length > 2 && !/^.\{\{/.test(text)) {
    const inner = [], end = text.at(-1) === text[0] ? text.length - 1 : text.length;
    expression(text.slice(1, end).replaceAll('\\"', "''"), inner, false); // as long as it was, so that it can be cut from the text
    out.push(["s", text[0]]);
    let at = 1;
    for (const [name, part] of inner) out.push([name, text.slice(at, (at += part.length))]);
    if (end < text.length) out.push(["s", text[end]]);
    return;
  }
  for (const part of text.split(/(\{\{.*?\}\})/)) if (part) out.push([part.startsWith("{{") ? "x" : "s", part]);
}

function jsonLine(line, state) {
  const out = [];
  let key = state;
  for (const m of line.matchAll(/("(?:\\.|[^"\\])*"?)(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b|([()[\]{}])|([^"\d\w()[\]{}-]+|[^])/g)) {
    if (m[1] && m[2]) {
      out.push(["k", m[1]], ["", m[2]]);
      key = m[1].slice(1, -1);
    } else if (m[1]) quoted(m[1], out, EXPRESSIONS.has(key));
    else out.push([m[3] ? "n" : m[4] ? "b" : m[5] ? "p" : "", m[0]]);
  }
  return [out, key];
}

// The state of YAML is "" or, in a block, how far the key is indented, whether it is an expression, and whether a comment goes on.
function yamlLine(line, state) {
  const out = [];
  const indent = line.search(/\S/);
  if (state) {
    const [at, isExpression, inComment] = state.split(",");
    if (indent < 0 || indent > Number(at)) {
      let open = "";
      if (isExpression) open = expression(line, out, inComment === "1") ? "1" : "";
      else quoted(line, out, false);
      return [out, at + "," + isExpression + "," + open];
    }
  }
  const m = /^(\s*(?:-\s+)*)("(?:\\.|[^"\\])*"|[^\s#"'{}[\],&*!|>%@`-][^#]*?)(\s*:)(?=\s|$)/.exec(line);
  let rest = line, key = "";
  if (m) {
    if (m[1]) out.push(["", m[1]]);
    out.push(["k", m[2]], ["", m[3]]);
    rest = line.slice(m[0].length);
    key = m[2].replaceAll('"', "");
  } else {
    const dash = /^\s*(?:-\s+|-$)+/.exec(line);
    if (dash) {
      out.push(["", dash[0]]);
      rest = line.slice(dash[0].length);
    }
  }
  const space = /^\s*/.exec(rest)[0];
  if (space) out.push(["", space]);
  rest = rest.slice(space.length);
  const isExpression = EXPRESSIONS.has(key);
  if (/^[|>][-+\d]*\s*(#.*)?$/.test(rest)) {
    out.push(["b", rest]);
    return [out, (m ? m[1].length : Math.max(indent, 0)) + "," + (isExpression ? "1" : "") + ","];
  }
  const comment = /^#|\s#/.exec(rest);
  const value = comment && !/^["']/.test(rest) ? rest.slice(0, comment.index) : rest;
  if (/^["']/.test(value)) quoted(value, out, isExpression);
  else if (/^[[{]/.test(value)) out.push(...jsonLine(value, key)[0]);
  else if (/^(-?\d[\d.eE+-]*)\s*$/.test(value)) out.push(["n", value]);
  else if (/^(true|false|null|~)\s*$/.test(value)) out.push(["b", value]);
  else if (isExpression) expression(value, out, false);
  else if (value) out.push(["s", value]);
  if (value !== rest) out.push(["c", rest.slice(value.length)]);
  return [out, ""];
}

// The text, line by line.
let lines = [], states = [""], tokens = new Map(), lexer = yamlLine, plain = false;

function take() {
  const next = area.value.split("\n");
  const kind = /^\s*[[{]/.test(area.value) ? jsonLine : yamlLine;
  let same = 0;
  if (kind === lexer) while (same < next.length && same < lines.length && next[same] === lines[same]) same++;
  lexer = kind;
  lines = next;
  states.length = Math.min(states.length, same + 1) || 1;
  states[0] = "";
  for (const n of tokens.keys()) if (n >= same) tokens.delete(n);
  plain = next.some((l) => l.length > LONGEST);
  pad.classList.toggle("plain", plain);
}

function lex(n) {
  for (let i = states.length - 1; i < n; i++) states[i + 1] = lexer(lines[i], states[i])[1];
  if (!tokens.has(n)) {
    const [out, next] = lexer(lines[n], states[n]);
    tokens.set(n, out);
    states[n + 1] = next;
  }
  return tokens.get(n);
}

// What is marked in lines: problems, and brackets.
let problems = new Map(), pair = [];

function readProblems() {
  problems = new Map();
  for (const p of outcome?.querySelectorAll(".problems li") ?? []) {
    const line = p.dataset.line - 1;
    if (line < 0) continue;
    if (!problems.has(line)) problems.set(line, []);
    problems.get(line).push({ from: Number(p.dataset.from), to: Number(p.dataset.to), name: p.className === "wrong" ? "bad" : "warn", text: p.querySelector(".what").textContent });
  }
}

// The copy.
const copy = document.createElement("div"), gutter = document.createElement("div"), code = document.createElement("div");

function element(name, text, ...children) {
  const e = document.createElement("div");
  if (name) e.className = name;
  if (text) e.textContent = text;
  e.append(...children);
  return e;
}

function span(name, text) {
  if (!name) return document.createTextNode(text);
  const s = document.createElement("span");
  s.className = name;
  s.textContent = text;
  return s;
}

// row makes a line of the copy: its tokens, cut where marks begin and end. Characters that turn the direction of a text around are shown.
function row(n) {
  const marks = [...(problems.get(n) ?? []), ...pair.filter((p) => p.line === n)];
  const cuts = new Set(marks.flatMap((m) => [m.from, m.to]));
  const out = [];
  let at = 0;
  for (const [name, whole] of lex(n)) {
    for (const text of whole.split(/([\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]+)/)) {
      let from = 0;
      for (let i = 1; i <= text.length; i++) {
        if (i < text.length && !cuts.has(at + i)) continue;
        const on = marks.filter((m) => m.from <= at + from && m.to >= at + i).map((m) => m.name);
        if (/[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/.test(text)) on.push("odd");
        out.push(span([name, ...on].filter(Boolean).join(" "), text.slice(from, i)));
        from = i;
      }
      at += text.length;
    }
  }
  return out;
}

function draw() {
  const first = Math.max(0, Math.floor((area.scrollTop - TOP) / HEIGHT) - 2);
  const last = Math.min(lines.length, first + Math.ceil(area.clientHeight / HEIGHT) + 5);
  const numbers = [], rows = [];
  for (let n = first; n < last; n++) {
    const on = problems.get(n);
    numbers.push(element(on ? (on.some((p) => p.name === "bad") ? "bad" : "warn") : "", String(n + 1)));
    if (!plain) rows.push(element("", "", ...row(n)));
  }
  gutter.replaceChildren(...numbers);
  code.replaceChildren(...rows);
  const y = TOP + first * HEIGHT - area.scrollTop;
  gutter.style.transform = "translateY(" + y + "px)";
  gutter.style.height = Math.max(area.clientHeight - y, 0) + "px";
  code.style.transform = "translate(" + -area.scrollLeft + "px," + y + "px)";
}

// Brackets.
const OPEN = "([{", CLOSE = ")]}";

function findPair() {
  pair = [];
  if (plain || area.selectionStart !== area.selectionEnd || document.activeElement !== area) return;
  const [line, column] = caret();
  const near = brackets(line).filter((b) => b.from === column || b.to === column).pop();
  if (!near) return;
  const step = OPEN.includes(near.text) ? 1 : -1;
  let depth = 0;
  for (let n = line, seen = 0; n >= 0 && n < lines.length && seen < 2000; n += step, seen++) {
    const row = brackets(n);
    for (const b of step > 0 ? row : row.reverse()) {
      if (n === line && (step > 0 ? b.from < near.from : b.from > near.from)) continue;
      depth += OPEN.includes(b.text) ? step : -step;
      if (depth === 0) {
        if (OPEN.indexOf(near.text) === CLOSE.indexOf(b.text) || CLOSE.indexOf(near.text) === OPEN.indexOf(b.text)) pair = [near, b];
        return;
      }
    }
  }
}

function brackets(n) {
  const out = [];
  let at = 0;
  for (const [name, text] of lex(n)) {
    if (name === "p") out.push({ line: n, from: at, to: at + 1, text, name: "match" });
    at += text.length;
  }
  return out;
}

function caret() {
  const before = area.value.slice(0, area.selectionStart);
  const line = before.split("\n").length - 1;
  return [line, before.length - (before.lastIndexOf("\n") + 1)];
}

// Problems come from the server, which says what saving would say.
let asked = null, timer = 0;

function ask(what) {
  asked?.abort();
  const x = (asked = new XMLHttpRequest());
  x.open("POST", form.action);
  x.responseType = "document";
  x.onload = () => {
    const next = x.response?.getElementById("outcome");
    if (x.status !== 200 || !next) {
      verdict.textContent = "The text cannot be checked now.";
      return;
    }
    outcome.replaceChildren(...document.importNode(next, true).childNodes);
    told();
  };
  const data = new FormData(form);
  x.send(new URLSearchParams([["text", data.get("text")], ["base", data.get("base")], ["do", what], ["part", "1"]]));
}

function told() {
  readProblems();
  const wrong = [...problems.values()].flat().filter((p) => p.name === "bad").length;
  area.setAttribute("aria-invalid", wrong > 0);
  here();
  draw();
}

// here says what is wrong in the line of the caret, and otherwise what is said of the text.
function here() {
  const on = problems.get(caret()[0]);
  const text = on ? on.map((p) => p.text).join("; ") : (outcome?.querySelector(".problems")?.parentElement.querySelector("h2")?.textContent ?? "");
  if (verdict && verdict.textContent !== text) verdict.textContent = text;
}

// Completion.
let words = null, list = null, offers = [], chosen = 0, prefix = "";

async function load() {
  const response = await fetch(form.dataset.words);
  if (response.ok) words = await response.json();
}

// around returns the keys around a line, the outermost first.
function around(n, indent) {
  const out = [];
  for (let i = n - 1; i >= 0 && indent > 0; i--) {
    const m = /^(\s*(?:-\s+)*)"?([\w$-]+)"?\s*:/.exec(lines[i]);
    if (!m || m[1].length >= indent) continue;
    const opens = /:\s*([[{|>][-+]?)?\s*$/.test(lines[i]);
    if (opens) out.unshift(m[2]);
    indent = m[1].search(/\S|$/);
    if (opens) indent = Math.min(indent, m[1].length);
  }
  return out;
}

function offersAt() {
  const [n, column] = caret();
  const line = lines[n].slice(0, column);
  const isJSON = lexer === jsonLine;
  let m = isJSON ? /^(\s*\{?\s*)"([\w$-]*)$/.exec(line) : /^(\s*(?:-\s+)*)([\w$-]*)$/.exec(line);
  const inBlock = !isJSON && states[n];
  if (m && !inBlock) {
    prefix = m[2];
    const way = around(n, m[1].length);
    const keys = words.keys[way.join(".")] ?? words.keys[way.slice(-2).join(".")] ?? words.keys[way.at(-1) ?? ""] ?? [];
    return keys.map(([name, about]) => ({ name, about, insert: name + (isJSON ? (lines[n][column] === '"' ? "" : '": ') : ": ") }));
  }
  m = /^\s*(?:-\s+)*"?([\w$-]+)"?\s*:\s*"?([\w:.-]*)$/.exec(line);
  if (m && words.values[m[1]] && !inBlock) {
    prefix = m[2];
    return words.values[m[1]].map(([name, about]) => ({ name, about, insert: name }));
  }
  m = /([$\w]+)$/.exec(line);
  const key = /^\s*(?:-\s+)*"?([\w$-]+)"?\s*:/.exec(line)?.[1];
  if (!m || !(inBlock ? inBlock.split(",")[1] : EXPRESSIONS.has(key))) return [];
  prefix = m[1];
  if (prefix[0] === "$") return words.functions.map((f) => ({ name: "$" + f.replace(/^\$/, ""), insert: "$" + f.replace(/^\$/, "") + "(" }));
  const event = /^\s*"?trigger_name"?\s*:\s*"?([^"\s,]+)/m.exec(area.value)?.[1] ?? "";
  return (words.scope[event] ?? words.scope["custom:*"] ?? []).map(([name, about]) => ({ name, about, insert: name }));
}

async function offer(always) {
  if (!words) await load();
  if (!words || area.readOnly) return;
  const all = offersAt(), lower = prefix.toLowerCase();
  offers = all.filter((o) => o.name.toLowerCase().includes(lower) || o.about?.toLowerCase().includes(lower) && prefix.length > 2);
  offers.sort((a, b) => b.name.toLowerCase().startsWith(lower) - a.name.toLowerCase().startsWith(lower));
  offers = offers.slice(0, 50);
  if (!offers.length || (!always && !prefix) || (offers.length === 1 && offers[0].name === prefix)) return close();
  if (!list) {
    list = document.createElement("ul");
    list.className = "words";
    list.id = "words";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Completions");
    list.addEventListener("mousedown", (e) => {
      e.preventDefault();
      const i = [...list.children].indexOf(e.target.closest("li"));
      if (i >= 0) accept(i);
    });
  }
  list.replaceChildren(...offers.map((o, i) => {
    const li = document.createElement("li");
    li.id = "word-" + i;
    li.setAttribute("role", "option");
    li.append(o.name);
    if (o.about) {
      const about = document.createElement("small");
      about.textContent = o.about;
      li.append(about);
    }
    return li;
  }));
  const [n, column] = caret();
  pad.append(list);
  list.style.left = Math.max(0, Math.min(LEFT + (column - prefix.length) * letter() - area.scrollLeft, pad.clientWidth - list.offsetWidth - 8)) + "px";
  const below = TOP + (n + 1) * HEIGHT - area.scrollTop;
  list.style.top = (below + list.offsetHeight > pad.clientHeight && below > list.offsetHeight ? below - HEIGHT - list.offsetHeight : below) + "px";
  choose(0);
  area.setAttribute("aria-controls", "words");
}

let width = 0;
function letter() {
  if (!width) {
    const probe = span("probe", "x".repeat(100));
    code.append(probe);
    width = probe.getBoundingClientRect().width / 100;
    probe.remove();
  }
  return width;
}

function choose(i) {
  list.children[chosen]?.removeAttribute("aria-selected");
  chosen = (i + offers.length) % offers.length;
  list.children[chosen].setAttribute("aria-selected", "true");
  list.children[chosen].scrollIntoView({ block: "nearest" });
  area.setAttribute("aria-activedescendant", "word-" + chosen);
}

function close() {
  list?.remove();
  offers = [];
  area.removeAttribute("aria-activedescendant");
  area.removeAttribute("aria-controls");
}

// type puts a text in the place of the last characters, so that the browser can take it back.
function type(text, instead) {
  area.setSelectionRange(area.selectionStart - instead, area.selectionEnd);
  if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
}

function accept(i) {
  const { insert } = offers[i], instead = prefix.length;
  close();
  accepting = true;
  type(insert, instead);
  accepting = false;
}
let accepting = false;

function onInput(e) {
  take();
  findPair();
  draw();
  clearTimeout(timer);
  if (!area.readOnly && area.value.length <= LIVELY) timer = setTimeout(() => ask("check"), 400);
  else if (outcome?.firstElementChild) {
    outcome.replaceChildren(); // it was said of another text
    told();
    verdict.textContent = "The text is large: it is checked when you press Check.";
  }
  if (!accepting && e.inputType === "insertText") offer(false);
  else if (offers.length && !accepting && e.inputType?.startsWith("delete")) offer(false);
  else close();
}

function onKey(e) {
  if (e.isComposing) return;
  if (e.key === " " && e.ctrlKey) {
    e.preventDefault();
    offer(true);
  } else if (offers.length && /^(ArrowDown|ArrowUp|Enter|Tab|Escape)$/.test(e.key) && !e.shiftKey) {
    e.preventDefault();
    if (e.key === "Escape") close();
    else if (e.key.startsWith("Arrow")) choose(chosen + (e.key === "ArrowDown" ? 1 : -1));
    else accept(chosen);
  } else if (e.key === "Enter" && !e.ctrlKey && !e.metaKey && !area.readOnly) {
    const [n, column] = caret();
    const line = lines[n].slice(0, column);
    const more = /[:{[(|>]-?\s*$/.test(line) && !/^\s*#/.test(line) ? "  " : "";
    e.preventDefault();
    type("\n" + /^\s*/.exec(line)[0] + more, 0);
  } else if (e.key === "Enter" && !area.readOnly) {
    e.preventDefault();
    ask("check");
  }
}

function start() {
  copy.className = "copy";
  copy.setAttribute("aria-hidden", "true");
  gutter.className = "gutter";
  code.className = "code";
  copy.append(code, gutter);
  pad.prepend(copy);
  pad.classList.add("on");
  area.setAttribute("aria-autocomplete", "list");
  take();
  if (outcome) told();
  else draw();
  area.addEventListener("input", onInput);
  area.addEventListener("scroll", () => (close(), draw()));
  area.addEventListener("keydown", onKey);
  area.addEventListener("blur", close);
  document.addEventListener("selectionchange", () => {
    if (document.activeElement !== area) return;
    findPair();
    here();
    draw();
  });
  new ResizeObserver(draw).observe(area);
  let saving = false;
  addEventListener("beforeunload", (e) => {
    if (!saving && (area.value !== area.defaultValue || "unsaved" in area.dataset)) e.preventDefault(); // the browser asks
  });
  form.addEventListener("submit", (e) => {
    saving = e.submitter?.value === "save";
    if (area.readOnly || e.submitter?.value !== "check" && e.submitter?.value !== "try") return;
    e.preventDefault();
    ask(e.submitter.value);
  });
  outcome?.addEventListener("click", (e) => {
    const p = e.target.closest(".problems a")?.closest("li");
    if (!p) return;
    e.preventDefault();
    const before = lines.slice(0, p.dataset.line - 1).reduce((sum, l) => sum + l.length + 1, 0);
    area.focus();
    area.setSelectionRange(before + Number(p.dataset.from), before + Number(p.dataset.to));
    area.scrollTop = Math.max(0, (p.dataset.line - 4) * HEIGHT);
  });
}
if (area) start();
