// The box in which a question is written: grows, counts, keeps the draft, knows when it may send.

import { find } from "../dom.js";
import { number, t } from "../text.js";

const SHOW_COUNT_AT = 0.85; // of the limit

export class Composer extends EventTarget {
  input = find("[data-input]");
  #form = find("[data-composer]");
  #send = find("[data-send]");
  #stop = find("[data-stop]");
  #count = find("[data-count]");
  #hint = find("[data-hint]");
  #firstHint = find("[data-hint]").textContent;
  #usualHint = this.#firstHint;
  #editing = find("[data-editing]");
  #limit;
  #key;
  #isAnswering = false;
  #parent; // where an edited question goes: undefined when nothing is edited

  constructor({ limit, conversation }) {
    super();
    this.#limit = limit;
    this.#key = draftKey(conversation);
    this.input.value ||= localStorage.getItem(this.#key) ?? "";
    this.input.addEventListener("input", () => this.#changed());
    this.input.addEventListener("keydown", (event) => this.#keyPressed(event));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button, details, input, select, textarea, label, ul")) return;
      event.preventDefault();
      this.input.focus();
    });
    this.#stop.addEventListener("click", () => this.dispatchEvent(new Event("stop")));
    find("[data-editing-cancel]").addEventListener("click", () => this.endEditing());
    this.#changed();
  }

  get text() {
    return this.input.value.trim();
  }

  /** The draft belongs to this conversation from now on. */
  belongTo(conversation) {
    localStorage.removeItem(this.#key);
    this.#key = draftKey(conversation);
    this.#changed();
  }

  setAnswering(isAnswering) {
    const hadFocus = [this.#stop, this.#send].includes(document.activeElement);
    this.#isAnswering = isAnswering;
    this.#stop.hidden = !isAnswering;
    this.#send.hidden = isAnswering;
    if (hadFocus) this.input.focus();
    this.#changed();
  }

  /** Put a text into the box, as if it had been typed. */
  fill(text) {
    this.input.value = text;
    this.#changed();
    this.input.focus();
  }

  clear() {
    this.input.value = "";
    this.endEditing({ keepText: true });
    this.#changed();
  }

  /** Edit a question that was asked: the new one becomes another version of it. */
  edit(text, parent) {
    this.#parent = parent;
    this.#editing.hidden = false;
    this.fill(text);
  }

  endEditing({ keepText = false } = {}) {
    if (this.#editing.hidden) return;
    this.#parent = undefined;
    this.#editing.hidden = true;
    if (!keepText) this.fill("");
  }

  /** Say why something did not work, until the text changes. */
  problem(text) {
    this.#hint.textContent = text || this.#usualHint;
    this.#hint.classList.toggle("is-problem", Boolean(text));
    this.#hint.role = text ? "alert" : null;
  }

  /** Say how many messages are left, once they are few. */
  tellLeft(left) {
    const isFew = left && left.remaining <= Math.max(3, left.limit / 10);
    const values = isFew && { count: number(left.remaining), minutes: number(Math.ceil(left.reset / 60)) };
    this.#usualHint = isFew ? t("messages_left", values) : this.#firstHint;
    this.problem("");
  }

  #changed() {
    if (!CSS.supports("field-sizing", "content")) {
      this.input.style.height = "auto";
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    if (this.input.value) localStorage.setItem(this.#key, this.input.value);
    else localStorage.removeItem(this.#key);
    const length = characters(this.text);
    const left = this.#limit - length;
    this.#count.hidden = length < this.#limit * SHOW_COUNT_AT;
    this.#count.classList.toggle("is-over", left < 0);
    this.#count.textContent = t(left < 0 ? "chars_over" : "chars_left", { count: number(Math.abs(left)) });
    this.#send.disabled = length === 0 || left < 0;
    this.problem("");
  }

  #keyPressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && !this.input.value) {
      event.preventDefault();
      this.dispatchEvent(new Event("edit-last"));
    } else if (event.key === "Escape" && !this.#editing.hidden) {
      event.stopPropagation();
      this.endEditing();
    }
  }

  #submit() {
    const length = characters(this.text);
    if (!length) return;
    if (length > this.#limit) {
      this.problem(t("too_long", { count: number(length), limit: number(this.#limit) }));
    } else if (this.#isAnswering) {
      this.problem(t("still_answering"));
    } else {
      const detail = { content: this.text, parent: this.#parent };
      this.dispatchEvent(new CustomEvent("send", { detail }));
    }
  }
}

/** The server counts characters, not UTF-16 units. */
const characters = (text) => [...text].length;

/** Drafts outlive the tab; each person of a shared browser has their own. */
const draftKey = (conversation) => `acervo.draft.${find("[data-chat]").dataset.person}.${conversation || "new"}`;
