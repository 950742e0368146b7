// Talking to a person: asking for one, who it is, and what they say.

import { storedAnswer } from "./answer.js";
import { personLine } from "../line.js";
import { announce, copyOf, fill, find, getJson, here, mine, newest, number, postJson, put, tell, thread, toast, toEnd } from "./ui.js";

const TYPING = 4000; // milliseconds that somebody counts as writing
const strip = find("[data-handoff]");
const button = find("[data-handoff-ask]");
const input = find("[data-input]");
const { placeholder } = input;
const words = (key, values) => fill(strip.dataset[key], values);
let line = null;
let shown = null; // the handoff as it was told last
let writing = 0;
let arriving = Promise.resolve();

/** Ask for a person; where nothing was said yet, `send(text)` sends a message that does. */
export async function request(send) {
  if (!here()) return send(words("request"));
  button.disabled = true;
  await postJson(mine("handoff/")).then(follow).then(() => input.focus()).catch(tell);
  button.disabled = false;
}

find("[data-handoff-end]").onclick = () =>
  postJson(mine("handoff/release/")).then(take, (error) => (error.code === "wrong_status" ? look() : tell(error)));
input.addEventListener("input", () => input.value && line?.typing());
setInterval(() => line && show(), 15000);

export const look = () => getJson(mine("handoff/")).then(follow).catch((error) => [401, 404].includes(error.status) || tell(error));

function follow(handoff) {
  take(handoff);
  if (line || handoff.ended_at) return;
  line = personLine({
    address: `/ws/handoffs/${handoff.id}/`,
    paths: { messages: mine("messages/"), handoff: mine("handoff/") },
    after: newest(),
  });
  line.addEventListener("message", ({ detail }) => (arriving = arriving.then(() => place(detail.message)).catch(tell)));
  line.addEventListener("updated", ({ detail }) => take(detail.handoff));
  line.addEventListener("typing", () => {
    clearTimeout(writing);
    writing = setTimeout(() => show((writing = 0)), TYPING);
    show();
  });
}

/** Show a message that is not on the page yet: of the person who answers, or of another tab. */
async function place({ id, client_message_id: client, role, content, parent, turn, author }) {
  const isAsked = role === "user";
  const element = isAsked ? copyOf("question-template", { text: content }) : await storedAnswer(turn);
  if (find(`[data-message="${id}"], [data-client-id="${CSS.escape(client || id)}"]`, thread)) return;
  Object.assign(element.dataset, { message: id, parent: parent ?? "" });
  if (!isAsked) {
    clearTimeout(writing);
    writing = 0;
    announce(`${author?.name ?? ""}: ${content}`);
  }
  find("[data-empty]")?.remove();
  thread.append(element);
  show();
  toEnd();
}

function take(handoff) {
  const wasOpen = shown && !shown.ended_at;
  const title = find("[data-handoff-title]");
  const before = title.textContent;
  shown = handoff;
  show();
  if (before !== title.textContent) announce(title.textContent);
  if (!handoff.ended_at) return;
  if (wasOpen) toast(words(handoff.status));
  line?.close();
  line = null;
}

function show() {
  const { status, operator, at_desk: desk, present, requested_at: since, ended_at: ended } = shown;
  const name = operator?.name ?? "";
  const minutes = number(Math.max(1, Math.round((Date.now() - new Date(since)) / 60000)));
  let note = "";
  if (status === "waiting") note = words(desk ? "soon" : "away", { minutes });
  else if (writing) note = words("writing", { name });
  else if (present && !present.operator) note = words("absent", { name });
  strip.hidden = Boolean(ended);
  button.hidden = !ended;
  strip.dataset.status = status;
  strip.classList.toggle("is-here", !!present?.operator);
  put(strip, { "handoff-title": words(status, { name }), "handoff-note": note });
  input.placeholder = status === "active" ? words("write", { name }) : placeholder;
}
