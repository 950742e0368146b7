// The line above the conversation that says how the connection is, when it is not well.

import { find, put, t } from "./ui.js";

const PATIENCE = 2500; // milliseconds: most losses are over before a reader needs to know
const banner = find("[data-banner]");
const action = find("[data-banner-action]");
let timer = 0;
let isLasting = false;

/** Say that the session ended, with the way back to this page. */
export function signedOut() {
  show("signed_out", { lasting: true });
  action.href = `/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`;
  action.textContent = t("sign_in");
  action.hidden = false;
}

export function watch(socket) {
  socket.addEventListener("state", ({ detail: { state, reason } }) => {
    clearTimeout(timer);
    if (state === "refused" && reason === "signed_out") signedOut();
    else if (state === "refused") show("not_yours", { lasting: true });
    else if (state === "open" || state === "closed") hide();
    else if (state === "unusable") show("slow_line", { isCalm: true });
    else if (state === "waiting" && reason === "flood") show("flood");
    else if (state === "waiting") timer = setTimeout(() => show(navigator.onLine ? "reconnecting" : "offline"), PATIENCE);
  });
  addEventListener("offline", () => show("offline"));
  addEventListener("online", hide);
  if (!navigator.onLine) show("offline");
}

function show(key, { lasting = false, isCalm = false } = {}) {
  if (isLasting) return;
  isLasting = lasting;
  put(banner, { "banner-text": t(key) });
  action.hidden = true;
  banner.classList.toggle("banner-calm", isCalm);
  banner.hidden = false;
}

function hide() {
  clearTimeout(timer);
  banner.hidden = !isLasting;
}
