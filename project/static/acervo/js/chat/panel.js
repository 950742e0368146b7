// What stands beside the conversation: a cited passage, or why an answer is as it is.

import { copyOf, find, findAll, fromServer, getHtml, on, page, put, t, thread } from "./ui.js";

const OVERLAY = matchMedia("(max-width: 75rem)");
const panel = find("[data-panel]");
const body = find("[data-panel-body]");
let opener = null;
let source = null; // of a passage: its entry in the list of sources
let marked = []; // what leads to what is open
let loading = null;

/** Close what is open; return whether anything was. */
export function close() {
  if (panel.hidden) return false;
  loading?.abort();
  panel.hidden = true;
  setModal();
  mark([]);
  // An answer that was stored meanwhile has fresh elements: the number is what stays.
  (opener.isConnected || !source ? opener : find("[data-open-source]", source)).focus();
  opener = source = null;
  return true;
}

function toggle(from, show) {
  if (opener === from) return close();
  opener = from;
  show();
  panel.focus();
}

const neighbour = (by) => {
  const all = findAll(".source", source.parentElement);
  return all[all.indexOf(source) + Number(by)];
};

function showSource(shown) {
  source = shown;
  const { citation, node, version, start, end, state, address } = source.dataset;
  head("source");
  put(panel, { "panel-number": citation });
  for (const button of findAll("[data-panel-step]")) button.disabled = !neighbour(button.dataset.panelStep);
  const links = findAll(`a.citation[data-citation="${citation}"]`, source.closest(".answer"));
  mark([...links, find("[data-open-source]", source)]);
  const query = `${new URLSearchParams({ version, start, end })}${state ? `&${state}` : ""}`;
  load(address || (node && `/knowledge/nodes/${node}/passage/?${query}`), gone);
}

function showWhy(button) {
  source = null;
  head("why");
  mark([button]);
  load(page(`turns/${button.closest(".answer").dataset.turn}/why/`), ({ message }) => say(message));
}

function head(kind) {
  for (const part of findAll("[data-panel-for]", panel)) part.hidden = part.dataset.panelFor !== kind;
  panel.setAttribute("aria-labelledby", `panel-${kind}`);
}

async function load(address, failed) {
  panel.hidden = false;
  setModal();
  loading?.abort();
  const { signal } = (loading = new AbortController());
  if (!address) return failed({ status: 404 });
  const waiting = setTimeout(() => say(t("opening_source")), 200);
  try {
    const html = await getHtml(address, { signal });
    if (signal.aborted) return;
    body.replaceChildren(fromServer(html));
    body.scrollTop = 0;
    find("#passage", body)?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (!signal.aborted) failed(error);
  } finally {
    clearTimeout(waiting);
  }
}

function gone({ status, message }) {
  const why = status === 404 ? t("source_gone") : `${t("source_failed")} ${message}`;
  const [title, snippet] = ["title", "snippet"].map((part) => find(`[data-${part}]`, source).textContent);
  body.replaceChildren(copyOf("gone-template", { why, title, snippet }));
}

function say(text) {
  const line = document.createElement("p");
  line.className = "quiet";
  line.textContent = text;
  body.replaceChildren(line);
}

function mark(elements) {
  for (const each of marked) each.ariaExpanded = "false";
  for (const each of elements) each.ariaExpanded = "true";
  marked = elements;
}

/** Over the conversation the panel is a dialog; beside it, a part of the page. */
function setModal() {
  const isModal = OVERLAY.matches && !panel.hidden;
  for (const part of ["#main", "[data-sidebar]"]) find(part).inert = isModal;
  find("[data-panel-shade]").hidden = !isModal;
  panel.role = isModal ? "dialog" : null;
  panel.ariaModal = isModal ? "true" : null;
}

on(thread, "click", "a.citation", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab was meant
  const cited = find(`.source[data-citation="${link.dataset.citation}"]`, link.closest(".answer"));
  if (!cited) return;
  event.preventDefault();
  toggle(link, () => showSource(cited));
});
on(thread, "keydown", "a.citation", (event, link) => {
  if (event.key !== " ") return;
  event.preventDefault();
  link.click();
});
on(thread, "click", "[data-open-source]", (_event, button) => toggle(button, () => showSource(button.closest(".source"))));
on(thread, "click", "[data-why]", (_event, button) => toggle(button, () => showWhy(button)));
on(panel, "click", "[data-panel-close]", close);
on(panel, "click", "[data-panel-step]", (_event, { dataset: { panelStep: by } }) => neighbour(by) && showSource(neighbour(by)));
find("[data-panel-shade]").onclick = close;
OVERLAY.addEventListener("change", setModal);
