// What the parts of the chat page share: helpers of all pages, its places and addresses.

import { find, findAll, fromServer } from "../dom.js";
import { getHtml } from "../http.js";
import { t } from "../text.js";
import { copyText, toast } from "../toast.js";

export * from "../dom.js";
export * from "../http.js";
export * from "../text.js";
export { copyText, toast };

export const chat = find("[data-chat]");
export const thread = find("[data-thread]");

/** The conversation that is shown, "" before its first question. */
export const here = () => chat.dataset.conversation;

/** The newest message that is shown. */
export const newest = () => findAll('[data-message]:not([data-message=""])', thread).at(-1)?.dataset.message;

export const api = (path) => `/api/v1/${path}/`;
export const mine = (path = "") => `/api/v1/conversations/${here()}/${path}`;
export const page = (path = "") => `/c/${here()}/${path}`;

/** Tell those who listen instead of looking. */
export function announce(text) {
  const announcer = find("[data-announcer]");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text));
}

/** For `catch`: say what went wrong. */
export const tell = ({ message }) => toast(message);

/** Put the piece that a button asks for where `place` says, or say what failed. */
export async function load(button, address, failed, place) {
  button.disabled = true;
  try {
    place(fromServer(await getHtml(address)));
  } catch {
    button.disabled = false;
    toast(t(failed));
  }
}

/** Return a fresh name for a message; `crypto.randomUUID` exists on https and localhost only. */
export const freshId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// -- The newest text stays in view while the reader is at the end; they may leave.

const NEAR = 60; // pixels from the end that count as being there
const box = find("[data-scroller]");
const jump = find("[data-jump]");
let isFollowing = true;
let top = 0;

export function toEnd() {
  isFollowing = true;
  box.scrollTop = box.scrollHeight;
}

/** Run `change`, which puts something above, without moving what is in view. */
export function keepPlace(change) {
  const before = box.scrollHeight - box.scrollTop;
  isFollowing = false;
  change();
  box.scrollTop = box.scrollHeight - before;
}

box.addEventListener("scroll", () => {
  const rest = box.scrollHeight - box.scrollTop - box.clientHeight;
  isFollowing = rest < NEAR || (isFollowing && box.scrollTop >= top); // only who goes up leaves
  top = box.scrollTop;
  jump.hidden = rest < 240;
}, { passive: true });
jump.onclick = toEnd;
const observer = new ResizeObserver(() => isFollowing && toEnd());
for (const each of [thread, box]) observer.observe(each);
