// What stands beside the conversation: a cited passage, or why an answer is as it is.

import { copyOf, find, findAll, fromServer, getHtml, on, onClick, page, put, t, thread } from "./ui.js";

const OVERLAY = matchMedia("(max-width: 75rem)");
const panel = find("[data-panel]");
const body = find("[data-panel-body]");
let opener = null;
let answer = null; // of what is open
let number = 0; // of a passage: storing makes its entry anew
let marked = []; // what leads to what is open
let loading = null;

const source = () => find(`.source[data-citation="${number}"]`, answer);

/** Close what is open; return whether anything was. */
export function close() {
  if (panel.hidden) return false;
  loading.abort();
  panel.hidden = true;
  setModal();
  mark([]);
  (opener.isConnected || !number ? opener : find("[data-open-source]", source())).focus();
  opener = null;
  return true;
}

/** Open a source, or else why the answer is as it is, or close what `from` has opened. */
function toggle(from, cited) {
  if (opener === from) return close();
  opener = from;
  answer = from.closest(".answer");
  number = cited?.dataset.citation;
  if (cited) showSource();
  else open("why", [from], page(`turns/${answer.dataset.turn}/why/`));
  panel.focus();
}

const neighbour = (by) => {
  const all = findAll(".source", answer);
  return all[all.indexOf(source()) + Number(by)];
};

function showSource() {
  put(panel, { "panel-number": number });
  for (const button of findAll("[data-panel-step]")) button.disabled = !neighbour(button.dataset.panelStep);
  const links = findAll(`a.citation[data-citation="${number}"]`, answer);
  open("source", [...links, find("[data-open-source]", source())], source().dataset.address);
}

async function open(kind, leads, address) {
  panel.dataset.kind = kind;
  mark(leads);
  panel.hidden = false;
  setModal();
  loading?.abort();
  const { signal } = (loading = new AbortController());
  const waiting = setTimeout(() => (body.textContent = t("opening_source")), 200);
  try {
    const html = address && (await getHtml(address, { signal }));
    if (!html) throw { status: 404 };
    body.replaceChildren(fromServer(html));
    body.scrollTop = 0;
    find("#passage", body)?.scrollIntoView();
  } catch ({ status, message }) {
    if (signal.aborted) return;
    if (!number) return (body.textContent = message);
    const why = status === 404 ? t("source_gone") : `${t("source_failed")} ${message}`;
    const [title, snippet] = ["title", "snippet"].map((part) => find(`[data-${part}]`, source()).textContent);
    body.replaceChildren(copyOf("gone-template", { why, title, snippet }));
  } finally {
    clearTimeout(waiting);
  }
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
  panel.role = isModal ? "dialog" : null;
  panel.ariaModal = isModal || null;
}

on(thread, "click", "a.citation", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab was meant
  const cited = find(`.source[data-citation="${link.dataset.citation}"]`, link.closest(".answer"));
  if (!cited) return;
  event.preventDefault();
  toggle(link, cited);
});
on(thread, "keydown", "a.citation", (event, link) => {
  if (event.key !== " ") return;
  event.preventDefault();
  link.click();
});
onClick("[data-open-source], [data-why]", (button) => toggle(button, button.closest(".source")));
onClick("[data-panel-close]", close);
onClick("[data-panel-step]", ({ dataset }) => showSource((number = neighbour(dataset.panelStep).dataset.citation)));
OVERLAY.onchange = setModal;
