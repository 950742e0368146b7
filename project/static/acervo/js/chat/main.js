// The chat page: joins its parts.

import { answerView } from "./answer.js";
import { isReading, startAttachments } from "./attachments.js";
import * as banner from "./banner.js";
import { startCommands } from "./commands.js";
import * as composer from "./composer.js";
import * as conversations from "./conversations.js";
import "./opinions.js";
import { follower } from "./follower.js";
import * as outbox from "./outbox.js";
import * as panel from "./panel.js";
import { liveSocket } from "../socket.js";
import * as states from "./state.js";
import { announce, api, chat, copyOf, find, findAll, freshId, getJson, here, keepPlace, load, mine, newest, on, onClick, page, patchJson, postJson, put, t, tell, thread, toEnd } from "./ui.js";

const socket = liveSocket(() => `/ws/chat/${here()}/`);
const followers = new Map(); // by turn

// -- Asking

async function ask({ content, parent, state = states.asked, id = freshId() }, question = copyOf("question-template", { text: content })) {
  find("[data-empty]")?.remove();
  question.dataset.clientId = id;
  // Undefined is "behind the newest message", which an older branch does not end with.
  const where = parent === undefined && location.search.includes("leaf=") ? newest() : parent;
  if (parent !== undefined) cutBefore(parent);
  const view = answerView();
  view.asked(state.label);
  thread.append(question, view.element);
  note(question, "");
  find("[data-resend]", question).hidden = true;
  begun();
  try {
    const { message, turn, allowance } = await outbox.send(
      { content, parent: where, state, id },
      { begin, onWait: () => note(question, t("sending")) },
    );
    note(question, "");
    composer.tellLeft(allowance);
    Object.assign(question.dataset, { message: message.id, parent: message.parent ?? "" });
    view.data.turn = turn.id;
    follow(view);
    tabs.postMessage({ ...message, turn: turn.id });
    conversations.refresh();
  } catch (error) {
    notSent(question, view, { content, parent, state, id }, error);
  }
}

function notSent(question, view, request, { status, message }) {
  view.element.remove();
  composer.setAnswering(false);
  if (status === 401) {
    // The draft outlives the way through the sign-in page.
    question.remove();
    composer.write(request.content);
    banner.signedOut();
    return announce(message);
  }
  const why = `${t("not_sent")} ${message}`;
  note(question, why);
  question.dataset.sending = "failed";
  const again = find("[data-resend]", question);
  again.hidden = false;
  again.onclick = () => ask(request, question);
  announce(why);
}

function note(question, state) {
  delete question.dataset.sending;
  put(question, { state });
}

function begun() {
  composer.setAnswering(true);
  announce(t("answering"));
  toEnd();
}

async function begin() {
  const chosen = (field) => find(`[data-field=${field}]`)?.value;
  const { id } = await postJson(api("conversations"), { space: chosen("space") || null, model_tier: chosen("model_tier") ?? "" });
  composer.keep(() => states.keep(() => (chat.dataset.conversation = id)));
  history.replaceState(null, "", page());
  socket.open();
}

/** Take away what an edited question replaces; the tree keeps it. */
function cutBefore(parent) {
  const messages = findAll(".question, .answer", thread);
  const at = parent === null ? 0 : messages.findIndex((each) => each.dataset.message === parent) + 1;
  messages.slice(at).forEach((each) => each.remove());
}

// -- Following

function follow(view) {
  const { turn } = view.data;
  const onEvent = (event, isLast) => {
    view.apply(event);
    if (isLast) finished(view, event);
  };
  const fresh = follower(turn, { socket, onEvent, onStored: () => finished(view) });
  followers.set(turn, fresh);
  composer.setAnswering(true);
  fresh.resume();
  socket.open();
}

socket.addEventListener("message", ({ detail: event }) => {
  // An error about a turn is settled by its follower.
  if (event.type !== "error") followers.get(event.turn)?.take(event);
  else if (!event.turn) composer.problem(event.message);
});

socket.addEventListener("state", ({ detail: { state } }) => {
  if (["open", "unusable"].includes(state)) followers.forEach((each) => each.resume());
});

async function finished(view, event) {
  followers.delete(view.data.turn);
  composer.setAnswering(followers.size > 0);
  try {
    await view.loadStored();
  } catch (error) {
    if (error.status === 401) banner.signedOut();
    if (!event) view.fail(error);
  }
  const { status, message } = view.data;
  conversations.refresh();
  if (event ? event.route === "human" : !message && status === "completed") {
    if (!find("[data-notice]", view.element).textContent.trim()) view.element.remove();
    return withPerson(({ look }) => look());
  }
  announce(t(`answer_${status}`, { count: findAll(".source", view.element).length }));
}

async function stop() {
  for (const turn of followers.keys()) {
    if (!socket.send({ type: "turn.stop", turn })) await postJson(api(`turns/${turn}/stop`)).catch(tell);
  }
}

