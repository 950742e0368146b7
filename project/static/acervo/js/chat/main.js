// The chat page: joins its parts.

import { answerView, prepareCitations } from "./answer.js";
import { isReading, startAttachments } from "./attachments.js";
import * as banner from "./banner.js";
import { startCommands } from "./commands.js";
import * as composer from "./composer.js";
import * as conversations from "./conversations.js";
import "./feedback.js";
import { follower } from "./follower.js";
import "./golden.js";
import { look, startHandoff } from "./handoff.js";
import * as outbox from "./outbox.js";
import { keepPlace, toEnd } from "./scroller.js";
import { startShortcuts } from "./shortcuts.js";
import { liveSocket } from "./socket.js";
import * as states from "./state.js";
import { announce, api, chat, copyOf, find, findAll, freshId, here, load, mine, newest, on, page, patchJson, postJson, put, t, tell, thread } from "./ui.js";

const picker = find("[data-space-picker]");
const tierPicker = find("[data-tier-picker]");
const socket = liveSocket();
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
  composer.setAnswering(true);
  announce(t("answering"));
  toEnd();
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

function note(question, text) {
  delete question.dataset.sending;
  put(question, { state: text });
}

async function begin() {
  const { id } = await postJson(api("conversations"), { space: picker?.value || null, model_tier: tierPicker?.value || "" });
  composer.keep(() => states.keep(() => (chat.dataset.conversation = id)));
  history.replaceState(null, "", page());
  socket.open(id);
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
  followers.set(turn, follower(turn, { socket, onEvent, onStored: () => finished(view) }));
  composer.setAnswering(true);
  followers.get(turn).resume();
  socket.open(here());
}

socket.addEventListener("message", ({ detail: event }) => {
  // An error about a turn is settled by its follower.
  if (event.type !== "error") followers.get(event.turn)?.take(event);
  else if (!event.turn) composer.problem(event.message);
});

socket.addEventListener("state", ({ detail: { state } }) => {
  if (!["open", "unusable"].includes(state)) return;
  for (const each of followers.values()) each.resume();
});

async function finished(view, event) {
  followers.delete(view.data.turn);
  composer.setAnswering(followers.size > 0);
  try {
    await view.loadStored();
  } catch (error) {
    if (error.status === 401) banner.signedOut();
    if (!event) view.fail(error.message);
  }
  const { status, message } = view.data;
  conversations.refresh();
  if (event ? event.route === "human" : !message && status === "completed") {
    if (!find("[data-notice]", view.element).textContent.trim()) view.element.remove();
    return look();
  }
  const count = findAll(".source", view.element).length;
  announce(t(status === "completed" ? "answer_ready" : status === "stopped" ? "answer_stopped" : "answer_failed", { count }));
}

async function stop() {
  for (const turn of followers.keys()) {
    if (!socket.send({ type: "turn.stop", turn })) await postJson(api(`turns/${turn}/stop`)).catch(tell);
  }
}

async function regenerate(answer) {
  const { message, question } = answer.dataset;
  const view = answerView();
  view.asked(answerView(answer).askedLabel());
  try {
    const { turn } = await postJson(api(`messages/${message || question}/regenerate`));
    view.data.turn = turn.id;
    while (answer.nextElementSibling) answer.nextElementSibling.remove();
    answer.replaceWith(view.element);
    toEnd();
    announce(t("answering"));
    follow(view);
  } catch (error) {
    tell(error);
    if (error.status === 401) banner.signedOut();
  }
}

// -- Wiring

const whenIdle = (act) => (followers.size ? composer.problem(t("still_answering")) : act());
const edit = (question) =>
  whenIdle(() => composer.edit(find("[data-text]", question).textContent, question.dataset.parent || null));

composer.startComposer({
  send: (question) => {
    if (isReading()) return composer.problem(t("attachment_reading"));
    ask(question);
    composer.clear();
    if (matchMedia("(pointer: coarse)").matches) composer.input.blur();
  },
  stop,
  editLast: () => {
    const last = findAll(".question[data-message]", thread).at(-1);
    if (last) edit(last);
  },
});
on(thread, "click", "[data-edit]", (_event, button) => edit(button.closest(".question")));
on(thread, "click", "[data-retry], [data-regenerate]", (_event, button) => whenIdle(() => regenerate(button.closest(".answer"))));
on(thread, "click", "[data-earlier]", (_event, button) =>
  load(button, page(`earlier/?before=${button.dataset.earlier}`), "earlier_failed", (fresh) => {
    prepareCitations(fresh);
    keepPlace(() => button.replaceWith(fresh));
  }),
);
on(document, "click", "[data-suggestion]", (_event, button) =>
  whenIdle(() => ask({ content: find("[data-question]", button).textContent })),
);
picker?.addEventListener("change", () => {
  // Suggested are questions of the chosen space; how many, the style sheet says.
  for (const each of findAll(".suggestions li")) each.hidden = Boolean(picker.value) && each.dataset.space !== picker.value;
  change({ space: picker.value || null });
});
tierPicker?.addEventListener("change", () => change({ model_tier: tierPicker.value }));

function change(fields) {
  if (here()) patchJson(mine(), fields).catch(tell);
}

startCommands({
  input: composer.input,
  isUsable: ({ dataset: { go = "", click } }) => (click ? find(click) : here() || !go.includes("{id}")),
  run: ({ dataset: { go, click, space } }) => {
    composer.clear();
    if (go) return location.assign(go.replace("{id}", here()));
    if (click) return findAll(click).at(-1).click();
    picker.value = space;
    picker.dispatchEvent(new Event("change"));
    announce(picker.selectedOptions[0].textContent);
  },
});
banner.watch(socket);
startHandoff((content) => ask({ content }));
startAttachments(begin);
startShortcuts({ input: composer.input, stop });
prepareCitations(thread);
if (here()) socket.open(here());
for (const element of findAll(".answer", thread)) {
  if (["queued", "running"].includes(element.dataset.status)) follow(answerView(element));
}
const unsent = outbox.unsent();
if (unsent && findAll("[data-client-id]").every((each) => each.dataset.clientId !== unsent.id)) ask(unsent);
else outbox.forget();
toEnd();
