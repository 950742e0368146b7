// One answer on the page: what the events of its turn do to it.

import { answerHtml } from "./api.js";
import { copyOf, find, findAll, fromServer } from "../dom.js";
import { has, t } from "../text.js";

export class AnswerView {
  #blocks = new Map(); // number -> the nodes that show it
  #open = null; // {number, element, text} of the block that is being written

  constructor(element = copyOf("answer-template")) {
    this.element = element;
    this.body = find("[data-body]", element);
  }

  get turn() {
    return this.element.dataset.turn;
  }

  set turn(id) {
    this.element.dataset.turn = id;
  }

  get message() {
    return this.element.dataset.message;
  }

  get isUnfinished() {
    return ["queued", "running"].includes(this.element.dataset.status);
  }

  /** Show what an event says. */
  apply(event) {
    const act = {
      "turn.started": () => {
        this.element.dataset.status = "running";
        this.stage(t("stage_started"));
      },
      "turn.stage": () => this.stage(event.notice || stageText(event.stage)),
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
    const line = find("[data-state-line]", this.element);
    line.replaceChildren();
    if (!label) return;
    const element = copyOf("state-template");
    find("[data-text]", element).textContent = label;
    line.append(element);
  }

  get askedLabel() {
    return find(".answer-state", this.element)?.textContent.trim() ?? "";
  }

  stage(text) {
    find("[data-stage-text]", this.element).textContent = text;
    find("[data-stage]", this.element).hidden = !text;
  }

  #write(number, text) {
    if (this.#open?.number !== number) {
      const element = document.createElement("div");
      element.className = "block-open";
      this.body.append(element);
      this.#open = { number, element, text: "" };
      this.#blocks.set(number, [element]);
    }
    this.#open.text += text;
    const shown = this.#open.text.trim();
    this.#open.element.textContent = shown;
    // A table or code is easier to read before it is rendered when its columns line up.
    this.#open.element.classList.toggle("block-raw", /^(\||```|~~~)/.test(shown));
    this.stage("");
  }

  /** Replace the text of a finished block by its HTML; the server has sanitised it. */
  #place(number, html) {
    const nodes = [...fromServer(html).children];
    const shown = this.#blocks.get(number) ?? [];
    if (shown.length) shown[0].before(...nodes);
    else this.body.append(...nodes);
    for (const node of shown) node.remove();
    this.#blocks.set(number, nodes);
    if (this.#open?.number === number) this.#open = null;
    nodes.forEach(prepareCitations);
  }

  #cite(citation) {
    const list = find("[data-sources-list]", this.element);
    const { index, node, version, start, end } = citation;
    if (find(`[data-citation="${index}"]`, list)) return;
    const item = copyOf("source-template");
    const state = stateOf(citation.url);
    Object.assign(item.dataset, { citation: index, node: node ?? "", version, start, end, state });
    find("[data-number]", item).textContent = index;
    find("[data-title]", item).textContent = citation.title;
    find("[data-snippet]", item).textContent = citation.snippet;
    list.append(item);
  }

  #reset() {
    this.body.replaceChildren();
    this.#blocks.clear();
    this.#open = null;
    find("[data-sources-list]", this.element).replaceChildren();
    this.stage(t("reset"));
  }

  #finish(status, event) {
    this.element.dataset.status = status;
    this.stage("");
    if (event.html) this.#setBody(event.html);
    else this.#open?.element.classList.remove("block-open");
    for (const citation of event.citations ?? []) this.#cite(citation);
  }

  #setBody(html) {
    const fresh = document.createElement("div");
    fresh.append(fromServer(html));
    prepareCitations(fresh);
    // The same text stays in place: replacing it would undo a selection.
    if (fresh.innerHTML.trim() !== this.body.innerHTML.trim()) this.body.replaceChildren(...fresh.childNodes);
    this.#blocks.clear();
    this.#open = null;
  }

  /** Say that the answering failed, with a way to try again. */
  fail(message) {
    const notice = copyOf("failed-template");
    find("[data-text]", notice).textContent = message || t("failed_default");
    find("[data-notice]", this.element).replaceChildren(notice);
    this.element.dataset.status = "failed";
    this.stage("");
  }

  /** Take over everything that is stored of the answer: its notes, sources and actions. */
  async loadStored(conversation) {
    const stored = fromServer(await answerHtml(conversation, this.turn)).firstElementChild;
    for (const name of ["status", "message", "question"]) this.element.dataset[name] = stored.dataset[name];
    const body = find("[data-body]", stored);
    Object.assign(this.body.dataset, body.dataset);
    if (body.innerHTML.trim()) this.#setBody(body.innerHTML);
    for (const part of ["[data-state-line]", "[data-notice]", "[data-sources]", "[data-foot]"]) {
      find(part, this.element).replaceWith(find(part, stored));
    }
    this.stage("");
    prepareCitations(this.element);
  }
}

/** The state of knowledge that the address of a citation asks, as parameters. */
function stateOf(url) {
  const asked = [...new URL(url, location.href).searchParams];
  return String(new URLSearchParams(asked.filter(([name]) => ["as_of", "release"].includes(name))));
}

function stageText(stage) {
  const key = `stage_${stage}`;
  return t(has(key) ? key : "stage_other");
}

/** Make the numbers in a text buttons that open their source; they stay links for a new tab. */
export function prepareCitations(root) {
  const links = findAll("a.citation", root);
  if (root.matches?.("a.citation")) links.push(root);
  for (const link of links) {
    const number = link.dataset.citation;
    const before = link.previousSibling;
    // It must not begin a line: it belongs to the words before it.
    if (before?.nodeType === Node.TEXT_NODE) before.data = before.data.replace(/\s+$/, "\u202f");
    const item = find(`.source[data-citation="${number}"]`, link.closest(".answer") ?? root);
    const title = item ? find("[data-title]", item).textContent : "";
    link.role = "button";
    link.ariaExpanded = "false";
    link.ariaLabel = t("source_number", { number, title });
    link.setAttribute("aria-controls", "source-panel");
  }
}
