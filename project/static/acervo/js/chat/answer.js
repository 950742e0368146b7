// One answer on the page: what the events of its turn do to it.

import { page } from "./ui.js";
import { copyOf, find, findAll, fromServer, put } from "../dom.js";
import { getHtml } from "../http.js";
import { has, t } from "../text.js";

/** Load an answer as it is stored. */
export const storedAnswer = async (turn) => fromServer(await getHtml(page(`turns/${turn}/`))).firstElementChild;

export class AnswerView {
  #open = null; // {number, element, text} of the block that is being written

  constructor(element = copyOf("answer-template")) {
    this.element = element;
    this.data = element.dataset; // turn, message, question, status
    this.body = find("[data-body]", element);
  }

  /** Show what an event says. */
  apply(event) {
    const act = {
      "turn.started": () => {
        this.data.status = "running";
        this.#stage(t("stage_started"));
      },
      "turn.stage": () => this.#stage(event.notice || stageText(event.stage)),
      "answer.delta": () => this.#write(event.block, event.text),
      "answer.block": () => this.#place(event.block, event.html),
      "answer.citation": () => this.#cite(event),
      "answer.reset": () => this.#reset(),
      "turn.completed": () => this.#finish("completed", event),
      "turn.stopped": () => this.#finish("stopped", event),
      "turn.failed": () => this.fail(event.message),
    }[event.type];
    act?.();
  }

  /** Say of which state of knowledge the answer will be. */
  asked(label) {
    if (!label) return;
    find("[data-state-line]", this.element).replaceChildren(copyOf("state-template", { text: label }));
  }

  get askedLabel() {
    return find(".answer-state", this.element)?.textContent.trim() ?? "";
  }

  #stage(text) {
    put(this.element, { "stage-text": text });
    find("[data-stage]", this.element).hidden = !text;
  }

  #write(number, text) {
    if (this.#open?.number !== number) {
      const element = document.createElement("div");
      element.className = "block-open";
      this.body.append(element);
      this.#open = { number, element, text: "" };
    }
    const { element } = this.#open;
    const shown = (this.#open.text += text).trim();
    element.textContent = shown;
    // A table or code is easier to read before it is rendered when its columns line up.
    element.classList.toggle("block-raw", /^(\||```|~~~)/.test(shown));
    this.#stage("");
  }

  /** Replace the text of a finished block by its HTML; the server has sanitised it. */
  #place(number, html) {
    const fresh = fromServer(html);
    prepareCitations(fresh, this.element);
    if (this.#open?.number === number) {
      this.#open.element.replaceWith(fresh);
      this.#open = null;
    } else this.body.append(fresh);
  }

  #cite({ index, node, version, start, end, url, title, snippet }) {
    const list = find("[data-sources-list]", this.element);
    if (find(`[data-citation="${index}"]`, list)) return;
    const item = copyOf("source-template", { number: index, title, snippet });
    // The state of knowledge that the address asks goes along to the passage.
    const state = [...new URL(url, location.href).searchParams].filter(([name]) => ["as_of", "release"].includes(name));
    Object.assign(item.dataset, { citation: index, node: node ?? "", version, start, end, state: new URLSearchParams(state) });
    list.append(item);
  }

  #reset() {
    this.body.replaceChildren();
    this.#open = null;
    find("[data-sources-list]", this.element).replaceChildren();
    this.#stage(t("reset"));
  }

  #finish(status, { html, citations = [] }) {
    this.data.status = status;
    this.#stage("");
    if (html) this.#setBody(html);
    else this.#open?.element.classList.remove("block-open");
    for (const citation of citations) this.#cite(citation);
  }

  #setBody(html) {
    const fresh = document.createElement("div");
    fresh.append(fromServer(html));
    prepareCitations(fresh, this.element);
    // The same text stays in place: replacing it would undo a selection.
    if (fresh.innerHTML.trim() !== this.body.innerHTML.trim()) this.body.replaceChildren(...fresh.childNodes);
    this.#open = null;
  }

  /** Say that the answering failed, with a way to try again. */
  fail(message) {
    const notice = copyOf("failed-template", { text: message || t("failed_default") });
    find("[data-notice]", this.element).replaceChildren(notice);
    this.data.status = "failed";
    this.#stage("");
  }

  /** Take over everything that is stored of the answer: its notes, sources and actions. */
  async loadStored() {
    const stored = await storedAnswer(this.data.turn);
    const body = find("[data-body]", stored);
    for (const name of ["status", "message", "question"]) this.data[name] = stored.dataset[name];
    Object.assign(this.body.dataset, body.dataset);
    if (body.innerHTML.trim()) this.#setBody(body.innerHTML);
    for (const part of ["[data-state-line]", "[data-notice]", "[data-sources]", "[data-foot]"]) {
      find(part, this.element).replaceWith(find(part, stored));
    }
    this.#stage("");
    prepareCitations(this.element);
  }
}

function stageText(stage) {
  const key = `stage_${stage}`;
  return t(has(key) ? key : "stage_other");
}

/** Make the numbers in a text buttons that open their source; they stay links for a new tab. */
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
