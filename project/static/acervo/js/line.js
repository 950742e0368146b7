// The live line of a conversation with a person, for both sides of it.

import { getJson } from "./http.js";
import { liveSocket } from "./socket.js";

const ASK_EVERY = 5000;
const TYPING_EVERY = 2500;

/**
 * Return one, which dispatches "message" {message} once for each, "updated" {handoff}, "typing" {name}, and "over" when
 * there is nothing more to hear. While no socket works the server is asked every few seconds.
 * `address`: path of the socket; `paths`: {messages, handoff}, asked without it; `after`: the last message that is shown.
 */
export function personLine({ address, paths, after = "" }) {
  const line = Object.assign(new EventTarget(), { typing, close });
  const heard = new Set(after && [after]);
  const join = address.includes("?") ? "&" : "?";
  const socket = liveSocket(() => `${address}${join}after=${[...heard].at(-1) ?? ""}`, 1000);
  const asking = setInterval(() => socket.state === "open" || ask(), ASK_EVERY);
  const tell = (type, detail) => line.dispatchEvent(new CustomEvent(type, { detail }));
  let typedAt = 0;
  socket.addEventListener("message", ({ detail: event }) => {
    if (event.type === "handoff.message") take(event.message);
    else tell(event.type.replace("handoff.", ""), event);
  });
  socket.addEventListener("state", ({ detail: { state } }) => ["closed", "refused"].includes(state) && end());
  socket.open();

  /** Tell the other side that one is writing. */
  function typing() {
    if (Date.now() - typedAt > TYPING_EVERY && socket.send({ type: "typing" })) typedAt = Date.now();
  }

  function close() {
    clearInterval(asking);
    socket.close();
  }

  function take(message) {
    if (heard.has(message.id)) return;
    heard.add(message.id);
    tell("message", { message });
  }

  async function ask() {
    try {
      const { results } = await getJson(paths.messages);
      // Of a conversation that was empty on the page, all is new; else only what follows.
      const known = results.findIndex((each) => heard.has(each.id));
      const fresh = known < 0 ? results : results.slice(0, known);
      fresh.reverse().forEach(take);
      const handoff = await getJson(paths.handoff);
      tell("updated", { handoff });
      if (handoff.ended_at) end();
    } catch ({ status }) {
      if ([401, 404].includes(status)) end();
    }
  }

  function end() {
    close();
    tell("over");
  }

  return line;
}
