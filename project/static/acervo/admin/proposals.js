/* The pages of proposals. Everything works without this; it saves ways to the server and back. */

import "./keep.js";
import { conflicts } from "./conflicts.js";

for (const change of document.querySelectorAll("[data-piece]")) load(change);
for (const diff of document.querySelectorAll("[data-diff]")) lines(diff);
for (const form of document.querySelectorAll("form[data-busy]")) busy(form);
for (const note of document.querySelectorAll("[data-ready]")) follow(note);
for (const form of document.querySelectorAll("[data-ask]")) question(form);
const form = document.querySelector("[data-conflicts]");
if (form) conflicts(form);
openTarget();
window.addEventListener("hashchange", openTarget);

/* -- changes that are loaded when they are opened -- */

function load(change) {
  const body = change.querySelector("[data-body]");
  let isLoaded = Boolean(body.querySelector("[data-diff]"));
  change.addEventListener("toggle", async () => {
    if (!change.open || isLoaded) return;
    isLoaded = true;
    body.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(change.dataset.piece, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      body.innerHTML = await answer.text();
      for (const diff of body.querySelectorAll("[data-diff]")) lines(diff);
    } catch {
      isLoaded = false;
      let line = body.querySelector("[role=alert]");
      if (!line) {
        line = document.createElement("p");
        line.setAttribute("role", "alert");
        line.className = "ac-error-text";
        body.append(line);
      }
      line.textContent = body.dataset.failed;
    } finally {
      body.removeAttribute("aria-busy");
    }
  });
}

/* -- lines: one stop for the Tab key, arrows between them, a form below the chosen one -- */

function lines(diff) {
  const links = [...diff.querySelectorAll(".ac-line")];
  const template = document.querySelector("[data-line-form]");
  if (!links.length || !template) return;
  for (const link of links) {
    link.tabIndex = link === links[0] ? 0 : -1;
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", "false");
  }
  diff.addEventListener("click", (event) => {
    const link = event.target.closest(".ac-line");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    ask(diff, link, template);
  });
  diff.addEventListener("keydown", (event) => {
    const link = event.target.closest(".ac-line");
    if (!link) return;
    const at = links.indexOf(link);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (event.key === " ") {
      event.preventDefault();
      ask(diff, link, template);
    } else if (next !== undefined && links[next]) {
      event.preventDefault();
      for (const each of links) each.tabIndex = each === links[next] ? 0 : -1;
      links[next].focus();
    }
  });
}

function ask(diff, link, template) {
  const row = link.closest("tr");
  const known = row.parentElement.querySelector(`[data-asked="${link.dataset.line}"]`);
  if (known) {
    known.querySelector("textarea").focus();
    return;
  }
  const below = document.createElement("tr");
  below.className = "ac-line-row";
  below.dataset.asked = link.dataset.line;
  const cell = below.insertCell();
  cell.colSpan = row.cells.length;
  cell.append(template.content.cloneNode(true));
  const form = cell.querySelector("form");
  form.elements.change.value = diff.dataset.change;
  form.elements.line.value = link.dataset.line;
  form.elements.next.value = form.elements.next.dataset.next + diff.dataset.change;
  const label = form.querySelector("[data-label]");
  label.textContent = label.dataset.label.replace("{line}", link.dataset.line);
  let after = row;
  while (after.nextElementSibling?.classList.contains("ac-line-row")) after = after.nextElementSibling;
  after.after(below);
  link.setAttribute("aria-expanded", "true");
  const close = () => {
    below.remove();
    link.setAttribute("aria-expanded", "false");
    link.focus();
  };
  form.querySelector("[data-cancel]").addEventListener("click", close);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !form.elements.body.value) close();
  });
  form.elements.body.focus();
}

/* -- what the address names: a comment inside a closed change -- */

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView({ block: "center" });
  if (target.tabIndex === -1) target.focus({ preventScroll: true });
}

/* -- merging -- */

function busy(form) {
  form.addEventListener("submit", () => {
    const line = form.querySelector("[data-busy-line]");
    line.querySelector("span").textContent = form.dataset.busy;
    line.hidden = false;
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true;
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // back from the result: the page is of another state
  });
}

/* A question as if merged: the answer comes below its form. */
function question(form) {
  const shown = document.querySelector("[data-answer]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    shown.setAttribute("aria-busy", "true");
    shown.textContent = form.dataset.busyText;
    const data = new FormData(form);
    data.set("piece", "1");
    try {
      const answer = await fetch(form.action, { method: "POST", body: data, credentials: "same-origin" });
      if (answer.redirected || (!answer.ok && answer.status !== 429)) throw new Error(String(answer.status));
      shown.innerHTML = await answer.text();
    } catch {
      shown.textContent = form.dataset.failed;
    } finally {
      button.disabled = false;
      shown.removeAttribute("aria-busy");
    }
  });
}

async function follow(note) {
  for (let wait = 1500; ; wait = Math.min(wait * 1.3, 10_000)) {
    await new Promise((done) => setTimeout(done, wait));
    let state;
    try {
      const answer = await fetch(note.dataset.ready, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      state = await answer.json();
    } catch {
      continue; // the next round asks again
    }
    note.textContent = state.is_ready
      ? note.dataset.done
      : note.dataset.progress.replace("{prepared}", state.prepared).replace("{changes}", state.changes);
    if (state.is_ready) return;
  }
}
