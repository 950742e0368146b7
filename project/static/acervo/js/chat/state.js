// The earlier state of knowledge that questions are asked of: a day or a release, until cleared.

import { find } from "../dom.js";
import { t } from "../text.js";

export class StatePicker {
  #menu = find("[data-state-menu]");
  #day = find("[data-state-day]");
  #release = find("[data-state-release]");
  #problem = find("[data-state-problem]");
  #announce;
  #key;
  #chosen = null; // {body, label}: what goes along with a question, and its name for people

  constructor({ conversation, announce }) {
    this.#announce = announce;
    this.#key = keyOf(conversation);
    const kept = sessionStorage.getItem(this.#key) ?? find("[data-composer]").dataset.state;
    this.#chosen = kept ? JSON.parse(kept) : null;
    this.#show();
    find("[data-state-apply]").addEventListener("click", () => this.#apply());
    for (const clear of ["[data-state-today]", "[data-asked-clear]"]) {
      find(clear).addEventListener("click", () => this.#clear());
    }
    // Of a day and a release, what is given last is meant.
    this.#menu.addEventListener("input", ({ target }) => {
      const other = target === this.#day ? this.#release : this.#day;
      if (other && target.value) other.value = "";
      this.#problem.hidden = true;
    });
    this.#menu.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.closest("button, summary")) return;
      event.preventDefault();
      this.#apply();
    });
  }

  /** What a question is sent with, {as_of}, {release} or nothing, and its name for people. */
  get asked() {
    return this.#chosen ?? { body: {}, label: "" };
  }

  /** The choice belongs to this conversation from now on. */
  belongTo(conversation) {
    sessionStorage.removeItem(this.#key);
    this.#key = keyOf(conversation);
    this.#keep();
  }

  #apply() {
    const release = this.#release?.selectedOptions[0];
    if (release?.value) {
      const label = t("state_release", { name: release.textContent.trim() });
      this.#choose({ body: { release: release.value }, label }, label);
    } else if (this.#day.value && this.#day.validity.valid) {
      const [year, month, day] = this.#day.value.split("-").map(Number);
      const words = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" });
      const label = t("state_day", { day: words.format(new Date(year, month - 1, day)) });
      // The end of that day, where the reader is.
      this.#choose({ body: { as_of: new Date(year, month - 1, day + 1).toISOString() }, label }, label);
    } else {
      this.#problem.textContent = t("state_choose");
      this.#problem.hidden = false;
      this.#day.focus();
    }
  }

  #clear() {
    this.#day.value = "";
    if (this.#release) this.#release.value = "";
    this.#choose(null, t("state_today"));
  }

  #choose(chosen, words) {
    this.#chosen = chosen;
    this.#problem.hidden = true;
    this.#menu.open = false;
    this.#keep();
    this.#show();
    this.#announce(words);
    find("[data-input]").focus();
  }

  #keep() {
    sessionStorage.setItem(this.#key, this.#chosen ? JSON.stringify(this.#chosen) : "");
  }

  #show() {
    find("[data-asked]").hidden = !this.#chosen;
    find("[data-asked-text]").textContent = this.asked.label;
    this.#menu.classList.toggle("is-set", Boolean(this.#chosen));
  }
}

const keyOf = (conversation) => `acervo.state.${conversation || "new"}`;
