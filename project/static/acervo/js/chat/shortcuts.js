// Keys. Single letters work outside of text fields only; the dialog `?` lists them all.

import * as conversations from "./conversations.js";
import * as panel from "./panel.js";
import { chat, find, isTyping } from "./ui.js";

export function startShortcuts({ input, stop }) {
  const commands = { o: () => location.assign(chat.dataset.homeUrl), s: conversations.toggle, f: conversations.search };
  const letters = { "/": () => input.focus(), "?": () => find("#shortcuts").showModal() };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || find("dialog[open]")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (!isCommand && event.key === "Escape") {
      if (!panel.close() && !conversations.closeDrawer()) stop();
      return;
    }
    if (isCommand ? !event.shiftKey : isTyping(event.target)) return;
    const act = isCommand ? commands[event.key.toLowerCase()] : letters[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
