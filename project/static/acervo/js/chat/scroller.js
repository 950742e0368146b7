// Keeps the newest text in view while the reader is at the end, and lets them leave.

import { find } from "../dom.js";

const NEAR = 60; // pixels from the end that count as being there

export class Scroller {
  #element = find("[data-scroller]");
  #jump = find("[data-jump]");
  #isFollowing = true;

  constructor() {
    this.#element.addEventListener("scroll", () => {
      const rest = this.#element.scrollHeight - this.#element.scrollTop - this.#element.clientHeight;
      this.#isFollowing = rest < NEAR;
      this.#jump.hidden = rest < 240;
    }, { passive: true });
    this.#jump.addEventListener("click", () => this.toEnd());
    const observer = new ResizeObserver(() => this.#isFollowing && this.toEnd());
    observer.observe(find("[data-thread]"));
    observer.observe(this.#element);
  }

  toEnd() {
    this.#isFollowing = true;
    this.#element.scrollTop = this.#element.scrollHeight;
  }

  /** Run `change`, which puts something above, without moving what is in view. */
  keepPlace(change) {
    const before = this.#element.scrollHeight - this.#element.scrollTop;
    this.#isFollowing = false;
    change();
    this.#element.scrollTop = this.#element.scrollHeight - before;
  }
}
