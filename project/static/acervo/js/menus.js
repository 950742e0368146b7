// Menus are <details>; here they close on Escape, on a choice and on clicks elsewhere.

import { find, findAll, on } from "./dom.js";

function closeAll(except = null) {
  for (const menu of findAll("[data-menu][open]")) if (menu !== except) menu.open = false;
}

/** Place the list of a menu inside a scrolling list, which would clip it. */
function place(menu) {
  const list = find(".menu-list", menu);
  const anchor = find("summary", menu).getBoundingClientRect();
  const below = window.innerHeight - anchor.bottom > list.offsetHeight + 12;
  list.style.left = `${Math.min(anchor.left, window.innerWidth - list.offsetWidth - 8)}px`;
  list.style.top = below ? `${anchor.bottom + 4}px` : `${anchor.top - list.offsetHeight - 4}px`;
}

export function startMenus() {
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!menu.matches?.("[data-menu]") || !menu.open) return;
      closeAll(menu);
      if (menu.classList.contains("menu-row")) place(menu);
    },
    true,
  );
  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-menu]");
    const isChoice = event.target.closest(".menu-item") && !event.target.closest("[data-theme-switch]");
    closeAll(isChoice ? null : menu);
  });
  document.addEventListener("scroll", () => findAll(".menu-row[open]").forEach((menu) => (menu.open = false)), true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = find("[data-menu][open]");
    if (!menu) return;
    event.stopImmediatePropagation();
    menu.open = false;
    find("summary", menu).focus();
  });
  on(document, "click", "[data-opens]", (_event, button) => {
    document.getElementById(button.dataset.opens)?.showModal();
  });
}
