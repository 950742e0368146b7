// Following one turn from any number to its last event: no event lost, none shown twice.
//
// Events come over the WebSocket where there is one, else as server-sent events, else by long
// polling. All carry `seq` 1, 2, 3…; what was seen is dropped, and a gap is asked for again.

import { api } from "./ui.js";
import { getJson } from "../http.js";

const FINAL = ["completed", "failed", "stopped"];
const SOCKET_GRACE = 1500; // milliseconds to wait for the socket before HTTP is used
const SILENCE = 12000;
const STREAM_TRIES = 2;
const STREAM_SILENCE = 20000;
const STREAM_START = 5000;

export class Follower {
  #socket;
  #onEvent;
  #onStored;
  #http = null;
  #lastHeard = Date.now();
  #askedAt = 0;
  #watch = setInterval(() => this.#look(), 4000);
  #grace;
  last = 0;
  isOver = false;

  /** `onEvent(event)` gets every event once, in order; `onStored()` says: load what is stored. */
  constructor(turn, { socket, onEvent, onStored }) {
    this.turn = turn;
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#onStored = onStored;
  }

  /** Ask for everything behind what was seen. */
  resume() {
    if (this.isOver) return;
    this.#askedAt = Date.now();
    if (this.#socket.send({ type: "turn.resume", turn: this.turn, after: this.last })) return this.#endHttp();
    if (this.#socket.state === "unusable") return this.#followOverHttp();
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => this.#socket.state === "open" || this.#followOverHttp(), SOCKET_GRACE);
  }

  /** Take an event of this turn from any transport. */
  take(event) {
    if (this.isOver || event.seq <= this.last) return;
    this.#lastHeard = Date.now();
    // A reset voids all that came before it, so that what was missed of it does not matter.
    if (event.seq > this.last + 1 && event.type !== "answer.reset") {
      // Something is missing in between; ask once, not for each event that follows it.
      if (Date.now() - this.#askedAt > 1000) this.resume();
      return;
    }
    this.last = event.seq;
    if (FINAL.includes(event.type.split("turn.")[1])) this.#end();
    this.#onEvent(event);
  }

  #end() {
    this.isOver = true;
    clearInterval(this.#watch);
    clearTimeout(this.#grace);
    this.#endHttp();
  }

  #endHttp() {
    this.#http?.abort();
    this.#http = null;
  }

  /** After a long silence ask the server how the turn stands. */
  async #look() {
    if (Date.now() - this.#lastHeard < SILENCE || !navigator.onLine) return;
    this.#lastHeard = Date.now();
    try {
      const turn = await getJson(api(`turns/${this.turn}`));
      if (FINAL.includes(turn.status) && turn.last_seq <= this.last) this.#finishFromStore();
      else this.resume();
    } catch (error) {
      if (error.status === 404) this.#finishFromStore();
      else this.resume();
    }
  }

  #finishFromStore() {
    if (this.isOver) return;
    this.#end();
    this.#onStored();
  }

  async #followOverHttp() {
    if (this.#http || this.isOver) return;
    const { signal } = (this.#http = new AbortController());
    const ask = (way) => `${api(`turns/${this.turn}/${way}`)}?after=${this.last}`;
    let failures = 0;
    while (!signal.aborted) {
      const before = this.last;
      try {
        if (failures < STREAM_TRIES) await this.#stream(ask("events"), signal);
        else await this.#poll(`${ask("poll")}&wait=25`, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 404) return this.#finishFromStore();
        // A stream that brought something may be taken up again; one that did not is of no use.
        failures = this.last > before ? Math.min(failures, 1) : failures + 1;
        await new Promise((resolve) => setTimeout(resolve, Math.min(8000, 500 * 2 ** failures)));
      }
    }
  }

  /** Take events until the stream ends, which rejects. */
  #stream(address, signal) {
    const source = new EventSource(address);
    let timer;
    return new Promise((resolve, reject) => {
      const within = (time) => {
        clearTimeout(timer);
        timer = setTimeout(reject, time, {});
      };
      // A proxy that keeps a stream back until its end is no better than one that refuses it.
      within(STREAM_START);
      source.onopen = () => within(STREAM_SILENCE);
      source.onmessage = ({ data }) => {
        within(STREAM_SILENCE);
        this.take(JSON.parse(data));
      };
      source.onerror = reject;
      signal.addEventListener("abort", resolve);
    }).finally(() => {
      clearTimeout(timer);
      source.close();
    });
  }

  async #poll(address, signal) {
    const { events, done } = await getJson(address, { signal });
    for (const event of events) this.take(event);
    if (done) this.#finishFromStore();
  }
}
