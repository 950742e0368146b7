// The cited passage beside the conversation: opened by a citation or a source, closed by Escape.

import { passageHtml } from "./api.js";
import { copyOf, find, findAll, fromServer, on } from "../dom.js";
import { t } from "../text.js";

const OVERLAY = matchMedia("(max-width: 75rem)");

export class Panel {
  #panel = find("[data-panel]");
  #shade = find("[data-panel-shade]");
  #body = find("[data-panel-body]");
  #opener = null;
  #source = null;
  #loading = null;

  constructor(thread) {
    on(thread, "click", "a.citation", (event, link) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab was meant
      const source = sourceOf(link);
      if (!source) return;
      event.preventDefault();
      this.#toggle(source, link);
    });
    on(thread, "keydown", "a.citation", (event, link) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    });
    on(thread, "click", "[data-open-source]", (_event, button) => {
      this.#toggle(button.closest(".source"), button);
    });
    find("[data-panel-close]").addEventListener("click", () => this.close());
    find("[data-panel-previous]").addEventListener("click", () => this.#step(-1));
    find("[data-panel-next]").addEventListener("click", () => this.#step(1));
    this.#shade.addEventListener("click", () => this.close());
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
    this.#mark(false);
    // An answer that was stored meanwhile has fresh elements: the number is what stays.
    const opener = this.#opener?.isConnected ? this.#opener : find("[data-open-source]", this.#source);
    if (opener?.isConnected) opener.focus();
    this.#opener = this.#source = null;
  }

  #toggle(source, opener) {
    if (this.isOpen && this.#opener === opener) return this.close();
    this.#opener = opener;
    this.#show(source);
    this.#panel.focus();
  }

  #step(by) {
    const next = this.#neighbour(by);
    if (next) this.#show(next);
  }

  #neighbour(by) {
    const all = findAll(".source", this.#source.parentElement);
    return all[all.indexOf(this.#source) + by];
  }

  async #show(source) {
    this.#mark(false);
    this.#source = source;
    this.#mark(true);
    find("[data-panel-number]").textContent = source.dataset.citation;
    find("[data-panel-previous]").disabled = !this.#neighbour(-1);
    find("[data-panel-next]").disabled = !this.#neighbour(1);
    this.#panel.hidden = false;
    this.#setModal(OVERLAY.matches);
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const waiting = setTimeout(() => this.#say(t("opening_source")), 200);
    try {
      if (!source.dataset.node) return this.#gone(source, t("source_gone"));
      const html = await passageHtml(source.dataset, loading.signal);
      if (loading.signal.aborted) return;
      this.#body.replaceChildren(fromServer(html));
      this.#reveal(find("#passage", this.#body));
    } catch (error) {
      if (loading.signal.aborted) return;
      const isGone = error.status === 404;
      this.#gone(source, isGone ? t("source_gone") : `${t("source_failed")} ${error.message}`);
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Scroll to the passage, unless it is in the first view together with the title. */
  #reveal(mark) {
    this.#body.scrollTop = 0;
    if (!mark) return;
    const { top, height } = this.#body.getBoundingClientRect();
    const offset = mark.getBoundingClientRect().top - top;
    if (offset > height * 0.55) this.#body.scrollTop = offset - height / 4;
  }

  /** Show what was cited, when the text itself cannot be shown. */
  #gone(source, why) {
    const element = copyOf("gone-template");
    find("[data-why]", element).textContent = why;
    find("[data-title]", element).textContent = find("[data-title]", source).textContent;
    find("[data-snippet]", element).textContent = find("[data-snippet]", source).textContent;
    this.#body.replaceChildren(element);
  }

  #say(text) {
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = text;
    this.#body.replaceChildren(line);
  }

  /** Mark what leads to the open source. */
  #mark(isOpen) {
    if (!this.#source) return;
    const answer = this.#source.closest(".answer");
    const number = this.#source.dataset.citation;
    const links = answer ? findAll(`a.citation[data-citation="${number}"]`, answer) : [];
    for (const element of [...links, find("[data-open-source]", this.#source)]) {
      element.setAttribute("aria-expanded", String(isOpen));
    }
  }

  /** Over the conversation the panel is a dialog; beside it, a part of the page. */
  #setModal(isModal) {
    this.#shade.hidden = !isModal;
    find("#main").inert = isModal;
    find("[data-sidebar]").inert = isModal;
    if (isModal) this.#panel.setAttribute("role", "dialog");
    else this.#panel.removeAttribute("role");
    this.#panel.toggleAttribute("aria-modal", false);
    if (isModal) this.#panel.setAttribute("aria-modal", "true");
  }
}

function sourceOf(link) {
  const answer = link.closest(".answer");
  return find(`.source[data-citation="${link.dataset.citation}"]`, answer);
}
