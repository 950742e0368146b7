// One answer on the page: what the events of its turn do to it.

import { copyOf, find, findAll, fromServer, getHtml, page, put, t, thread } from "./ui.js";

export const storedAnswer = async (turn) => fromServer(await getHtml(page(`turns/${turn}/`))).firstElementChild;

export function answerView(element = copyOf("answer-template")) {
  const data = element.dataset; // turn, message, question, status
  const body = find("[data-body]", element);
  const sources = () => find("[data-sources-list]", element);
  let block = null; // {number, element, text} of the one that is being written
  const acts = {
    "turn.started": () => {
      data.status = "running";
      stage(t("stage_started"));
    },
    "turn.stage": ({ notice, stage: name }) => stage(notice || t(`stage_${name}`, {}, "stage_other")),
    "answer.delta": write,
    "answer.block": place,
    "answer.citation": cite,
    "answer.reset": reset,
    "turn.completed": finish,
    "turn.stopped": finish,
    "turn.failed": fail,
  };

  function asked(text) {
    if (text) find("[data-state-line]", element).replaceChildren(copyOf("state-template", { text }));
  }

  const stage = (text) => put(element, { "stage-text": text });

  function write({ block: number, text }) {
    if (block?.number !== number) {
      block = { number, element: document.createElement("div"), text: "" };
      block.element.className = "block-open";
      body.append(block.element);
    }
    const shown = (block.text += text).trim();
    block.element.textContent = shown;
    // A table or code is easier to read before it is rendered when its columns line up.
    block.element.classList.toggle("block-raw", /^(\||```|~~~)/.test(shown));
    stage("");
  }

  /** Replace the text of a finished block by its HTML; the server has sanitised it. */
  function place({ block: number, html }) {
    const fresh = fromServer(html);
    if (block?.number === number) {
      block.element.replaceWith(fresh);
      block = null;
    } else body.append(fresh);
  }

  function cite({ index, version, url, title, snippet }) {
    if (find(`[data-citation="${index}"]`, sources())) return;
    const item = copyOf("source-template", { number: index, title, snippet });
    // Without a version it is an attachment's.
    const address = version ? url.replace("?", "passage/?") : `${url}&piece=1`;
    Object.assign(item.dataset, { citation: index, address });
    sources().append(item);
  }

  function reset() {
    body.replaceChildren();
    block = null;
    sources().replaceChildren();
    stage(t("reset"));
  }

  function finish({ type, html, citations = [] }) {
    data.status = type.slice("turn.".length);
    stage("");
    if (html) setBody(html);
    else block?.element.classList.remove("block-open");
    citations.forEach(cite);
  }

  function setBody(html) {
    const fresh = document.createElement("div");
    fresh.append(fromServer(html));
    // Replacing the same text would undo a selection.
    if (fresh.textContent.trim() !== body.textContent.trim() || find(".block-open", body)) body.replaceChildren(...fresh.childNodes);
    block = null;
  }

  function fail({ message }) {
    find("[data-notice]", element).replaceChildren(copyOf("failed-template", { text: message || t("failed_default") }));
    data.status = "failed";
    stage("");
  }

  /** Take over what is stored of the answer: its notes, sources and actions. */
  async function loadStored() {
    const stored = await storedAnswer(data.turn);
    const fresh = find("[data-body]", stored);
    Object.assign(data, stored.dataset);
    Object.assign(body.dataset, fresh.dataset);
    if (fresh.innerHTML.trim()) setBody(fresh.innerHTML);
    for (const part of ["[data-state-line]", "[data-notice]", "[data-sources]", "[data-foot]"]) {
      find(part, element).replaceWith(find(part, stored));
    }
    const versions = find("[data-versions]", stored)?.content;
    const edit = versions && find("[data-edit]", element.previousElementSibling ?? element);
    if (edit) {
      find(".siblings", edit.parentNode)?.remove();
      edit.before(versions);
    }
    stage("");
  }

  return { element, data, apply: (event) => acts[event.type]?.(event), asked, fail, loadStored };
}

/** Make the numbers in the texts buttons that open their source, and links for a new tab. */
function prepareCitations() {
  for (const link of findAll("a.citation:not([role])", thread)) {
    const number = link.dataset.citation;
    const item = find(`.source[data-citation="${number}"]`, link.closest(".answer"));
    link.role = "button";
    link.ariaExpanded = "false";
    link.ariaLabel = t("source_number", { number, title: item ? find("[data-title]", item).textContent : "" });
    link.setAttribute("aria-controls", "source-panel");
  }
}

new MutationObserver(prepareCitations).observe(thread, { childList: true, subtree: true });
prepareCitations();
