// Keeps the newest text in view while the reader is at the end, and lets them leave.

import { find, thread } from "./ui.js";

const NEAR = 60; // pixels from the end that count as being there
const box = find("[data-scroller]");
const jump = find("[data-jump]");
let isFollowing = true;

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
  isFollowing = rest < NEAR;
  jump.hidden = rest < 240;
}, { passive: true });
jump.onclick = toEnd;
const observer = new ResizeObserver(() => isFollowing && toEnd());
for (const each of [thread, box]) observer.observe(each);
