// Sending questions so that each arrives once: the same client_message_id until it is accepted.

import { here, mine, postJson } from "./ui.js";

const WAITS = [500, 1000, 2000, 4000, 8000, 15000];
const LONGEST = 30; // seconds
const KEY = "acervo.outbox";

/** Return what was written here but not accepted when the page was left. */
export function unsent() {
  const kept = JSON.parse(sessionStorage.getItem(KEY));
  return kept?.conversation === here() ? kept : null;
}

export const forget = () => sessionStorage.removeItem(KEY);

/** Send a question, again while the fault may pass, with `onWait()` before each pause; `id` repeats one. */
export async function send({ content, parent, state, id }, { begin, onWait }) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (!here()) await begin();
      sessionStorage.setItem(KEY, JSON.stringify({ content, parent, state, id, conversation: here() }));
      const accepted = await postJson(mine("messages/"), { client_message_id: id, content, parent, ...state?.body });
      forget();
      return accepted;
    } catch (error) {
      const isLong = error.retryAfter > LONGEST; // a limit: the question stays, with a button
      if (!error.isPassing) forget();
      if (!error.isPassing || isLong || (attempt >= WAITS.length && navigator.onLine)) throw error;
      onWait();
      await pause(error.retryAfter * 1000 || (WAITS[attempt] ?? WAITS.at(-1)));
    }
  }
}

/** Wait, or until the network is back; while offline there is nothing to try. */
const pause = (milliseconds) =>
  new Promise((resolve) => {
    addEventListener("online", resolve, { once: true });
    if (navigator.onLine) setTimeout(resolve, milliseconds);
  });
