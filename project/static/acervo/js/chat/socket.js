// The live connection of one conversation: opens, keeps alive, comes back after a loss.
//
// `state` is "closed" (not wanted, or idle), "connecting", "open", "waiting" (for the next try),
// "unusable" (nothing ever came over it: use HTTP) or "refused" (signed out, or not this person's).

const FIRST_WAIT = 1000; // milliseconds, doubled with every try; of it any part is waited
const LONGEST_WAIT = 30000;
const OPENING = 8000;
const PING_EVERY = 30000;
const PONG_WITHIN = 10000;
const FIRST_PONG_WITHIN = 4000;
const TRIES_BEFORE_HTTP = 3;
const UNUSABLE_WAIT = 60000;

const CLOSED = { signedOut: 4401, notYours: 4403, idle: 4408, flood: 4429, tooMany: 4430, full: 1013 };

export class Socket extends EventTarget {
  #socket = null;
  #conversation = "";
  #tries = 0;
  #everHeard = false;
  #isProven = false; // this connection: something came over it
  #timer = 0;
  #pinging = 0;
  #pongTimer = 0;
  state = "closed";

  constructor() {
    super();
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
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
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws/chat/${this.#conversation}/`);
    this.#socket = socket;
    this.#isProven = false;
    this.#timer = setTimeout(() => this.#abandon(), OPENING);
    socket.addEventListener("open", () => {
      clearTimeout(this.#timer);
      this.#pinging = setInterval(() => this.#ping(), PING_EVERY);
      this.#setState("open");
      // Some proxies open a line and then let nothing through: the answer proves that it works.
      this.#ping(FIRST_PONG_WITHIN);
    });
    socket.addEventListener("message", ({ data }) => socket === this.#socket && this.#take(data));
    socket.addEventListener("close", ({ code }) => socket === this.#socket && this.#closed(code));
  }

  #take(data) {
    // Anything heard proves that the line works.
    clearTimeout(this.#pongTimer);
    this.#tries = 0;
    this.#everHeard = this.#isProven = true;
    const message = JSON.parse(data);
    if (message.type !== "pong") this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #ping(within = PONG_WITHIN) {
    if (!this.send({ type: "ping" })) return;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#abandon(), within);
  }

  /** Give up on a connection that does not answer: its own close event may take minutes. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#closed(1006);
  }

  #closed(code) {
    clearTimeout(this.#timer);
    clearTimeout(this.#pongTimer);
    clearInterval(this.#pinging);
    const wasProven = this.#isProven;
    this.#isProven = false;
    // A session that was renewed elsewhere has another cookie by now: one try shows it.
    if (code === CLOSED.notYours || (code === CLOSED.signedOut && !wasProven)) {
      return this.#setState("refused", code === CLOSED.signedOut ? "signed_out" : "not_yours");
    }
    if (code === CLOSED.idle) return this.#setState("closed");
    this.#tries += 1;
    const isSilent = !this.#everHeard && this.#tries >= TRIES_BEFORE_HTTP && navigator.onLine;
    const isHopeless = isSilent || code === CLOSED.tooMany;
    this.#setState(isHopeless ? "unusable" : "waiting", code === CLOSED.flood ? "flood" : "");
    // An unusable line is still tried now and then: the proxy in between may be repaired.
    this.#timer = setTimeout(() => this.#connect(), isHopeless ? UNUSABLE_WAIT : this.#pause(code));
  }

  /** Return the milliseconds to wait: chance keeps thousands from coming back at once. */
  #pause(code) {
    if (code === CLOSED.flood) return 10000;
    if (code === CLOSED.signedOut) return 0;
    const doubled = FIRST_WAIT * 2 ** (code === CLOSED.full ? this.#tries + 2 : this.#tries);
    return Math.random() * Math.min(LONGEST_WAIT, doubled);
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
