// The live line of a conversation with a person, for both sides of it.
//
// Dispatches "message" {message} once for each, "updated" {handoff}, "typing" {name}, and "over"
// when there is nothing more to hear. Without a working socket the server is asked every few
// seconds; what was heard is told again by neither way.

import { getJson } from "./http.js";

const LONGEST_WAIT = 30000;
const TRIES_BEFORE_ASKING = 3;
const ASK_EVERY = 5000;
const PING_EVERY = 25000;
const SILENCE = 60000;
const TYPING_EVERY = 2500;
const REFUSED = new Set([4401, 4403]);

export class Line extends EventTarget {
  #address;
  #paths; // {messages, handoff}: what is asked without a socket
  #after;
  #heard = new Set();
  #socket = null;
  #tries = 0;
  #timers = {};
  #typedAt = 0;
  #lastSign = 0;
  #isOver = false;

  /** `address`: path of the socket; `after`: the last message that is shown already. */
  constructor({ address, paths, after = "" }) {
    super();
    this.#address = address;
    this.#paths = paths;
    this.#after = after;
    if (after) this.#heard.add(after);
    addEventListener("online", () => this.#connect());
    this.#timers.ping = setInterval(() => this.#ping(), PING_EVERY);
    this.#connect();
  }

  /** Tell the other side that one is writing. */
  typing() {
    if (Date.now() - this.#typedAt < TYPING_EVERY || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#typedAt = Date.now();
    this.#socket.send('{"type":"typing"}');
  }

  close() {
    this.#isOver = true;
    Object.values(this.#timers).forEach(clearInterval);
    this.#socket?.close();
  }

  #connect() {
    if (this.#isOver || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return;
    clearTimeout(this.#timers.again);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const join = this.#address.includes("?") ? "&" : "?";
    const socket = new WebSocket(`${scheme}://${location.host}${this.#address}${join}after=${this.#after}`);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      this.#tries = 0;
      this.#lastSign = Date.now();
      clearInterval(this.#timers.ask);
      this.#take(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => socket === this.#socket && this.#closed(code));
  }

  #closed(code) {
    if (this.#isOver) return;
    if (code === 1000 || REFUSED.has(code)) return this.#end();
    this.#tries += 1;
    if (this.#tries === TRIES_BEFORE_ASKING) {
      this.#timers.ask = setInterval(() => this.#ask(), ASK_EVERY);
      this.#ask();
    }
    const ceiling = Math.min(LONGEST_WAIT, 1000 * 2 ** this.#tries);
    this.#timers.again = setTimeout(() => this.#connect(), 1000 + Math.random() * (ceiling - 1000));
  }

  #ping() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (this.#lastSign && Date.now() - this.#lastSign > SILENCE) this.#socket.close();
    else this.#socket.send('{"type":"ping"}');
  }

  #take(event) {
    if (event.type === "handoff.message") this.#message(event.message);
    else if (event.type === "handoff.updated") this.#say("updated", { handoff: event.handoff });
    else if (event.type === "handoff.typing") this.#say("typing", event);
  }

  #message(message) {
    if (this.#heard.has(message.id)) return;
    this.#heard.add(message.id);
    this.#after = message.id;
    this.#say("message", { message });
  }

  async #ask() {
    try {
      const { results } = await getJson(this.#paths.messages);
      // Of a conversation that was empty on the page, all is new; else only what follows.
      const known = results.findIndex((each) => this.#heard.has(each.id));
      const fresh = known < 0 && this.#heard.size ? results : results.slice(0, known < 0 ? undefined : known);
      fresh.reverse().forEach((each) => this.#message(each));
      const handoff = await getJson(this.#paths.handoff);
      this.#say("updated", { handoff });
      if (handoff.ended_at) this.#end();
    } catch (error) {
      if (error.status === 404 || error.status === 401) this.#end();
    }
  }

  #end() {
    this.close();
    this.#say("over", {});
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
