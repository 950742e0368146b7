// The live connection of one conversation: opens, keeps alive, comes back after a loss.
//
// `state` is "closed" (not wanted, or idle), "connecting", "open", "waiting" (for the next try),
// "unusable" (it never opened: use HTTP) or "refused" (signed out, or not this person's).

import { socketAddress } from "./api.js";

const FIRST_WAIT = 500; // milliseconds, doubled with every try
const LONGEST_WAIT = 20000;
const OPENING = 8000;
const PING_EVERY = 25000;
const PONG_WITHIN = 10000;
const TRIES_BEFORE_HTTP = 3;

const CLOSED = { signedOut: 4401, notYours: 4403, idle: 4408, flood: 4429, tooBig: 1009 };

export class Socket extends EventTarget {
  #socket = null;
  #conversation = "";
  #tries = 0;
  #everOpened = false;
  #timer = 0;
  #pinging = 0;
  #pongTimer = 0;
  state = "closed";

  constructor() {
    super();
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#hurry();
    });
    addEventListener("pageshow", (event) => event.persisted && this.#hurry());
  }

  /** Connect to a conversation, unless that is done or under way. */
  open(conversation) {
    this.#conversation = conversation;
    if (["closed", "waiting"].includes(this.state)) this.#connect();
  }

  /** Send a message of the protocol; return whether the connection took it. */
  send(message) {
    if (this.state !== "open" || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#setState("connecting");
    const socket = new WebSocket(socketAddress(this.#conversation));
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.close(), OPENING);
    socket.addEventListener("open", () => {
      clearTimeout(this.#timer);
      this.#everOpened = true;
      this.#pinging = setInterval(() => this.#ping(), PING_EVERY);
      this.#setState("open");
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.#socket) this.#take(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    });
  }

  #take(data) {
    // Anything heard proves that the line works.
    clearTimeout(this.#pongTimer);
    this.#tries = 0;
    const message = JSON.parse(data);
    if (message.type !== "pong") this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #ping() {
    if (!this.send({ type: "ping" })) return;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#abandon(), PONG_WITHIN);
  }

  /** Give up on a connection that does not answer: its own close event may take minutes. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    socket.close();
    this.#closed(1006);
  }

  #closed(code) {
    clearTimeout(this.#timer);
    clearTimeout(this.#pongTimer);
    clearInterval(this.#pinging);
    if (code === CLOSED.signedOut || code === CLOSED.notYours) {
      this.#setState("refused", code === CLOSED.signedOut ? "signed_out" : "not_yours");
      return;
    }
    if (code === CLOSED.idle) {
      this.#setState("closed");
      return;
    }
    this.#tries += 1;
    const reason = code === CLOSED.flood ? "flood" : code === CLOSED.tooBig ? "too_big" : "";
    const isHopeless = !this.#everOpened && this.#tries >= TRIES_BEFORE_HTTP && navigator.onLine;
    this.#setState(isHopeless ? "unusable" : "waiting", reason);
    const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#tries);
    const wait = code === CLOSED.flood ? 10000 : ceiling / 2 + (Math.random() * ceiling) / 2;
    // An unusable line is still tried now and then: the proxy in between may be repaired.
    this.#timer = setTimeout(() => this.#connect(), isHopeless ? 60000 : wait);
  }

  /** Try at once: the network or the page is back. */
  #hurry() {
    if (this.state === "waiting") this.#connect();
    else if (this.state === "open") this.#ping();
  }

  #setState(state, reason = "") {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }
}
