// Talking to a person: asking for one, who it is, and what they say.

import { prepareCitations } from "./answer.js";
import { answerHtml } from "./api.js";
import { copyOf, find, findAll, fromServer } from "../dom.js";
import { getJson, postJson } from "../http.js";
import { Line } from "../line.js";
import { number } from "../text.js";
import { toast } from "../toast.js";

const TYPING = 4000; // milliseconds that somebody counts as writing

export class Handoff {
  #strip = find("[data-handoff]");
  #button = find("[data-handoff-ask]");
  #input = find("[data-input]");
  #placeholder = find("[data-input]").placeholder;
  #page;
  #line = null;
  #shown = null; // the handoff as it was told last
  #writing = 0;
  #arriving = Promise.resolve();

  /** `page.request(text)` sends a message that asks for a person, where nothing was said yet. */
  constructor(page) {
    this.#page = page;
    this.#button.addEventListener("click", () => this.#ask());
    find("[data-handoff-end]").addEventListener("click", () => this.#release());
    this.#input.addEventListener("input", () => this.#input.value && this.#line?.typing());
    setInterval(() => this.#line && this.#show(), 15000);
    if (this.#strip.dataset.open) this.look();
  }

  /** Look whether people answer: a message of this conversation went to them. */
  async look() {
    try {
      this.#follow(await getJson(this.#path()));
    } catch (error) {
      if (error.status !== 404) toast(error.message);
    }
  }

  #path(step = "") {
    return `/api/v1/conversations/${this.#page.outbox.conversation}/handoff/${step}`;
  }

  async #ask() {
    if (!this.#page.outbox.conversation) return this.#page.request(this.#text("request"));
    this.#button.disabled = true;
    try {
      this.#follow(await postJson(this.#path()));
      this.#input.focus();
    } catch (error) {
      toast(error.message);
    } finally {
      this.#button.disabled = false;
    }
  }

  async #release() {
    try {
      this.#take(await postJson(this.#path("release/")));
    } catch (error) {
      if (error.code === "wrong_status") this.look();
      else toast(error.message);
    }
  }

  #follow(handoff) {
    this.#take(handoff);
    if (this.#line || handoff.ended_at) return;
    const conversation = `/api/v1/conversations/${this.#page.outbox.conversation}`;
    const last = findAll('[data-message]:not([data-message=""])', this.#page.thread).at(-1);
    this.#line = new Line({
      address: `/ws/handoffs/${handoff.id}/`,
      paths: { messages: `${conversation}/messages/`, handoff: this.#path() },
      after: last?.dataset.message ?? "",
    });
    this.#line.addEventListener("message", ({ detail }) => {
      this.#arriving = this.#arriving.then(() => this.#place(detail.message)).catch((error) => toast(error.message));
    });
    this.#line.addEventListener("updated", ({ detail }) => this.#take(detail.handoff));
    this.#line.addEventListener("typing", () => {
      clearTimeout(this.#writing);
      this.#writing = setTimeout(() => this.#show((this.#writing = 0)), TYPING);
      this.#show();
    });
  }

  /** Show a message that is not on the page yet: of the person who answers, or of another tab. */
  async #place(message) {
    const isHere = () =>
      find(`[data-message="${message.id}"]`, this.#page.thread) ||
      (message.client_message_id && find(`[data-client-id="${CSS.escape(message.client_message_id)}"]`, this.#page.thread));
    if (isHere()) return;
    let element;
    if (message.role === "user") {
      element = copyOf("question-template");
      find("[data-text]", element).textContent = message.content;
      Object.assign(element.dataset, { message: message.id, parent: message.parent ?? "" });
    } else {
      element = fromServer(await answerHtml(this.#page.outbox.conversation, message.turn)).firstElementChild;
      if (isHere()) return;
      prepareCitations(element);
      clearTimeout(this.#writing);
      this.#writing = 0;
      this.#page.announce(`${message.author?.name ?? ""}: ${message.content}`);
    }
    find("[data-empty]")?.remove();
    this.#page.thread.append(element);
    this.#show();
    this.#page.scroller.toEnd();
  }

  #take(handoff) {
    const before = this.#shown;
    this.#shown = handoff;
    this.#show();
    if (before?.status !== handoff.status || before?.operator?.name !== handoff.operator?.name) {
      this.#page.announce(find("[data-handoff-title]").textContent);
    }
    if (!handoff.ended_at) return;
    if (before && !before.ended_at) toast(this.#text(handoff.status));
    this.#line?.close();
    this.#line = null;
  }

  #show() {
    const { status, operator, at_desk: desk, present, requested_at: since, ended_at: ended } = this.#shown;
    const name = operator?.name ?? "";
    const minutes = Math.max(1, Math.round((Date.now() - new Date(since)) / 60000));
    let note = "";
    if (status === "waiting") note = this.#text(desk ? "soon" : "away", { count: number(desk), minutes: number(minutes) });
    else if (this.#writing) note = this.#text("writing", { name });
    else if (present && !present.operator) note = this.#text("absent", { name });
    this.#strip.hidden = Boolean(ended);
    this.#button.hidden = !ended;
    this.#strip.dataset.status = status;
    this.#strip.classList.toggle("is-here", Boolean(present?.operator));
    this.#strip.classList.toggle("is-writing", Boolean(this.#writing));
    find("[data-handoff-title]").textContent = this.#text(ended ? status : status === "active" ? "active" : "waiting", { name });
    find("[data-handoff-note]").textContent = note;
    this.#input.placeholder = status === "active" ? this.#text("write", { name }) : this.#placeholder;
  }

  #text(key, values = {}) {
    return this.#strip.dataset[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }
}
