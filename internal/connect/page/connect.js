// What the page does beyond what it does without a script: it tells the page that opened it, or shows it in a frame, the outcome of the
// connection; it opens the provider in a window of its own when it is in a frame; and it finds integrations while one types.
"use strict";
(() => {
  const body = document.body;
  const framed = window.parent !== window;
  const opened = !framed && Boolean(window.opener);
  const told = body.dataset.result ? JSON.parse(body.dataset.result) : null;

  // The window of the provider is opened by this page itself, which finds out by asking.
  const ours = () => {
    try {
      return window.opener.location.origin === location.origin;
    } catch {
      return false;
    }
  };

  const tell = (message, origins) => {
    const to = framed ? window.parent : window.opener;
    if (!to || (opened && ours())) return;
    const above = framed && location.ancestorOrigins ? location.ancestorOrigins[0] : "";
    for (const origin of origins) if (!above || origin === above) to.postMessage(message, origin);
  };

  if (told) {
    tell(told.message, told.origins);
    if (told.message.result === "success") {
      const go = document.querySelector("a.button");
      if (opened) setTimeout(() => window.close(), 300);
      else if (!framed && go) location.replace(go.href);
    }
  }

  const close = document.querySelector("[data-close]");
  if (close && (framed || opened)) {
    close.hidden = false;
    close.addEventListener("click", () => {
      if (framed) tell("closed", JSON.parse(body.dataset.origins || "[]"));
      else window.close();
    });
  }

  if (body.dataset.kind === "working") setTimeout(() => location.reload(), 1000);

  const focus = document.querySelector("[data-focus], [aria-invalid]");
  if (focus) focus.focus();

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const search = document.querySelector("[data-search]");
  if (search) {
    document.querySelector("[data-searchbox]").hidden = false;
    search.focus();
    const items = [...document.querySelectorAll(".choices li")];
    const none = document.querySelector("[data-none]");
    search.addEventListener("input", () => {
      const wanted = fold(search.value.trim());
      let found = 0;
      for (const item of items) {
        item.hidden = !fold(item.dataset.name).includes(wanted);
        if (!item.hidden) found++;
      }
      none.hidden = found > 0;
    });
    search.addEventListener("keydown", (event) => {
      const first = items.find((item) => !item.hidden);
      if (event.key === "Enter" && search.value.trim() && first) first.querySelector("a").click();
    });
  }

  const form = document.querySelector("form");
  if (!form || body.dataset.kind === "fields") return;
  const button = form.querySelector("button[type=submit]");
  const blocked = document.querySelector("[data-blocked]");
  const elsewhere = document.querySelector("[data-elsewhere]");

  // A provider does not let itself be shown in a frame, and the window that it gets may lose its opener: the page asks for the outcome.
  const watch = (page, other) => {
    const ask = async () => {
      const query = new URLSearchParams({ link_token: body.dataset.token, session: body.dataset.session, page });
      let state = { state: "open" };
      try {
        state = await (await fetch("/connect-account/status", { method: "POST", body: query })).json();
      } catch { /* it is asked for again */ }
      if (state.next) {
        location.replace(state.next);
        return;
      }
      if (state.message) {
        const origins = JSON.parse(body.dataset.origins || "[]");
        tell(state.message, origins);
        location.reload();
        return;
      }
      if (other.closed && state.state === "open") {
        elsewhere.hidden = true;
        form.hidden = false;
        button.disabled = false;
        return;
      }
      setTimeout(ask, 700);
    };
    setTimeout(ask, 700);
  };

  form.addEventListener("submit", (event) => {
    if (button.disabled) {
      event.preventDefault();
      return;
    }
    button.disabled = true;
    if (!framed || !form.hasAttribute("data-redirects")) return;
    const page = crypto.randomUUID();
    const hidden = document.createElement("input");
    Object.assign(hidden, { type: "hidden", name: "page", value: page });
    form.append(hidden);
    const other = window.open("", "millrace-connect", "width=640,height=760");
    if (!other) {
      event.preventDefault();
      blocked.hidden = false;
      button.disabled = false;
      return;
    }
    form.target = "millrace-connect";
    form.hidden = true;
    elsewhere.hidden = false;
    watch(page, other);
  });

  window.addEventListener("pageshow", () => { button.disabled = false; });
})();
