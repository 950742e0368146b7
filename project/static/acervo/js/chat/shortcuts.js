// Keys. Single letters work outside of text fields only; the dialog `?` lists them all.

import { isTyping } from "../dom.js";

export function startShortcuts({ composer, conversations, panel, home, stop }) {
  const commands = { o: () => location.assign(home), s: () => conversations.toggle(), f: () => conversations.search() };
  const letters = { "/": () => composer.input.focus(), "?": () => document.getElementById("shortcuts").showModal() };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (!isCommand && event.key === "Escape") {
      if (panel.isOpen) panel.close();
      else if (!conversations.closeDrawer()) stop();
      return;
    }
    if (isCommand ? !event.shiftKey : isTyping(event.target)) return;
    const act = isCommand ? commands[event.key.toLowerCase()] : letters[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
