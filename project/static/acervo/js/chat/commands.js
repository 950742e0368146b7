// Commands: what begins with "/" is looked for in a list that the server rendered.

import { find, findAll, on, onClick } from "./ui.js";

/** `run(option)` does what was chosen; `isUsable(option)` says whether that makes sense now. */
export function startCommands({ input, run, isUsable }) {
  const list = find("[data-commands]");
  let options = []; // those that are shown
  let at = 0; // which of them Enter would choose

  function move(by) {
    at = (at + by + options.length) % options.length;
    options.forEach((each, index) => (each.ariaSelected = index === at));
    options[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[at].id);
  }

  function close() {
    list.hidden = true;
    input.removeAttribute("aria-activedescendant");
  }

  function choose(option = options[at]) {
    close();
    run(option);
  }

  input.addEventListener("input", () => {
    const text = input.value.toLowerCase().trimEnd();
    options = findAll("[role=option]", list).filter((option) => {
      const fits = text && option.dataset.command.toLowerCase().startsWith(text) && isUsable(option);
      option.hidden = !fits;
      return fits;
    });
    if (!options.length) return close();
    list.hidden = false;
    move(-at);
  });
  input.addEventListener("blur", close);
  const keys = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => choose(), Tab: () => choose(), Escape: close };
  // Before the box, which would send the text.
  input.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing || event.shiftKey || !keys[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    keys[event.key]();
  }, { capture: true });
  on(list, "pointerdown", "[role=option]", (event) => event.preventDefault());
  onClick("[role=option]", choose);
}
