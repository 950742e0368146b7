// Keys. Single letters work outside of text fields only; the dialog `?` lists them all.

import { isTyping } from "../dom.js";

export function startShortcuts({ composer, conversations, panel, home, stop }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const isCommand = (event.ctrlKey || event.metaKey) && event.shiftKey;
    if (isCommand) {
      const act = { o: () => location.assign(home), s: () => conversations.toggle(), f: () => conversations.search() }[
        event.key.toLowerCase()
      ];
      if (!act) return;
      event.preventDefault();
      act();
    } else if (event.key === "Escape") {
      if (panel.isOpen) panel.close();
      else if (!conversations.closeDrawer()) stop();
    } else if (!event.ctrlKey && !event.metaKey && !isTyping(event.target)) {
      if (event.key === "/") {
        event.preventDefault();
        composer.input.focus();
      } else if (event.key === "?") {
        event.preventDefault();
        document.getElementById("shortcuts").showModal();
      }
    }
  });
}
