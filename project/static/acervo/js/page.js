// What every page does.

import { find, getCookie, on, onClick, setCookie } from "./dom.js";

// Light, dark, or as the system: in a cookie, so that the server paints the first frame right.
onClick("[data-theme-switch]", () => {
  const theme = { light: "dark", dark: "" }[getCookie("acervo_theme")] ?? "light";
  setCookie("acervo_theme", theme);
  document.documentElement.dataset.theme = theme;
});

// The server groups conversations by the reader's day and writes times in their zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) setCookie("acervo_time_zone", zone);

// What somebody began to write is theirs, and stays no longer than they do.
on(document, "submit", "[data-sign-out]", () => localStorage.clear());

// Menus are <details> of one name, so that the browser opens one at a time; here they close on Escape,
// on a choice and on clicks elsewhere.

const opened = () => find("[data-menu][open]");
document.addEventListener("click", ({ target }) => {
  const menu = opened();
  if (menu && (target.closest(".menu-item:not([data-theme-switch])") || !menu.contains(target))) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = opened();
  if (event.key !== "Escape" || !menu) return;
  event.stopImmediatePropagation();
  menu.open = false;
  find("summary", menu).focus();
});
onClick("[data-opens]", ({ dataset }) => document.getElementById(dataset.opens).showModal());
