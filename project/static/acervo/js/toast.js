// Short messages at the edge of the page.

import { copyOf, find } from "./dom.js";
import { t } from "./text.js";

/**
 * Show a message for some seconds, longer while the pointer or the keyboard is on it.
 * `undo` is what its button does; `done` is called when the message goes away without that.
 */
export function toast(text, { undo, done, seconds = 6 } = {}) {
  const element = copyOf("toast-template", { text });
  const button = find("button", element);
  let timer = 0;
  const hold = () => clearTimeout(timer);
  const close = (then) => {
    element.remove();
    hold(); // only now: what is removed loses the focus, too
    then?.();
  };
  const start = () => {
    hold();
    if (element.isConnected) timer = setTimeout(close, seconds * 1000, done);
  };
  if (undo) button.onclick = () => close(undo);
  else button.remove();
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, hold);
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, start);
  find("#toasts").append(element);
  start();
}

/** Copy a text and say how that went, with the sentence `said` when well. */
export async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t(said), { seconds: 2 });
  } catch {
    toast(t("copy_failed"));
  }
}
