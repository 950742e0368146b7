// Commands: what begins with "/" is looked for in a list that the server rendered.

import { find, findAll, on } from "./ui.js";

/** `run(option)` does what was chosen; `isUsable(option)` says whether that makes sense now. */
export function startCommands({ input, run, isUsable }) {
  const list = find("[data-commands]");
  const shown = () => findAll("[role=option]:not([hidden])", list);
  let at = -1; // which of the shown ones Enter would choose

  function move(to) {
    const options = shown();
    at = (to + options.length) % options.length;
    options.forEach((each, index) => (each.ariaSelected = index === at));
    options[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[at].id);
  }

  function close() {
    list.hidden = true;
    input.removeAttribute("aria-activedescendant");
  }

  function choose(option) {
    close();
    run(option);
  }

  input.addEventListener("input", () => {
    const text = input.value.toLowerCase();
    const isCommand = text.startsWith("/") && !text.includes("\n");
    for (const option of findAll("[role=option]", list)) {
      const fits = isCommand && option.dataset.command.toLowerCase().startsWith(text.trimEnd());
      option.hidden = !fits || !isUsable(option);
    }
    if (!shown().length) return close();
    list.hidden = false;
    move(0);
  });
  input.addEventListener("blur", close);
  const keys = {
    ArrowDown: () => move(at + 1),
    ArrowUp: () => move(at - 1),
    Enter: () => choose(shown()[at]),
    Tab: () => choose(shown()[at]),
    Escape: close,
  };
  // Before the box, which would send the text.
  input.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing || event.shiftKey || !keys[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    keys[event.key]();
  }, { capture: true });
  on(list, "pointerdown", "[role=option]", (event) => event.preventDefault());
  on(list, "click", "[role=option]", (_event, option) => choose(option));
}
