// What stands beside the conversation: a cited passage, or why an answer is as it is.

import { passageHtml, whyHtml } from "./api.js";
import { copyOf, find, findAll, fromServer, on } from "../dom.js";
import { t } from "../text.js";

const OVERLAY = matchMedia("(max-width: 75rem)");

export class Panel {
  #panel = find("[data-panel]");
  #body = find("[data-panel-body]");
  #opener = null;
  #source = null; // of a passage: its entry in the list of sources
  #marked = []; // what leads to what is open
  #loading = null;

  constructor(thread) {
    on(thread, "click", "a.citation", (event, link) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab was meant
      const source = sourceOf(link);
      if (!source) return;
      event.preventDefault();
      this.#toggle(link, () => this.#showSource(source));
    });
    on(thread, "keydown", "a.citation", (event, link) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    });
    on(thread, "click", "[data-open-source]", (_event, button) => {
      this.#toggle(button, () => this.#showSource(button.closest(".source")));
    });
    on(thread, "click", "[data-why]", (_event, button) => this.#toggle(button, () => this.#showWhy(button)));
    on(this.#panel, "click", "[data-panel-close]", () => this.close());
    on(this.#panel, "click", "[data-panel-step]", (_event, button) => this.#step(Number(button.dataset.panelStep)));
    find("[data-panel-shade]").addEventListener("click", () => this.close());
    OVERLAY.addEventListener("change", () => this.isOpen && this.#setModal(OVERLAY.matches));
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  close() {
    if (!this.isOpen) return;
    this.#loading?.abort();
    this.#panel.hidden = true;
    this.#setModal(false);
    this.#mark([]);
    // An answer that was stored meanwhile has fresh elements: the number is what stays.
    const opener = this.#opener.isConnected || !this.#source ? this.#opener : find("[data-open-source]", this.#source);
    opener.focus();
    this.#opener = this.#source = null;
  }

  #toggle(opener, show) {
    if (this.isOpen && this.#opener === opener) return this.close();
    this.#opener = opener;
    show();
    this.#panel.focus();
  }

  #step(by) {
    const next = this.#neighbour(by);
    if (next) this.#showSource(next);
  }

  #neighbour(by) {
    const all = findAll(".source", this.#source.parentElement);
    return all[all.indexOf(this.#source) + by];
  }

  #showSource(source) {
    const number = source.dataset.citation;
    this.#source = source;
    this.#head("source");
    find("[data-panel-number]").textContent = number;
    for (const button of findAll("[data-panel-step]")) button.disabled = !this.#neighbour(Number(button.dataset.panelStep));
    const links = findAll(`a.citation[data-citation="${number}"]`, source.closest(".answer"));
    this.#mark([...links, find("[data-open-source]", source)]);
    const load = (signal) => (source.dataset.node ? passageHtml(source.dataset, signal) : Promise.reject({ status: 404 }));
    this.#load(load, (error) => this.#gone(source, error));
  }

  #showWhy(button) {
    const { conversation } = find("[data-chat]").dataset;
    this.#source = null;
    this.#head("why");
    this.#mark([button]);
    const load = (signal) => whyHtml(conversation, button.closest(".answer").dataset.turn, signal);
    this.#load(load, (error) => this.#say(error.message));
  }

  /** Name the panel after what is in it. */
  #head(kind) {
    for (const part of findAll("[data-panel-for]", this.#panel)) part.hidden = part.dataset.panelFor !== kind;
    this.#panel.setAttribute("aria-labelledby", `panel-${kind}`);
  }

  async #load(load, failed) {
    this.#panel.hidden = false;
    this.#setModal(OVERLAY.matches);
    this.#loading?.abort();
    const { signal } = (this.#loading = new AbortController());
    const waiting = setTimeout(() => this.#say(t("opening_source")), 200);
    try {
      const html = await load(signal);
      if (signal.aborted) return;
      this.#body.replaceChildren(fromServer(html));
      this.#body.scrollTop = 0;
      find("#passage", this.#body)?.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (!signal.aborted) failed(error);
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Show what was cited, when the text itself cannot be shown. */
  #gone(source, error) {
    const element = copyOf("gone-template");
    const why = error.status === 404 ? t("source_gone") : `${t("source_failed")} ${error.message}`;
    find("[data-why]", element).textContent = why;
    for (const part of ["[data-title]", "[data-snippet]"]) {
      find(part, element).textContent = find(part, source).textContent;
    }
    this.#body.replaceChildren(element);
  }

  #say(text) {
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = text;
    this.#body.replaceChildren(line);
  }

  #mark(elements) {
    for (const each of this.#marked) each.setAttribute("aria-expanded", "false");
    for (const each of elements) each.setAttribute("aria-expanded", "true");
    this.#marked = elements;
  }

  /** Over the conversation the panel is a dialog; beside it, a part of the page. */
  #setModal(isModal) {
    for (const part of ["#main", "[data-sidebar]"]) find(part).inert = isModal;
    find("[data-panel-shade]").hidden = !isModal;
    for (const [name, value] of [["role", "dialog"], ["aria-modal", "true"]]) {
      if (isModal) this.#panel.setAttribute(name, value);
      else this.#panel.removeAttribute(name);
    }
  }
}

function sourceOf(link) {
  return find(`.source[data-citation="${link.dataset.citation}"]`, link.closest(".answer"));
}
