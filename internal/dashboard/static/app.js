// What makes the dashboard live: everything on the pages works without it.

const main = () => document.getElementById("main");

// Times say how long ago they are, also while a page stays open.
function ago(at) {
  const seconds = Math.trunc((Date.now() - at) / 1000);
  const past = Math.abs(seconds);
  if (past < 1) return "now";
  const [n, unit] = past < 60 ? [past, "s"] : past < 3600 ? [past / 60, "min"] : past < 172800 ? [past / 3600, "h"] : [past / 86400, "d"];
  const text = Math.trunc(n) + " " + unit;
  return seconds < 0 ? "in " + text : text + " ago";
}

function tick() {
  for (const t of document.querySelectorAll("time[datetime]")) {
    const at = Date.parse(t.dateTime), far = Math.abs(Date.now() - at) > 30 * 86400e3;
    const text = ago(at) + (far ? " (" + t.dateTime.slice(0, 10) + ")" : "");
    if (t.textContent !== text) t.textContent = text;
  }
}
setInterval(tick, 1000);

// A page is read again without its scripts: XMLHttpRequest parses it as a document that runs nothing.
function read(address) {
  return new Promise((done, failed) => {
    const x = new XMLHttpRequest();
    x.open("GET", address);
    x.responseType = "document";
    x.onload = () => (x.status === 200 && x.response && x.responseURL.startsWith(location.origin) ? done(x.response) : failed(x.status));
    x.onerror = () => failed(0);
    x.send();
  });
}

// busy is true while the user types, or has selected a text: the page must not change under their hands.
function busy() {
  const on = document.activeElement;
  return (on && main().contains(on) && /^(INPUT|TEXTAREA|SELECT)$/.test(on.tagName)) || String(getSelection()) !== "";
}

const steps = (node) => {
  const way = [];
  for (; node && node !== main(); node = node.parentElement) way.unshift([...node.parentElement.children].indexOf(node));
  return way;
};
const follow = (way) => way.reduce((node, i) => node && node.children[i], main());

// swap puts what the page is now in the place of what it was, and keeps the focus, what is open, and how far it is scrolled.
async function swap() {
  let next;
  try {
    next = (await read(location.href)).getElementById("main");
  } catch {
    return;
  }
  if (!next || busy()) return;
  const here = document.activeElement;
  const way = here && here !== document.body && main().contains(here) ? steps(here) : null;
  const open = [...main().querySelectorAll("details[open]")].map(steps);
  const side = [...main().querySelectorAll(".scroll")].map((s) => s.scrollLeft);
  const top = scrollY;
  main().replaceChildren(...[...document.importNode(next, true).childNodes]);
  for (const w of open) {
    const d = follow(w);
    if (d && d.tagName === "DETAILS") d.open = true;
  }
  main().querySelectorAll(".scroll").forEach((s, i) => (s.scrollLeft = side[i] || 0));
  scrollTo(scrollX, top);
  if (way) follow(way)?.focus({ preventScroll: true });
  if (!next.dataset.live) stop();
  tick();
}

let stream = null;
function stop() {
  if (stream) stream.close();
  stream = null;
}
function start() {
  const address = main()?.dataset.live;
  if (!address || stream || document.hidden) return;
  stream = new EventSource(address);
  stream.addEventListener("changed", swap);
}
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : (swap(), start())));
addEventListener("pagehide", stop);
if (main()?.dataset.live) start();
tick();

// Keys.
const pages = { h: "", r: "/runs", e: "/events", a: "/accounts", w: "/workflows", d: "/deliveries", s: "/schedules" };
let after = "";
const base = document.querySelector(".brand")?.getAttribute("href");

function row(by) {
  const links = [...main().querySelectorAll("table.list tbody tr a, ul.trouble a, ul.hits a")].filter((a, i, all) => !i || a.closest("tr,li") !== all[i - 1].closest("tr,li"));
  const now = links.findIndex((a) => a.closest("tr,li")?.contains(document.activeElement));
  links[Math.min(Math.max(now + by, 0), links.length - 1)]?.focus();
}

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
  const first = after;
  after = "";
  if (first === "g" && e.key in pages && base) {
    location.href = base + pages[e.key];
  } else if (e.key === "/") {
    document.getElementById("q")?.focus();
  } else if (e.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (e.key === "j" || e.key === "k") {
    row(e.key === "j" ? 1 : -1);
  } else {
    after = e.key;
    return;
  }
  e.preventDefault();
});

// What cannot be taken back is asked for once more; what is to be copied is selected.
document.addEventListener("click", (e) => {
  const danger = e.target.closest("button.danger");
  if (danger && !confirm(danger.textContent.trim() + "?")) e.preventDefault();
  const copy = e.target.closest("code.copy");
  if (copy) getSelection().selectAllChildren(copy);
});
