// The box in which a question is written: counts, keeps the draft, knows when it may send.

import { chat, find, here, number, t } from "./ui.js";

const SHOW_COUNT_AT = 0.15; // of the limit, still free
const limit = Number(chat.dataset.limit);
export const input = find("[data-input]");
const form = find("[data-composer]");
const sendButton = find("[data-send]");
const stopButton = find("[data-stop]");
const count = find("[data-count]");
const hint = find("[data-hint]");
const editing = find("[data-editing]");
const firstHint = hint.textContent;
let usualHint = firstHint;
let parent; // where an edited question goes: undefined when nothing is edited

/** How many more may be written; the server counts characters, not UTF-16 units. */
const left = () => limit - [...input.value.trim()].length;

/** Drafts outlive the tab; each person of a shared browser has their own. */
const key = () => `acervo.draft.${chat.dataset.person}.${here() || "new"}`;

/** Move the draft along while `begin` gives the conversation its name. */
export function keep(begin) {
  localStorage.removeItem(key());
  begin();
  changed();
}

export function setAnswering(isNow) {
  const hadFocus = [stopButton, sendButton].includes(document.activeElement);
  stopButton.hidden = !isNow;
  sendButton.hidden = isNow;
  if (hadFocus) input.focus();
  changed();
}

/** Write into the box; with `below` it is an edited question, which becomes another version of what stands there. */
export function write(text = "", below = undefined) {
  parent = below;
  editing.hidden = below === undefined;
  input.value = text;
  changed();
  input.focus();
}

export function problem(text) {
  hint.textContent = text || usualHint;
  hint.classList.toggle("is-told", hint.textContent !== firstHint);
  hint.role = text ? "alert" : null;
}

export function tellLeft(allowance) {
  const { remaining, reset, limit: most } = allowance ?? {};
  const isFew = remaining <= Math.max(3, most / 10);
  usualHint = isFew ? t("messages_left", { count: number(remaining), minutes: number(Math.ceil(reset / 60)) }) : firstHint;
  const guests = find("[data-left]");
  if (guests && allowance) guests.textContent = number(remaining);
  problem("");
}

function changed() {
  if (!CSS.supports("field-sizing", "content")) {
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  }
  if (input.value) localStorage.setItem(key(), input.value);
  else localStorage.removeItem(key());
  const isOver = left() < 0;
  count.hidden = left() > limit * SHOW_COUNT_AT;
  count.classList.toggle("is-over", isOver);
  count.textContent = t(isOver ? "chars_over" : "chars_left", { count: number(Math.abs(left())) });
  sendButton.disabled = isOver || left() === limit;
  problem("");
}

export function startComposer({ send, stop, editLast }) {
  form.onsubmit = (event) => {
    event.preventDefault();
    if (left() === limit) return;
    if (left() < 0) problem(t("too_long", { count: number(limit - left()), limit: number(limit) }));
    else if (sendButton.hidden) problem(t("still_answering"));
    else send({ content: input.value.trim(), parent });
  };
  input.addEventListener("input", changed);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "ArrowUp" && !input.value) {
      event.preventDefault();
      editLast();
    } else if (event.key === "Escape" && !editing.hidden) {
      event.stopPropagation();
      write();
    }
  });
  form.onpointerdown = (event) => {
    if (event.target.closest("button, details, input, select, textarea, label, ul")) return;
    event.preventDefault();
    input.focus();
  };
  stopButton.onclick = stop;
  find("[data-editing-cancel]").onclick = () => write();
  input.value ||= localStorage.getItem(key()) ?? "";
  changed();
}
