// What every page does.

import { on, setCookie } from "./dom.js";
import { startMenus } from "./menus.js";
import { t } from "./text.js";
import { startTheme } from "./theme.js";
import { toast } from "./toast.js";

startTheme();
startMenus();

// The server groups conversations by the reader's day and writes times in their zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) setCookie("acervo_time_zone", zone);

// What somebody began to write is theirs, and stays no longer than they do.
on(document, "submit", "[data-sign-out]", () => localStorage.clear());

on(document, "change", "[data-submits]", (_event, element) => element.form.requestSubmit());

on(document, "click", "[data-copy-link]", async (_event, button) => {
  try {
    await navigator.clipboard.writeText(new URL(button.dataset.copyLink, location.href).href);
    toast(t("link_copied"));
  } catch {
    toast(t("copy_failed"));
  }
});
