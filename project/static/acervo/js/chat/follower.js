// Following one turn to its last event, none lost, none twice: over the WebSocket where there is one, else as
// server-sent events, else by long polling. What was seen is dropped by its `seq`; a gap is asked for again.

import { api, getJson } from "./ui.js";

const FINAL = ["completed", "failed", "stopped"];
const SOCKET_GRACE = 1500; // milliseconds to wait for the socket before HTTP is used
const SILENCE = 12000;
const STREAM_TRIES = 2;
const STREAM_SILENCE = 20000;
const STREAM_START = 5000;

/** `onEvent(event, isLast)` gets every event once, in order; `onStored()` says: load what is stored. */
export function follower(turn, { socket, onEvent, onStored }) {
  let http = null;
  let lastHeard = Date.now();
  let askedAt = 0;
  let grace;
  let last = 0;
  let isOver = false;
  const watch = setInterval(look, 4000);

  /** Ask for everything behind what was seen. */
  function resume() {
    if (isOver) return;
    askedAt = Date.now();
    if (socket.send({ type: "turn.resume", turn, after: last })) return endHttp();
    if (socket.state === "unusable") return followOverHttp();
    clearTimeout(grace);
    grace = setTimeout(() => socket.state === "open" || followOverHttp(), SOCKET_GRACE);
  }

  function take(event) {
    if (isOver || event.seq <= last) return;
    lastHeard = Date.now();
    // A reset voids all that came before it, so that what was missed of it does not matter.
    if (event.seq > last + 1 && event.type !== "answer.reset") {
      // Something is missing in between; ask once, not for each event that follows it.
      return Date.now() - askedAt > 1000 && resume();
    }
    last = event.seq;
    if (FINAL.includes(event.type.split("turn.")[1])) end();
    onEvent(event, isOver);
  }

  function end() {
    isOver = true;
    clearInterval(watch);
    clearTimeout(grace);
    endHttp();
  }

  function endHttp() {
    http?.abort();
    http = null;
  }

  /** After a long silence ask the server how the turn stands. */
  async function look() {
    if (Date.now() - lastHeard < SILENCE || !navigator.onLine) return;
    lastHeard = Date.now();
    const { status, last_seq: end } = await getJson(api(`turns/${turn}`)).catch((error) => error);
    if (status === 404 || (FINAL.includes(status) && end <= last)) finishFromStore();
    else resume();
  }

  function finishFromStore() {
    if (isOver) return;
    end();
    onStored();
  }

  async function followOverHttp() {
    if (http || isOver) return;
    const { signal } = (http = new AbortController());
    const ask = (way) => `${api(`turns/${turn}/${way}`)}?after=${last}`;
    let failures = 0;
    while (!signal.aborted) {
      const before = last;
      try {
        if (failures < STREAM_TRIES) await stream(ask("events"), signal);
        else {
          const { events, done } = await getJson(`${ask("poll")}&wait=25`, { signal });
          events.forEach(take);
          if (done) finishFromStore();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 404) return finishFromStore();
        // A stream that brought something may be taken up again; one that did not is of no use.
        failures = last > before ? Math.min(failures, 1) : failures + 1;
        await new Promise((resolve) => setTimeout(resolve, Math.min(8000, 500 * 2 ** failures)));
      }
    }
  }

  /** Take events until the stream ends, which rejects. */
  function stream(address, signal) {
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
        take(JSON.parse(data));
      };
      source.onerror = reject;
      signal.addEventListener("abort", resolve);
    }).finally(() => {
      clearTimeout(timer);
      source.close();
    });
  }

  return { resume, take };
}
