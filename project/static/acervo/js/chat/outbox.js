// Sending questions so that each arrives once: the same client_message_id until it is accepted.

import { conversationCreate, freshId, messageSend } from "./api.js";
import { RequestFailed } from "../http.js";

const ACCEPT_WITHIN = 6000; // milliseconds for the socket to accept before HTTP is tried
const WAITS = [500, 1000, 2000, 4000, 8000, 15000];
const KEY = "acervo.outbox";

export class Outbox extends EventTarget {
  #socket;
  #waiting = new Map(); // client_message_id -> what its acceptance resolves
  conversation;

  constructor({ socket, conversation }) {
    super();
    this.#socket = socket;
    this.conversation = conversation;
  }

  /** Take a reply that came over the socket; return whether it belonged to a question of ours. */
  take(message) {
    const id = message.client_message_id ?? this.#onlyOne();
    const promise = this.#waiting.get(id);
    if (!promise) return false;
    if (message.type === "message.accepted") promise.resolve(message);
    else promise.reject(new RequestFailed(statusOf(message.code), message.code, message.message));
    return true;
  }

  /** What was written but not accepted when the page was left. */
  get unsent() {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return kept && kept.conversation === this.conversation ? kept : null;
  }

  forget() {
    sessionStorage.removeItem(KEY);
  }

  /**
   * Send a question; resolves to {message, turn, isLive}: whether its events come by themselves.
   * Tries again while the fault may pass, calling `onWait()` before each pause; `id` repeats an
   * earlier attempt.
   */
  async send({ content, parent, space, state, id = freshId() }, { onConversation, onWait }) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (!this.conversation) {
          this.conversation = (await conversationCreate(space)).id;
          onConversation(this.conversation);
        }
        const body = { client_message_id: id, content, ...state?.body };
        if (parent !== undefined) body.parent = parent;
        const { conversation } = this;
        sessionStorage.setItem(KEY, JSON.stringify({ content, parent, state, id, conversation }));
        const accepted = await this.#deliver(body, id);
        this.forget();
        return accepted;
      } catch (error) {
        const isLast = attempt >= WAITS.length && navigator.onLine;
        if (!(error instanceof RequestFailed) || !error.isPassing || isLast) {
          if (!error.isPassing) this.forget();
          throw error;
        }
        onWait(error);
        await pause(error.retryAfter * 1000 || WAITS[Math.min(attempt, WAITS.length - 1)]);
      }
    }
  }

  async #deliver(body, id) {
    if (this.#socket.send({ type: "message.send", ...body })) {
      const accepted = await this.#acceptance(id);
      if (accepted) return { ...accepted, isLive: true };
    }
    return { ...(await messageSend(this.conversation, body)), isLive: false };
  }

  /** Resolve to what the socket accepts, or to null when it says nothing in time. */
  #acceptance(id) {
    return new Promise((resolve, reject) => {
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        this.#socket.removeEventListener("state", changed);
        how(value);
      };
      const changed = (event) => event.detail.state !== "open" && settle(resolve, null);
      const timer = setTimeout(() => settle(resolve, null), ACCEPT_WITHIN);
      this.#socket.addEventListener("state", changed);
      this.#waiting.set(id, {
        resolve: (value) => settle(resolve, value),
        reject: (error) => settle(reject, error),
      });
    });
  }

  #onlyOne() {
    return this.#waiting.size === 1 ? [...this.#waiting.keys()][0] : undefined;
  }
}

function statusOf(code) {
  const limits = ["rate_limited", "flood", "too_many"];
  if (limits.includes(code)) return 429;
  if (code === "unavailable") return 503;
  return code === "unauthenticated" ? 401 : 400;
}

/** Wait, but no longer than until the network is back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      // While offline there is nothing to try.
      if (navigator.onLine) resolve();
      else addEventListener("online", () => resolve(), { once: true });
    }
  });
}
