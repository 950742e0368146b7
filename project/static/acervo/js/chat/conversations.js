// The list of conversations, and what can be done with them.

import { api, chat, find, findAll, fromServer, getHtml, here, load, onClick, patchJson, remove, setCookie, t, toast } from "./ui.js";

const NARROW = matchMedia("(max-width: 56rem)");
const LEAVING = "acervo.deleting"; // a conversation that is deleted from its own page
const list = find("[data-conversations]");
const filter = find("[data-filter]");
const body = document.body.classList;
const going = new Map(); // conversations that wait for the end of their undo time
let archived = "";
let asked = 0;
let timer = 0;

const itemOf = (element) => element.closest("[data-conversation-item]");
const idOf = (element) => itemOf(element).dataset.conversationItem;
const nameOf = (element) => find("[data-name]", itemOf(element)).textContent;
const itemWith = (id) => find(`[data-conversation-item="${CSS.escape(id)}"]`, list);
const address = (more) => `/c/?${new URLSearchParams({ q: filter.value.trim(), archived, current: here(), ...more })}`;

// -- Where it is: beside the conversation, or a drawer over it

const isShown = () => (NARROW.matches ? body.contains("drawer-open") : !body.contains("sidebar-closed"));

function show(isNow) {
  if (NARROW.matches) body.toggle("drawer-open", isNow);
  else setCookie("acervo_sidebar", body.toggle("sidebar-closed", !isNow) ? "closed" : "");
  settle();
  find(isNow ? "[data-sidebar] [data-sidebar-toggle]" : ".sidebar-open").focus();
}

function settle() {
  find("#main").inert = NARROW.matches && isShown();
  for (const button of findAll("[data-sidebar-toggle]")) button.ariaExpanded = isShown();
}

export const toggle = () => show(!isShown());

/** Close the drawer; return whether there was one. */
export function closeDrawer() {
  const wasOpen = NARROW.matches && isShown();
  if (wasOpen) show(false);
  return wasOpen;
}

export function search() {
  if (!isShown()) show(true);
  filter.focus();
}

// -- What is in it

export async function refresh() {
  const number = ++asked;
  try {
    const html = await getHtml(address());
    if (number !== asked || find(".menu[open]", list)) return;
    const focused = itemOf(document.activeElement) && idOf(document.activeElement);
    list.replaceChildren(fromServer(html));
    if (focused) find("summary", itemWith(focused) ?? list)?.focus();
    for (const id of going.keys()) setHidden(id, true);
    const shown = find("[aria-current] [data-name]", list)?.textContent;
    if (!shown) return;
    find("[data-chat-title]").textContent = shown;
    document.title = `${shown} · Acervo`;
  } catch {
    if (number === asked && (filter.value || archived)) toast(t("list_failed"));
  }
}

const setHidden = (id, isHidden) => itemWith(id)?.toggleAttribute("hidden", isHidden);

onClick("[data-more]", (button) =>
  load(button, address({ after: button.dataset.more }), "list_failed", (fresh) => {
    const first = find("a", fresh);
    find(".side-archive", list)?.remove();
    button.replaceWith(fresh);
    first.focus();
  }),
);
onClick("[data-archive]", async (button) => {
  archived = button.dataset.archive;
  filter.value = "";
  await refresh();
  find("[data-archive]", list)?.focus();
});
filter.oninput = () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, 220);
};

// -- Changing it

const focusOn = (id) => (find("summary", itemWith(id) ?? list) ?? filter).focus();

async function change(id, fields) {
  await patchJson(api(`conversations/${id}`), fields).catch((error) => toast(`${t("change_failed")} ${error.message}`));
  await refresh();
  focusOn(id);
}

onClick("[data-set]", async (button) => {
  const { set, to, said } = button.dataset;
  const id = idOf(button);
  await change(id, { [set]: Boolean(to) });
  if (said) toast(said, { undo: () => change(id, { [set]: !to }) });
});

onClick("[data-rename]", (button) => {
  const dialog = find("#rename");
  const input = find("input", dialog);
  const id = idOf(button);
  input.value = nameOf(button);
  dialog.returnValue = "";
  dialog.onclose = () => {
    const title = input.value.trim();
    if (dialog.returnValue && title) change(id, { title });
    else focusOn(id);
  };
  dialog.showModal();
  input.select();
});

onClick("[data-delete]", (button) => {
  const gone = { id: idOf(button), title: nameOf(button) };
  if (gone.id !== here()) return goAway(gone);
  sessionStorage.setItem(LEAVING, JSON.stringify(gone));
  location.assign(chat.dataset.homeUrl);
});

function goAway({ id, title }) {
  const hadFocus = itemWith(id)?.contains(document.activeElement);
  setHidden(id, true);
  if (hadFocus) filter.focus();
  const undo = () => {
    going.delete(id);
    setHidden(id, false);
    focusOn(id);
  };
  const done = async (options) => {
    if (!going.delete(id)) return;
    await remove(api(`conversations/${id}`), options).catch(({ status, message }) => {
      if (status !== 404) toast(`${t("delete_failed", { title })} ${message}`);
    });
    refresh();
  };
  going.set(id, done);
  toast(t("deleted", { title }), { undo, done, seconds: 7 });
}

onClick("[data-sidebar-toggle]", toggle);
onClick("[data-sidebar-close]", closeDrawer);
addEventListener("pagehide", () => going.forEach((done) => done({ keepalive: true })));
NARROW.onchange = () => settle(body.remove("drawer-open"));
settle();
// What was begun on its own page.
const left = JSON.parse(sessionStorage.getItem(LEAVING));
sessionStorage.removeItem(LEAVING);
if (left && left.id !== here()) goAway(left);
