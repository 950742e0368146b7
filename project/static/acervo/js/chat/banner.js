// The line above the conversation that says how the connection is, when it is not well.

import { find } from "../dom.js";
import { t } from "../text.js";

const PATIENCE = 2500; // milliseconds: most losses are over before a reader needs to know

export class Banner {
  #element = find("[data-banner]");
  #action = find("[data-banner-action]");
  #timer = 0;
  #isLasting = false;

  constructor(socket) {
    socket.addEventListener("state", (event) => this.#follow(event.detail));
    addEventListener("offline", () => this.#show("offline"));
    addEventListener("online", () => this.#hide());
    if (!navigator.onLine) this.#show("offline");
  }

  /** Say that the session ended, with the way back to this page. */
  signedOut() {
    this.#show("signed_out", { isLasting: true });
    this.#action.href = `/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`;
    this.#action.textContent = t("sign_in");
    this.#action.hidden = false;
  }

  #follow({ state, reason }) {
    clearTimeout(this.#timer);
    if (state === "refused" && reason === "signed_out") this.signedOut();
    else if (state === "refused") this.#show("not_yours", { isLasting: true });
    else if (state === "open" || state === "closed") this.#hide();
    else if (state === "unusable") this.#show("slow_line", { isCalm: true });
    else if (state === "waiting" && reason === "flood") this.#show("flood");
    else if (state === "waiting") {
      this.#timer = setTimeout(() => this.#show(navigator.onLine ? "reconnecting" : "offline"), PATIENCE);
    }
  }

  #show(key, { isLasting = false, isCalm = false } = {}) {
    if (this.#isLasting) return;
    this.#isLasting = isLasting;
    find("[data-banner-text]").textContent = t(key);
    this.#action.hidden = true;
    this.#element.classList.toggle("banner-calm", isCalm);
    this.#element.hidden = false;
  }

  #hide() {
    clearTimeout(this.#timer);
    if (!this.#isLasting) this.#element.hidden = true;
  }
}
