// The chat page: joins the box, the connection and what is shown.

import { AnswerView, prepareCitations } from "./answer.js";
import { conversationUpdate, earlierHtml, freshId, messageRegenerate, pageOf, turnStop } from "./api.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { startFeedback } from "./feedback.js";
import { Follower } from "./follower.js";
import { startGolden } from "./golden.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { Scroller } from "./scroller.js";
import { startShortcuts } from "./shortcuts.js";
import { Socket } from "./socket.js";
import { StatePicker } from "./state.js";
import { copyOf, find, findAll, fromServer, on } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

const chat = find("[data-chat]");
const thread = find("[data-thread]");
const picker = find("[data-space-picker]");
const socket = new Socket();
const banner = new Banner(socket);
const outbox = new Outbox({ socket, conversation: chat.dataset.conversation || null });
const composer = new Composer({ limit: Number(chat.dataset.limit), conversation: outbox.conversation });
const asked = new StatePicker({ conversation: outbox.conversation, announce });
const conversations = new Conversations(outbox.conversation);
const scroller = new Scroller();
const panel = new Panel(thread);
const followers = new Map(); // turn -> {follower, view}

function announce(text) {
  const announcer = find("[data-announcer]");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text));
}

// -- Asking ----------------------------------------------------------------------------------

function questionElement(content, id) {
  const element = copyOf("question-template");
  find("[data-text]", element).textContent = content;
  element.dataset.clientId = id;
  return element;
}

/** Where a new question goes: undefined is "behind the newest message". */
function parentFor(chosen) {
  if (chosen !== undefined) return chosen;
  const isOldBranch = new URLSearchParams(location.search).has("leaf");
  return isOldBranch ? findAll('[data-message]:not([data-message=""])', thread).at(-1)?.dataset.message : undefined;
}

async function ask({ content, parent, state: about = askedNow(), id = freshId() }, element = null) {
  find("[data-empty]")?.remove();
  const question = element ?? questionElement(content, id);
  const where = parentFor(parent);
  if (parent !== undefined) cutBefore(parent);
  const view = new AnswerView();
  view.asked(about.label);
  thread.append(question, view.element);
  state(question, "");
  find("[data-resend]", question).hidden = true;
  composer.setAnswering(true);
  announce(t("answering"));
  scroller.toEnd();
  try {
    const request = { content, parent: where, space: picker?.value, state: about, id };
    const accepted = await outbox.send(request, {
      onConversation: begin,
      onWait: () => state(question, t("sending")),
    });
    state(question, "");
    question.dataset.message = idOf(accepted.message);
    question.dataset.parent = accepted.message?.parent ?? "";
    view.turn = idOf(accepted.turn);
    follow(view, { isFollowedAlready: accepted.isLive });
    conversations.refresh();
  } catch (error) {
    notSent(question, view, { content, parent, state: about, id }, error);
  }
}

/** The state of knowledge that is asked from now on. */
function askedNow() {
  return { body: asked.body, label: asked.label };
}

function notSent(question, view, request, error) {
  view.element.remove();
  composer.setAnswering(false);
  if (error.status === 401) {
    // The text goes back into the box, whose draft outlives the way through the sign-in page.
    question.remove();
    composer.fill(request.content);
    banner.signedOut();
    announce(error.message);
    return;
  }
  question.dataset.sending = "failed";
  state(question, `${t("not_sent")} ${error.message}`);
  const again = find("[data-resend]", question);
  again.hidden = false;
  again.onclick = () => ask(request, question);
  announce(`${t("not_sent")} ${error.message}`);
}

function state(question, text) {
  if (!text) delete question.dataset.sending;
  find("[data-state]", question).textContent = text;
}

/** The first question of a new conversation gave it an address. */
function begin(conversation) {
  chat.dataset.conversation = conversations.current = conversation;
  history.replaceState(null, "", pageOf(conversation));
  composer.belongTo(conversation);
  asked.belongTo(conversation);
  socket.open(conversation);
}

/** Take away what an edited question replaces on the page; the tree keeps it. */
function cutBefore(parent) {
  const messages = findAll(".question, .answer", thread);
  const at = parent === null ? 0 : messages.findIndex((each) => each.dataset.message === parent) + 1;
  messages.slice(at).forEach((each) => each.remove());
}

function idOf(object) {
  return typeof object === "string" ? object : object.id;
}

// -- Following -------------------------------------------------------------------------------

function follow(view, { isFollowedAlready = false } = {}) {
  const follower = new Follower(view.turn, {
    socket,
    onEvent: (event) => {
      view.apply(event);
      if (follower.isOver) finished(view, event);
    },
    onStored: () => finished(view, null),
  });
  followers.set(view.turn, { follower, view });
  composer.setAnswering(true);
  const early = waiting.get(view.turn) ?? [];
  waiting.delete(view.turn);
  early.forEach((event) => follower.take(event));
  // A question that went over the socket is followed there by itself; anything else asks.
  if (!isFollowedAlready || socket.state !== "open") follower.resume();
  socket.open(outbox.conversation);
}

