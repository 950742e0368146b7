// The box in which a question is written: counts, keeps the draft, knows when it may send.

import { chat, find, here, number, t } from "./ui.js";

const SHOW_COUNT_AT = 0.85; // of the limit
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
let isAnswering = false;
let parent; // where an edited question goes: undefined when nothing is edited

/** The server counts characters, not UTF-16 units. */
const characters = () => [...input.value.trim()].length;

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
  isAnswering = isNow;
  stopButton.hidden = !isNow;
  sendButton.hidden = isNow;
  if (hadFocus) input.focus();
  changed();
}

export function write(text) {
  input.value = text;
  changed();
  input.focus();
}

export function clear() {
  input.value = "";
  endEditing();
  changed();
}

/** Edit a question: the new one becomes another version of it. */
export function edit(text, below) {
  parent = below;
  editing.hidden = false;
  write(text);
}

function endEditing() {
  parent = undefined;
  editing.hidden = true;
}

function cancelEditing() {
  endEditing();
  write("");
}

export function problem(text) {
  hint.textContent = text || usualHint;
  hint.classList.toggle("is-problem", Boolean(text));
  hint.classList.toggle("is-told", hint.textContent !== firstHint);
  hint.role = text ? "alert" : null;
}

export function tellLeft(left) {
  const isFew = left && left.remaining <= Math.max(3, left.limit / 10);
  const values = isFew && { count: number(left.remaining), minutes: number(Math.ceil(left.reset / 60)) };
  usualHint = isFew ? t("messages_left", values) : firstHint;
  if (left && find("[data-left]")) find("[data-left]").textContent = number(left.remaining); // a guest's
  problem("");
}

function changed() {
  if (!CSS.supports("field-sizing", "content")) {
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  }
  if (input.value) localStorage.setItem(key(), input.value);
  else localStorage.removeItem(key());
  const length = characters();
  const left = limit - length;
  count.hidden = length < limit * SHOW_COUNT_AT;
  count.classList.toggle("is-over", left < 0);
  count.textContent = t(left < 0 ? "chars_over" : "chars_left", { count: number(Math.abs(left)) });
  sendButton.disabled = length === 0 || left < 0;
  problem("");
}

export function startComposer({ send, stop, editLast }) {
  function submit() {
    const length = characters();
    if (!length) return;
    if (length > limit) problem(t("too_long", { count: number(length), limit: number(limit) }));
    else if (isAnswering) problem(t("still_answering"));
    else send({ content: input.value.trim(), parent });
  }

  input.addEventListener("input", changed);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !input.value) {
      event.preventDefault();
      editLast();
    } else if (event.key === "Escape" && !editing.hidden) {
      event.stopPropagation();
      cancelEditing();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, details, input, select, textarea, label, ul")) return;
    event.preventDefault();
    input.focus();
  });
  stopButton.onclick = stop;
  find("[data-editing-cancel]").onclick = cancelEditing;
  input.value ||= localStorage.getItem(key()) ?? "";
  changed();
}
