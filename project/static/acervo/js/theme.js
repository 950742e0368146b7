// Light, dark, or as the system: kept in a cookie, so that the server paints the first frame right.

import { find, getCookie, on, setCookie } from "./dom.js";
import { t } from "./text.js";

const ORDER = ["auto", "light", "dark"];
const current = () => getCookie("acervo_theme") || "auto";

function show() {
  const theme = current();
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const name = t(`theme_${theme}`);
  const label = find("[data-theme-name]");
  if (label) label.textContent = name;
  find("[data-theme-switch]")?.setAttribute("aria-label", t("theme_now", { theme: name }));
}

export function startTheme() {
  show();
  on(document, "click", "[data-theme-switch]", () => {
    const next = ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length];
    setCookie("acervo_theme", next === "auto" ? "" : next);
    show();
  });
}
