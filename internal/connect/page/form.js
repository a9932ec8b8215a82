// What the form does beyond what it does without a script: it shows one step at a time, finds options while one types, and asks for those
// that follow from an answer. No list is in the browser but for the part that is shown.
"use strict";
(() => {
  const form = document.querySelector("form[data-form]");
  if (!form) return;
  const words = document.querySelector("[data-words]").dataset;
  const trouble = document.querySelector("div[data-trouble]");
  const save = form.querySelector("[data-save]");
  const next = form.querySelector("[data-next]");
  const back = form.querySelector("[data-back]");
  const steps = [...form.querySelectorAll("[data-step]")];
  const boxes = [...form.querySelectorAll("[data-field]")];
  // The first button that submits is the one that Enter presses.
  for (const button of form.querySelectorAll("[data-plain]")) button.remove();
  for (const button of form.querySelectorAll("[data-more] button")) button.type = "button";

  const isOn = (step) => !step.disabled;
  let at = steps.find((step) => isOn(step) && step.querySelector("[aria-invalid], [data-invalid]")) || steps.find(isOn);

  const show = (step, focus) => {
    at = step;
    const all = steps.filter(isOn);
    for (const one of steps) one.hidden = one !== at;
    back.hidden = all.indexOf(at) <= 0;
    next.hidden = all.indexOf(at) >= all.length - 1;
    save.hidden = !next.hidden;
    if (focus) {
      const first = at.querySelector("[data-invalid] input:not([hidden]), [aria-invalid], input:enabled, select:enabled");
      if (first) first.focus();
    }
  };

  const say = (text) => {
    trouble.hidden = !text;
    trouble.firstElementChild.textContent = text || "";
  };

  // complete says whether a step may be left. A group of checkboxes has no rule of its own in HTML.
  const complete = (step) => {
    for (const box of step.querySelectorAll('fieldset[data-required][data-type="multi_select"]:enabled')) {
      const empty = !box.querySelector("input:checked");
      box.querySelector("[data-error]").textContent = empty ? words.required : "";
      if (empty) {
        const first = box.querySelector("input[type=checkbox], input");
        if (first) first.focus();
        return false;
      }
    }
    return [...step.querySelectorAll("input, select")].every((one) => one.reportValidity());
  };

  const ask = async (more, signal) => {
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (name === "do" || name.startsWith("from.")) continue;
      const hidden = form.elements[name] && form.elements[name].type === "password";
      body.append(name, hidden && value ? "1" : value);
    }
    for (const [name, value] of Object.entries(more)) body.set(name, value);
    const response = await fetch("/connect-account/post-connect/options", { method: "POST", body, signal });
    return response.json();
  };

  const option = (box, o) => {
    const label = document.createElement("label"), input = document.createElement("input"), text = document.createElement("span");
    const single = box.dataset.type === "single_select";
    label.className = "option";
    Object.assign(input, { type: single ? "radio" : "checkbox", name: "field." + box.dataset.field, value: o.token, checked: Boolean(o.on), disabled: Boolean(o.fixed) });
    input.required = single && "required" in box.dataset;
    text.textContent = o.label;
    if (o.sub) text.append(Object.assign(document.createElement("small"), { textContent: o.sub }));
    label.append(input, text);
    return label;
  };

  const apply = (field, adds) => {
    const box = boxes.find((one) => one.dataset.field === field.name);
    if (!box) return;
    box.querySelector("[data-why]").textContent = field.why;
    const error = box.querySelector("[data-error]");
    if (field.error || "listed" in box.dataset) error.textContent = field.error;
    if (box.tagName !== "FIELDSET") {
      for (const one of box.querySelectorAll("input, select")) one.disabled = field.disabled;
      return;
    }
    box.disabled = field.disabled;
    if (!("listed" in box.dataset)) return;
    const list = box.querySelector("[data-options]");
    const options = field.options || [];
    const had = new Set([...list.querySelectorAll("input")].map((one) => one.value));
    if (!adds) for (const label of list.querySelectorAll("label:not([data-nothing])")) label.remove();
    let first = null;
    for (const o of options) {
      if (adds && had.has(o.token)) continue;
      const label = option(box, o);
      first = first || label;
      list.append(label);
    }
    if (adds && first) first.querySelector("input").focus();
    box.querySelector("[data-status]").textContent = field.status;
    const rest = box.querySelector("[data-more]");
    rest.hidden = !field.next;
    rest.querySelector("input").value = field.next;
    rest.querySelector("button").textContent = field.more;
    const search = box.querySelector("[data-searchbox]");
    if (field.next || options.length > 8) search.hidden = false;
  };

  const running = new Map();
  // run asks for something, and ends what was asked for under the same name before.
  const run = async (name, more, adds) => {
    const other = running.get(name);
    if (other) other.abort();
    const mine = new AbortController();
    running.set(name, mine);
    form.setAttribute("aria-busy", "true");
    try {
      const out = await ask(more, mine.signal);
      say(out.error);
      for (const field of out.fields) apply(field, adds);
      out.hidden.forEach((off, i) => { steps[i].disabled = off; });
      show(isOn(at) ? at : steps.find(isOn));
    } catch (error) {
      if (error.name !== "AbortError") say(words.trouble);
    }
    if (running.get(name) === mine) running.delete(name);
    if (running.size === 0) form.removeAttribute("aria-busy");
  };

  const timers = new Map();
  form.addEventListener("input", (event) => {
    const box = event.target.closest("[data-field]");
    if (!box || event.target.type !== "search") return;
    const name = box.dataset.field;
    clearTimeout(timers.get(name));
    timers.set(name, setTimeout(() => run("list " + name, { list: name }), 250));
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.type === "search") event.preventDefault();
  });
  form.addEventListener("change", (event) => {
    const box = event.target.closest("[data-field]");
    if (!box || event.target.type === "search") return;
    const name = box.dataset.field;
    if (boxes.some((one) => one.dataset.needs.split(" ").includes(name)) || steps.length > 1) run("changed", { changed: name });
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-more] button");
    if (!button) return;
    event.preventDefault();
    const box = button.closest("[data-field]"), name = box.dataset.field;
    run("list " + name, { list: name, do: "more:" + name, ["from." + name]: button.parentElement.querySelector("input").value }, true);
  });

  next.addEventListener("click", () => {
    const all = steps.filter(isOn);
    if (complete(at)) show(all[all.indexOf(at) + 1], true);
  });
  back.addEventListener("click", () => {
    const all = steps.filter(isOn);
    show(all[all.indexOf(at) - 1], true);
  });
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (sent || !complete(at)) {
      event.preventDefault();
      return;
    }
    if (!next.hidden) { // Enter in a step that is not the last
      event.preventDefault();
      next.click();
      return;
    }
    sent = true;
    setTimeout(() => { save.disabled = true; });
  });
  window.addEventListener("pageshow", () => {
    sent = false;
    save.disabled = false;
  });
  show(at, Boolean(form.querySelector("[aria-invalid], [data-invalid]")));
})();
