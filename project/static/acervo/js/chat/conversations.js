// The list of conversations, and what can be done with them.

import { api, chat, find, findAll, fromServer, getHtml, here, load, on, patchJson, remove, setCookie, t, toast } from "./ui.js";

const NARROW = matchMedia("(max-width: 56rem)");
const UNDO_SECONDS = 7;
const LEAVING = "acervo.deleting"; // a conversation that is deleted from its own page
const list = find("[data-conversations]");
const filter = find("[data-filter]");
const body = document.body.classList;
const going = new Map(); // conversations that wait for the end of their undo time
let archived = "";
let asked = 0;
let timer = 0;

const itemOf = (element) => element.closest("[data-conversation-item]");
const idOf = (item) => item.dataset.conversationItem;
const nameOf = (item) => find("[data-name]", item).textContent;
const itemWith = (id) => find(`[data-conversation-item="${CSS.escape(id)}"]`, list);
const query = (more = {}) => ({ q: filter.value.trim(), archived, current: here(), ...more });
const address = (wanted) => `/c/?${new URLSearchParams(wanted)}`;

// -- Where it is

export function toggle() {
  if (NARROW.matches) return setDrawer(!body.contains("drawer-open"));
  setCookie("acervo_sidebar", body.toggle("sidebar-closed") ? "closed" : "");
  syncButtons();
  findAll("[data-sidebar-toggle]").find((each) => each.offsetParent)?.focus();
}

export function closeDrawer() {
  const wasOpen = body.contains("drawer-open");
  if (wasOpen) setDrawer(false);
  return wasOpen;
}

export function search() {
  if (NARROW.matches) setDrawer(true);
  else if (body.contains("sidebar-closed")) toggle();
  filter.focus();
}

function setDrawer(isOpen) {
  const wasOpen = body.contains("drawer-open");
  body.toggle("drawer-open", isOpen);
  find("#main").inert = isOpen;
  syncButtons();
  if (isOpen) find("[data-sidebar] :is(a, button)").focus();
  else if (wasOpen) find(".sidebar-open").focus();
}

function syncButtons() {
  const isShown = NARROW.matches ? body.contains("drawer-open") : !body.contains("sidebar-closed");
  for (const button of findAll("[data-sidebar-toggle]")) button.ariaExpanded = isShown;
}

// -- What is in it

export async function refresh() {
  const number = ++asked;
  const wanted = query();
  try {
    const html = await getHtml(address(wanted));
    if (number !== asked || find(".menu[open]", list)) return;
    const focused = itemOf(document.activeElement);
    list.replaceChildren(fromServer(html));
    if (focused) find("summary", itemWith(idOf(focused)) ?? list)?.focus();
    for (const id of going.keys()) setHidden(id, true);
    const shown = find("[aria-current] [data-name]", list);
    if (!shown) return;
    find("[data-chat-title]").textContent = shown.textContent;
    document.title = `${shown.textContent} · Acervo`;
  } catch {
    if (number === asked && (wanted.q || archived)) toast(t("list_failed"));
  }
}

function setHidden(id, isHidden) {
  itemWith(id)?.toggleAttribute("hidden", isHidden);
}

const more = (button) =>
  load(button, address(query({ after: button.dataset.more })), "list_failed", (fresh) => {
    const first = find(".conversation-link", fresh);
    find(".side-archive", list)?.remove();
    button.replaceWith(fresh);
    first?.focus();
  });

// -- Changing it

async function change(id, fields) {
  await patchJson(api(`conversations/${id}`), fields).catch((error) => toast(`${t("change_failed")} ${error.message}`));
  await refresh();
  const place = itemWith(id) ?? find(".conversation", list);
  (place ? find("summary", place) : filter).focus();
}

async function set(button) {
  const { set: name, to } = button.dataset;
  const id = idOf(itemOf(button));
  const run = (value) => change(id, { [name]: value });
  await run(Boolean(to));
  if (name !== "archived") return;
  toast(t(to ? "archived" : "brought_back"), { action: { label: t("undo"), run: () => run(!to) } });
}

function rename(item) {
  const dialog = find("#rename");
  const input = find("input", dialog);
  input.value = nameOf(item);
  dialog.returnValue = "";
  dialog.onclose = () => {
    const title = input.value.trim();
    if (dialog.returnValue && title) change(idOf(item), { title });
  };
  dialog.showModal();
  input.select();
}

function leave(item) {
  const [id, title] = [idOf(item), nameOf(item)];
  if (id !== here()) return goAway(id, title);
  sessionStorage.setItem(LEAVING, JSON.stringify({ id, title }));
  location.assign(chat.dataset.homeUrl);
}

function goAway(id, title) {
  setHidden(id, true);
  const finish = async (isLeaving) => {
    if (!going.delete(id)) return;
    await remove(api(`conversations/${id}`), { keepalive: isLeaving }).catch((error) => {
      if (error.status !== 404) toast(`${t("delete_failed", { title })} ${error.message}`);
    });
    if (!isLeaving) refresh();
  };
  const run = () => {
    going.delete(id);
    setHidden(id, false);
  };
  going.set(id, finish);
  toast(t("deleted", { title }), {
    action: { label: t("undo"), run },
    done: () => finish(false),
    seconds: UNDO_SECONDS,
  });
}

const onClick = (selector, handler) => on(document, "click", selector, (_event, element) => handler(element));
onClick("[data-sidebar-toggle]", toggle);
onClick("[data-sidebar-close]", () => setDrawer(false));
onClick("[data-more]", more);
onClick("[data-rename]", (button) => rename(itemOf(button)));
onClick("[data-set]", set);
onClick("[data-delete]", (button) => leave(itemOf(button)));
onClick("[data-archive]", async (button) => {
  archived = button.dataset.archive;
  filter.value = "";
  await refresh();
  find("[data-archive]", list)?.focus();
});
filter.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, 220);
});
addEventListener("pagehide", () => going.forEach((finish) => finish(true)));
NARROW.addEventListener("change", () => setDrawer(false));
syncButtons();
// What was begun on its own page.
const { id: left, title } = JSON.parse(sessionStorage.getItem(LEAVING) ?? "{}");
sessionStorage.removeItem(LEAVING);
if (left && left !== here()) goAway(left, title);