async function regenerate(answer) {
  const { message, question } = answer.dataset;
  const view = answerView();
  view.asked(find(".answer-state", answer)?.textContent.trim());
  try {
    const { turn } = await postJson(api(`messages/${message || question}/regenerate`));
    view.data.turn = turn.id;
    while (answer.nextElementSibling) answer.nextElementSibling.remove();
    answer.replaceWith(view.element);
    view.element.tabIndex = -1;
    view.element.focus();
    begun();
    follow(view);
  } catch (error) {
    tell(error);
    if (error.status === 401) banner.signedOut();
  }
}

// -- Wiring

// Few ask for a person: what joins one is loaded when somebody does.
const withPerson = (act) => import("./handoff.js").then(act).catch(tell);
onClick("[data-handoff-ask]", () => withPerson(({ request }) => request((content) => ask({ content }))));
if (find("[data-handoff]").dataset.open) withPerson(({ look }) => look());

const whenIdle = (act) => (followers.size ? composer.problem(t("still_answering")) : act());

composer.startComposer({
  send: (question) => {
    if (isReading()) return composer.problem(t("attachment_reading"));
    ask(question);
    composer.write();
    if (matchMedia("(pointer: coarse)").matches) composer.input.blur();
  },
  stop,
  editLast: () => findAll("[data-edit]", thread).at(-1)?.click(),
});
onClick("[data-edit]", (button) => {
  const question = button.closest(".question");
  whenIdle(() => composer.write(find("[data-text]", question).textContent, question.dataset.parent || null));
});
onClick("[data-retry], [data-regenerate]", (button) => whenIdle(() => regenerate(button.closest(".answer"))));
onClick("[data-earlier]", (button) =>
  load(button, page(`earlier/?before=${button.dataset.earlier}`), "earlier_failed", (fresh) => keepPlace(() => button.replaceWith(fresh))),
);
onClick("[data-suggestion]", (button) => whenIdle(() => ask({ content: find("[data-question]", button).textContent })));
on(document, "change", "[data-field]", (_event, { value, dataset: { field } }) => {
  if (here()) patchJson(mine(), { [field]: field === "space" ? value || null : value }).catch(tell);
  if (field !== "space") return;
  // Suggested are questions of the chosen space; how many, the style sheet says.
  for (const each of findAll(".suggestions li")) each.hidden = value && each.dataset.space !== value;
});

startCommands({
  input: composer.input,
  isUsable: ({ dataset: { go = "", click } }) => (click ? find(click) : here() || !go.includes("{id}")),
  run: ({ dataset: { go, click, space } }) => {
    composer.write();
    if (go) return location.assign(go.replace("{id}", here()));
    if (click) return findAll(click).at(-1).click();
    const picker = find("[data-space-picker]");
    picker.value = space;
    picker.dispatchEvent(new Event("change", { bubbles: true }));
    announce(picker.selectedOptions[0].textContent);
  },
});
// Keys. Single letters work outside of text fields only; the dialog `?` lists them all.
const commands = { o: () => location.assign(chat.dataset.homeUrl), s: conversations.toggle, f: conversations.search };
const letters = { "/": () => composer.input.focus(), "?": () => find("#shortcuts").showModal() };
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || find("dialog[open]")) return;
  const isCommand = event.ctrlKey || event.metaKey;
  if (!isCommand && event.key === "Escape") return panel.close() || conversations.closeDrawer() || stop();
  if (isCommand ? !event.shiftKey : event.target.closest("input, textarea, select")) return;
  const act = isCommand ? commands[event.key.toLowerCase()] : letters[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// What another tab asked on the branch that is shown, live.
const tabs = new BroadcastChannel("acervo.asked");
tabs.onmessage = ({ data: { conversation, id, parent, content, turn } }) => {
  if (conversation !== here() || parent !== newest()) return;
  const question = copyOf("question-template", { text: content });
  const view = answerView();
  Object.assign(question.dataset, { message: id, parent });
  view.data.turn = turn;
  thread.append(question, view.element);
  begun();
  follow(view);
};

// What was asked on another branch or machine; once, as it may be of another branch.
window.onfocus = async () => {
  if (!here() || followers.size || composer.input.value) return;
  const { results } = await getJson(`${mine("messages/")}?limit=1`).catch(() => ({}));
  const id = results?.[0]?.id;
  if (!id || history.state === id || find(`[data-message="${id}"]`)) return;
  history.replaceState(id, "");
  location.reload();
};

banner.watch(socket);
startAttachments(begin);
if (here()) socket.open();
for (const element of findAll(".answer", thread)) {
  if (["queued", "running"].includes(element.dataset.status)) follow(answerView(element));
}
const unsent = outbox.unsent();
if (unsent && findAll("[data-client-id]").every((each) => each.dataset.clientId !== unsent.id)) ask(unsent);
else outbox.forget();
toEnd();
