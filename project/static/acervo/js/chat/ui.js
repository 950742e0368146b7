// What the parts of the chat page share: its places, its addresses, and saying things.

import { find } from "../dom.js";
import { toast } from "../toast.js";

export const chat = find("[data-chat]");
export const thread = find("[data-thread]");

/** The conversation that is shown, "" before its first question. */
export const here = () => chat.dataset.conversation;

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

/** Return a fresh name for a message; `crypto.randomUUID` exists on https and localhost only. */
export const freshId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("-");