// Events may be here before the reply that says whose they are.
const waiting = new Map();

socket.addEventListener("message", ({ detail: event }) => {
  if (event.type === "message.accepted") outbox.take(event);
  else if (event.type === "error") refused(event);
  else if (followers.has(event.turn)) followers.get(event.turn).follower.take(event);
  else if (event.turn) waiting.set(event.turn, [...(waiting.get(event.turn) ?? []), event]);
});

socket.addEventListener("state", ({ detail }) => {
  if (detail.state !== "open" && detail.state !== "unusable") return;
  for (const { follower } of followers.values()) follower.resume();
});

function refused(event) {
  // An error about a turn is settled by its follower, which asks how the turn stands.
  if (event.turn || outbox.take(event)) return;
  composer.problem(event.message);
}

async function finished(view, event) {
  followers.delete(view.turn);
  composer.setAnswering(followers.size > 0);
  try {
    await view.loadStored(outbox.conversation);
  } catch (error) {
    if (error.status === 401) banner.signedOut();
    if (!event) view.fail(error.message);
  }
  const { status } = view.element.dataset;
  const count = findAll(".source", view.element).length;
  if (status === "completed") announce(t("answer_ready", { count }));
  else announce(t(status === "stopped" ? "answer_stopped" : "answer_failed"));
  conversations.refresh();
}

async function stop() {
  for (const { follower } of followers.values()) {
    if (socket.send({ type: "turn.stop", turn: follower.turn })) continue;
    await turnStop(follower.turn).catch((error) => toast(error.message));
  }
}

async function regenerate(answer) {
  if (followers.size) return composer.problem(t("still_answering"));
  const old = new AnswerView(answer);
  const view = new AnswerView();
  try {
    view.asked(old.askedLabel);
    const turn = await messageRegenerate(old.message || answer.dataset.question);
    view.turn = idOf(turn.turn ?? turn);
    let next = answer;
    while (next) {
      const following = next.nextElementSibling;
      next.remove();
      next = following;
    }
    thread.append(view.element);
    scroller.toEnd();
    announce(t("answering"));
    follow(view);
  } catch (error) {
    toast(error.message);
    if (error.status === 401) banner.signedOut();
  }
}

// -- Wiring ----------------------------------------------------------------------------------

composer.addEventListener("send", ({ detail }) => {
  const { content, parent } = detail;
  ask({ content, parent });
  composer.clear();
  if (matchMedia("(pointer: coarse)").matches) composer.input.blur();
});
composer.addEventListener("stop", stop);
composer.addEventListener("edit-last", () => {
  const last = findAll(".question[data-message]", thread).at(-1);
  if (last) edit(last);
});

function edit(question) {
  if (followers.size) return composer.problem(t("still_answering"));
  composer.edit(find("[data-text]", question).textContent, question.dataset.parent || null);
}

on(thread, "click", "[data-edit]", (_event, button) => edit(button.closest(".question")));
on(thread, "click", "[data-retry], [data-regenerate]", (_event, button) => regenerate(button.closest(".answer")));
on(thread, "click", "[data-earlier]", async (_event, button) => {
  button.disabled = true;
  try {
    const fresh = fromServer(await earlierHtml(outbox.conversation, button.dataset.earlier));
    prepareCitations(fresh);
    scroller.keepPlace(() => button.replaceWith(fresh));
  } catch {
    button.disabled = false;
    toast(t("earlier_failed"));
  }
});
on(document, "click", "[data-suggestion]", (_event, button) => {
  ask({ content: find("[data-question]", button).textContent });
});
picker?.addEventListener("change", async () => {
  showSuggestions(picker.value);
  if (!outbox.conversation) return;
  await conversationUpdate(outbox.conversation, { space: picker.value || null }).catch((error) => toast(error.message));
});

/** Show the questions of the chosen space, or the first of all. */
function showSuggestions(space) {
  const list = find(".suggestions");
  let room = Number(list?.dataset.shown ?? 0);
  for (const item of findAll(".suggestions li")) {
    item.hidden = (space && item.dataset.space !== space) || room <= 0;
    if (!item.hidden) room -= 1;
  }
}

startFeedback(thread);
startGolden(thread);
startShortcuts({ composer, conversations, panel, home: chat.dataset.homeUrl, stop });
prepareCitations(thread);
if (outbox.conversation) socket.open(outbox.conversation);
for (const element of findAll(".answer", thread)) {
  const view = new AnswerView(element);
  if (view.isUnfinished) follow(view);
}
const unsent = outbox.unsent;
if (unsent && findAll("[data-client-id]").every((each) => each.dataset.clientId !== unsent.id)) {
  ask(unsent);
} else {
  outbox.forget();
}
scroller.toEnd();
