// The chat page: joins the box, the connection and what is shown.

import { AnswerView, prepareCitations } from "./answer.js";
import { conversationUpdate, earlierHtml, freshId, messageRegenerate, pageOf, turnStop } from "./api.js";
import { Banner } from "./banner.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { startFeedback } from "./feedback.js";
import { Follower } from "./follower.js";
import { startGolden } from "./golden.js";
import { Handoff } from "./handoff.js";
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
const outbox = new Outbox(chat.dataset.conversation || null);
const composer = new Composer({ limit: Number(chat.dataset.limit), conversation: outbox.conversation });
const states = new StatePicker({ conversation: outbox.conversation, announce });
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

async function ask({ content, parent, state = states.asked, id = freshId() }, element = null) {
  find("[data-empty]")?.remove();
  const question = element ?? questionElement(content, id);
  const where = parentFor(parent);
  if (parent !== undefined) cutBefore(parent);
  const view = new AnswerView();
  view.asked(state.label);
  thread.append(question, view.element);
  note(question, "");
  find("[data-resend]", question).hidden = true;
  composer.setAnswering(true);
  announce(t("answering"));
  scroller.toEnd();
  try {
    const { message, turn, allowance } = await outbox.send(
      { content, parent: where, space: picker?.value, state, id },
      { onConversation: begin, onWait: () => note(question, t("sending")) },
    );
    note(question, "");
    composer.tellLeft(allowance);
    question.dataset.message = message.id;
    question.dataset.parent = message.parent ?? "";
    view.turn = turn.id;
    follow(view);
    conversations.refresh();
  } catch (error) {
    notSent(question, view, { content, parent, state, id }, error);
  }
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
  const why = `${t("not_sent")} ${error.message}`;
  note(question, why);
  question.dataset.sending = "failed";
  const again = find("[data-resend]", question);
  again.hidden = false;
  again.onclick = () => ask(request, question);
  announce(why);
}

/** Say beside a question how its sending goes. */
function note(question, text) {
  delete question.dataset.sending;
  find("[data-state]", question).textContent = text;
}

/** The first question of a new conversation gave it an address. */
function begin(conversation) {
  chat.dataset.conversation = conversations.current = conversation;
  history.replaceState(null, "", pageOf(conversation));
  composer.belongTo(conversation);
  states.belongTo(conversation);
  socket.open(conversation);
}

/** Take away what an edited question replaces on the page; the tree keeps it. */
function cutBefore(parent) {
  const messages = findAll(".question, .answer", thread);
  const at = parent === null ? 0 : messages.findIndex((each) => each.dataset.message === parent) + 1;
  messages.slice(at).forEach((each) => each.remove());
}

// -- Following -------------------------------------------------------------------------------

function follow(view) {
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
  follower.resume();
  socket.open(outbox.conversation);
}

socket.addEventListener("message", ({ detail: event }) => {
  // An error about a turn is settled by its follower, which asks how the turn stands.
  if (event.type !== "error") followers.get(event.turn)?.follower.take(event);
  else if (!event.turn) composer.problem(event.message);
});

socket.addEventListener("state", ({ detail }) => {
  if (detail.state !== "open" && detail.state !== "unusable") return;
  for (const { follower } of followers.values()) follower.resume();
});

async function finished(view, event) {
  followers.delete(view.turn);
  composer.setAnswering(followers.size > 0);
  try {
    await view.loadStored(outbox.conversation);
  } catch (error) {
    if (error.status === 401) banner.signedOut();
    if (!event) view.fail(error.message);
  }
  if (event ? event.route === "human" : !view.message && view.element.dataset.status === "completed") {
    if (!find("[data-notice]", view.element).textContent.trim()) view.element.remove();
    conversations.refresh();
    return people.look();
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
    const { turn } = await messageRegenerate(old.message || answer.dataset.question);
    view.turn = turn.id;
    while (answer.nextElementSibling) answer.nextElementSibling.remove();
    answer.replaceWith(view.element);
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
  ask(detail);
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
  if (followers.size) composer.problem(t("still_answering"));
  else ask({ content: find("[data-question]", button).textContent });
});
picker?.addEventListener("change", async () => {
  showSuggestions(picker.value);
  if (!outbox.conversation) return;
  await conversationUpdate(outbox.conversation, { space: picker.value || null }).catch((error) => toast(error.message));
});

/** Show the questions of the chosen space, or the first of all. */
function showSuggestions(space) {
  let room = Number(find(".suggestions")?.dataset.shown ?? 0);
  for (const item of findAll(".suggestions li")) {
    item.hidden = (space && item.dataset.space !== space) || room <= 0;
    if (!item.hidden) room -= 1;
  }
}

new Commands({
  input: composer.input,
  isUsable: ({ dataset: { go = "", click } }) => (click ? find(click) : outbox.conversation || !go.includes("{id}")),
  run: ({ dataset: { go, click, space } }) => {
    composer.clear();
    if (go) return location.assign(go.replace("{id}", outbox.conversation));
    if (click) return findAll(click).at(-1).click();
    picker.value = space;
    picker.dispatchEvent(new Event("change"));
    announce(picker.selectedOptions[0].textContent);
  },
});
const people = new Handoff({ thread, outbox, announce, scroller, request: (content) => ask({ content }) });
startFeedback(thread);
startGolden(thread);
startShortcuts({ composer, conversations, panel, home: chat.dataset.homeUrl, stop });
prepareCitations(thread);
if (outbox.conversation) socket.open(outbox.conversation);
for (const element of findAll(".answer", thread)) {
  const view = new AnswerView(element);
  if (view.isUnfinished) follow(view);
}
const { unsent } = outbox;
if (unsent && findAll("[data-client-id]").every((each) => each.dataset.clientId !== unsent.id)) ask(unsent);
else outbox.forget();
scroller.toEnd();
