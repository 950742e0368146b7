// The line above the conversation that says how the connection is, when it is not well.

import { find, put, t } from "./ui.js";

const PATIENCE = 2500; // milliseconds: most losses are over before a reader needs to know
const banner = find("[data-banner]");
const action = find("[data-banner-action]");
let timer = 0;
let isLasting = false;

/** Say that the session ended, with the way back to this page. */
export function signedOut() {
  show("signed_out", true);
  action.href = `/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`;
}

export function watch(socket) {
  socket.addEventListener("state", ({ detail: { state, reason } }) => {
    clearTimeout(timer);
    if (reason === "signed_out") signedOut();
    else if (reason) show(reason, state === "refused");
    else if (state === "unusable") show("slow_line");
    else if (state === "waiting") timer = setTimeout(() => show(navigator.onLine ? "reconnecting" : "offline"), PATIENCE);
    else if (state !== "connecting") hide();
  });
  addEventListener("offline", () => show("offline"));
  addEventListener("online", hide);
  if (!navigator.onLine) show("offline");
}

function show(key, lasts = false) {
  if (isLasting) return;
  isLasting = lasts;
  put(banner, { "banner-text": t(key) });
  banner.dataset.kind = key;
  banner.hidden = false;
}

function hide() {
  clearTimeout(timer);
  banner.hidden = !isLasting;
}
