// Following one turn from any number to its last event: no event lost, none shown twice.
//
// Events come over the WebSocket where there is one, else as server-sent events, else by long
// polling. All carry `seq` 1, 2, 3…; what was seen is dropped, and a gap is asked for again.

import { turnGet, turnPoll, turnStream } from "./api.js";

const FINAL = new Set(["turn.completed", "turn.failed", "turn.stopped"]);
const FINAL_STATUS = new Set(["completed", "failed", "stopped"]);
const SOCKET_GRACE = 1500; // milliseconds to wait for the socket before HTTP is used
const SILENCE = 12000;
const STREAM_TRIES = 2;
const STREAM_SILENCE = 20000; // the server says something every 15 s, and at once when it begins
const STREAM_START = 5000;

export class Follower {
  #socket;
  #onEvent;
  #onStored;
  #http = null;
  #lastHeard = Date.now();
  #askedAt = 0;
  #watch;
  #grace;
  isOver = false;

  /** `onEvent(event)` gets every event once, in order; `onStored()` says: load what is stored. */
  constructor(turn, { socket, after = 0, onEvent, onStored }) {
    this.turn = turn;
    this.last = after;
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#onStored = onStored;
    this.#watch = setInterval(() => this.#look(), 4000);
  }

  /** Ask for everything behind what was seen. */
  resume() {
    if (this.isOver) return;
    this.#askedAt = Date.now();
    if (this.#socket.send({ type: "turn.resume", turn: this.turn, after: this.last })) {
      this.#endHttp();
    } else if (this.#socket.state === "unusable") {
      this.#followOverHttp();
    } else {
      clearTimeout(this.#grace);
      this.#grace = setTimeout(() => {
        if (this.#socket.state !== "open") this.#followOverHttp();
      }, SOCKET_GRACE);
    }
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
    if (FINAL.has(event.type)) this.end();
    this.#onEvent(event);
  }

  end() {
    this.isOver = true;
    clearInterval(this.#watch);
    clearTimeout(this.#grace);
    this.#endHttp();
  }

  /** After a long silence ask the server how the turn stands. */
  async #look() {
    if (this.isOver || Date.now() - this.#lastHeard < SILENCE || !navigator.onLine) return;
    this.#lastHeard = Date.now();
    try {
      const turn = await turnGet(this.turn);
      if (this.isOver) return;
      if (FINAL_STATUS.has(turn.status) && turn.last_seq <= this.last) this.#finishFromStore();
      else this.resume();
    } catch (error) {
      if (error.status === 404) this.#finishFromStore();
      else this.resume();
    }
  }

  #finishFromStore() {
    this.end();
    this.#onStored();
  }

  #endHttp() {
    this.#http?.abort();
    this.#http = null;
  }

  async #followOverHttp() {
    if (this.#http || this.isOver) return;
    const control = new AbortController();
    this.#http = control;
    let failures = 0;
    while (!control.signal.aborted && !this.isOver) {
      const before = this.last;
      try {
        if (failures < STREAM_TRIES) await this.#stream(control.signal);
        else await this.#poll(control.signal);
        if (failures < STREAM_TRIES && !this.isOver) failures += 1;
      } catch (error) {
        if (control.signal.aborted) return;
        if (error.status === 404) return this.#finishFromStore();
        // A stream that brought something may be taken up again; one that did not is of no use.
        failures = this.last > before ? Math.min(failures, 1) : failures + 1;
        await new Promise((resolve) => setTimeout(resolve, Math.min(8000, 500 * 2 ** failures)));
      }
    }
  }

  async #stream(signal) {
    // A proxy that keeps a stream back until its end is no better than one that refuses it.
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), STREAM_START);
    try {
      const response = await turnStream(this.turn, this.last, AbortSignal.any([signal, silence.signal]));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), STREAM_SILENCE);
        buffer += value;
        const parts = buffer.replaceAll("\r\n", "\n").split("\n\n");
        buffer = parts.pop();
        for (const part of parts) this.#takePart(part);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #takePart(part) {
    const lines = part.split("\n").filter((line) => line.startsWith("data:"));
    const data = lines.map((line) => line.slice(5).trimStart()).join("\n");
    if (data) this.take(JSON.parse(data));
  }

  async #poll(signal) {
    const { events, done } = await turnPoll(this.turn, this.last, signal);
    for (const event of events) this.take(event);
    if (done && !this.isOver) this.#finishFromStore();
  }
}
