// Commands: what begins with "/" is looked for in a list that the server rendered.

import { find, findAll, on } from "../dom.js";

export class Commands {
  #list = find("[data-commands]");
  #input;
  #run;
  #at = -1; // which of the shown ones Enter would choose

  /** `run(option)` does what was chosen; `isUsable(option)` says whether that makes sense now. */
  constructor({ input, run, isUsable }) {
    this.#input = input;
    this.#run = run;
    this.isUsable = isUsable;
    input.addEventListener("input", () => this.#filter());
    input.addEventListener("blur", () => this.#close());
    // Before the box, which would send the text.
    input.addEventListener("keydown", (event) => this.#keyPressed(event), { capture: true });
    on(this.#list, "pointerdown", "[role=option]", (event) => event.preventDefault());
    on(this.#list, "click", "[role=option]", (_event, option) => this.#choose(option));
  }

  get #shown() {
    return findAll("[role=option]:not([hidden])", this.#list);
  }

  #filter() {
    const text = this.#input.value.toLowerCase();
    const isCommand = text.startsWith("/") && !text.includes("\n");
    for (const option of findAll("[role=option]", this.#list)) {
      option.hidden = !isCommand || !option.dataset.command.toLowerCase().startsWith(text.trimEnd()) || !this.isUsable(option);
    }
    if (!this.#shown.length) return this.#close();
    this.#list.hidden = false;
    this.#move(0);
  }

  #move(to) {
    const shown = this.#shown;
    this.#at = (to + shown.length) % shown.length;
    shown.forEach((each, at) => each.setAttribute("aria-selected", at === this.#at));
    shown[this.#at].scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", shown[this.#at].id);
  }

  #close() {
    this.#list.hidden = true;
    this.#input.removeAttribute("aria-activedescendant");
  }

  #choose(option) {
    this.#close();
    this.#run(option);
  }

  #keyPressed(event) {
    if (this.#list.hidden || event.isComposing || event.shiftKey) return;
    const act = {
      ArrowDown: () => this.#move(this.#at + 1),
      ArrowUp: () => this.#move(this.#at - 1),
      Enter: () => this.#choose(this.#shown[this.#at]),
      Tab: () => this.#choose(this.#shown[this.#at]),
      Escape: () => this.#close(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    act();
  }
}
