// Short messages at the edge of the page.

import { find } from "./dom.js";

const SECONDS = 6;

/**
 * Show a message for some seconds, longer while the pointer or the keyboard is on it.
 * `action` is {label, run}; `done` is called when the message goes away without the action.
 */
export function toast(text, { action = null, done = null, seconds = SECONDS } = {}) {
  const element = document.createElement("div");
  element.className = "toast";
  const sentence = document.createElement("p");
  sentence.textContent = text;
  element.append(sentence);
  let isOver = false;
  let timer = 0;
  const close = (wasUsed) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    element.remove();
    if (!wasUsed) done?.();
  };
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action.label;
    button.addEventListener("click", () => {
      close(true);
      action.run();
    });
    element.append(button);
  }
  const start = () => {
    clearTimeout(timer);
    timer = setTimeout(close, seconds * 1000, false);
  };
  const hold = () => clearTimeout(timer);
  element.addEventListener("pointerenter", hold);
  element.addEventListener("pointerleave", start);
  element.addEventListener("focusin", hold);
  element.addEventListener("focusout", start);
  find("#toasts").append(element);
  start();
  return () => close(false);
}
