// One answer on the page: what the events of its turn do to it.

import { copyOf, find, findAll, fromServer, getHtml, has, page, put, t } from "./ui.js";

export const storedAnswer = async (turn) => fromServer(await getHtml(page(`turns/${turn}/`))).firstElementChild;

export function answerView(element = copyOf("answer-template")) {
  const data = element.dataset; // turn, message, question, status
  const body = find("[data-body]", element);
  let block = null; // {number, element, text} of the one that is being written

  function apply(event) {
    const act = {
      "turn.started": () => {
        data.status = "running";
        stage(t("stage_started"));
      },
      "turn.stage": () => stage(event.notice || t(has(`stage_${event.stage}`) ? `stage_${event.stage}` : "stage_other")),
      "answer.delta": () => write(event.block, event.text),
      "answer.block": () => place(event.block, event.html),
      "answer.citation": () => cite(event),
      "answer.reset": () => reset(),
      "turn.completed": () => finish(event),
      "turn.stopped": () => finish(event),
      "turn.failed": () => fail(event.message),
    }[event.type];
    act?.();
  }

  function asked(label) {
    if (!label) return;
    find("[data-state-line]", element).replaceChildren(copyOf("state-template", { text: label }));
  }

  function askedLabel() {
    return find(".answer-state", element)?.textContent.trim() ?? "";
  }

  function stage(text) {
    put(element, { "stage-text": text });
    find("[data-stage]", element).hidden = !text;
  }

  function write(number, text) {
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
  function place(number, html) {
    const fresh = fromServer(html);
    prepareCitations(fresh, element);
    if (block?.number === number) {
      block.element.replaceWith(fresh);
      block = null;
    } else body.append(fresh);
  }

  function cite({ index, node, version, start, end, url, title, snippet }) {
    const list = find("[data-sources-list]", element);
    if (find(`[data-citation="${index}"]`, list)) return;
    const item = copyOf("source-template", { number: index, title, snippet });
    // The state of knowledge that the address asks goes along to the passage.
    const state = [...new URL(url, location.href).searchParams].filter(([name]) => ["as_of", "release"].includes(name));
    Object.assign(item.dataset, { citation: index, node: node ?? "", version, start, end, state: new URLSearchParams(state) });
    if (!version) item.dataset.address = `${url}&piece=1`; // of an attachment
    list.append(item);
  }

  function reset() {
    body.replaceChildren();
    block = null;
    find("[data-sources-list]", element).replaceChildren();
    stage(t("reset"));
  }

  function finish({ type, html, citations = [] }) {
    data.status = type.slice("turn.".length);
    stage("");
    if (html) setBody(html);
    else block?.element.classList.remove("block-open");
    for (const citation of citations) cite(citation);
  }

  function setBody(html) {
    const fresh = document.createElement("div");
    fresh.append(fromServer(html));
    prepareCitations(fresh, element);
    // Replacing the same text would undo a selection.
    if (fresh.innerHTML.trim() !== body.innerHTML.trim()) body.replaceChildren(...fresh.childNodes);
    block = null;
  }

  function fail(message) {
    const notice = copyOf("failed-template", { text: message || t("failed_default") });
    find("[data-notice]", element).replaceChildren(notice);
    data.status = "failed";
    stage("");
  }

  /** Take over what is stored of the answer: its notes, sources and actions. */
  async function loadStored() {
    const stored = await storedAnswer(data.turn);
    const fresh = find("[data-body]", stored);
    for (const name of ["status", "message", "question"]) data[name] = stored.dataset[name];
    Object.assign(body.dataset, fresh.dataset);
    if (fresh.innerHTML.trim()) setBody(fresh.innerHTML);
    for (const part of ["[data-state-line]", "[data-notice]", "[data-sources]", "[data-foot]"]) {
      find(part, element).replaceWith(find(part, stored));
    }
    stage("");
    prepareCitations(element);
  }

  return { element, data, apply, asked, askedLabel, fail, loadStored };
}

/** Make the numbers in a text buttons that open their source, and links for a new tab. */
export function prepareCitations(root, answer = null) {
  for (const link of findAll("a.citation", root)) {
    const number = link.dataset.citation;
    const before = link.previousSibling;
    // It must not begin a line: it belongs to the words before it.
    if (before?.nodeType === Node.TEXT_NODE) before.data = before.data.replace(/\s+$/, "\u202f");
    const item = find(`.source[data-citation="${number}"]`, answer ?? link.closest(".answer"));
    const title = item ? find("[data-title]", item).textContent : "";
    link.role = "button";
    link.ariaExpanded = "false";
    link.ariaLabel = t("source_number", { number, title });
    link.setAttribute("aria-controls", "source-panel");
  }
}
