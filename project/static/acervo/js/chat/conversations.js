// The list of conversations: drawer, search, archive, rename, pin, delete with undo.

import { conversationDelete, conversationUpdate, listHtml } from "./api.js";
import { find, findAll, fromServer, on, setCookie } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

const NARROW = matchMedia("(max-width: 56rem)");
const UNDO_SECONDS = 7;
const LEAVING = "acervo.deleting"; // a conversation that is deleted from its own page

export class Conversations {
  #list = find("[data-conversations]");
  #filter = find("[data-filter]");
  #archived = "";
  #asked = 0;
  #timer = 0;
  #going = new Map(); // conversations that wait for the end of their undo time

  constructor(current) {
    this.current = current;
    on(document, "click", "[data-sidebar-toggle]", () => this.toggle());
    on(document, "click", "[data-sidebar-close]", () => this.#drawer(false));
    on(this.#list, "click", "[data-more]", (_event, button) => this.#more(button));
    on(this.#list, "click", "[data-archive]", (_event, button) => this.#turnTo(button.dataset.archive));
    on(this.#list, "click", "[data-rename]", (_event, button) => this.#rename(itemOf(button)));
    on(this.#list, "click", "[data-set]", (_event, button) => this.#set(button));
    on(this.#list, "click", "[data-delete]", (_event, button) => this.#delete(itemOf(button)));
    this.#filter.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.refresh(), 220);
    });
    addEventListener("pagehide", () => this.#going.forEach((finish) => finish(true)));
    NARROW.addEventListener("change", () => this.#drawer(false));
    this.#syncButtons();
    // Finish, or take back, what was begun on the page of the conversation itself.
    const { id, title } = JSON.parse(sessionStorage.getItem(LEAVING) ?? "{}");
    sessionStorage.removeItem(LEAVING);
    if (id && id !== current) this.#goAway(id, title);
  }

  get isDrawerOpen() {
    return document.body.classList.contains("drawer-open");
  }

  toggle() {
    if (NARROW.matches) return this.#drawer(!this.isDrawerOpen);
    const isClosed = document.body.classList.toggle("sidebar-closed");
    setCookie("acervo_sidebar", isClosed ? "closed" : "");
    this.#syncButtons();
    findAll("[data-sidebar-toggle]").find((each) => each.offsetParent)?.focus();
  }

  closeDrawer() {
    const wasOpen = this.isDrawerOpen;
    if (wasOpen) this.#drawer(false);
    return wasOpen;
  }

  search() {
    if (NARROW.matches) this.#drawer(true);
    else if (document.body.classList.contains("sidebar-closed")) this.toggle();
    this.#filter.focus();
  }

  /** Load the list again, for instance because a conversation got its name. */
  async refresh() {
    const asked = ++this.#asked;
    const query = this.#query();
    try {
      const html = await listHtml(query);
      if (asked !== this.#asked || find(".menu[open]", this.#list)) return;
      const focused = itemOf(document.activeElement)?.dataset.conversationItem;
      this.#list.replaceChildren(fromServer(html));
      if (focused) find("summary", this.#item(focused) ?? this.#list)?.focus();
      for (const id of this.#going.keys()) this.#item(id)?.setAttribute("hidden", "");
      const shown = find("[aria-current] [data-name]", this.#list);
      if (!shown) return;
      find("[data-chat-title]").textContent = shown.textContent;
      document.title = `${shown.textContent} · Acervo`;
    } catch {
      if (asked === this.#asked && (query.q || query.archived)) toast(t("list_failed"));
    }
  }

  #query() {
    return { q: this.#filter.value.trim(), archived: this.#archived, current: this.current ?? "" };
  }

  #drawer(isOpen) {
    const wasOpen = this.isDrawerOpen;
    document.body.classList.toggle("drawer-open", isOpen);
    find("#main").inert = isOpen;
    this.#syncButtons();
    if (isOpen) find("[data-sidebar] :is(a, button)").focus();
    else if (wasOpen) find(".sidebar-open").focus();
  }

  #syncButtons() {
    const isShown = NARROW.matches ? this.isDrawerOpen : !document.body.classList.contains("sidebar-closed");
    for (const button of findAll("[data-sidebar-toggle]")) button.setAttribute("aria-expanded", isShown);
  }

  #item(id) {
    return find(`[data-conversation-item="${CSS.escape(id)}"]`, this.#list);
  }

  /** Show the archived conversations, or the others again. */
  async #turnTo(archived) {
    this.#archived = archived;
    this.#filter.value = "";
    await this.refresh();
    find("[data-archive]", this.#list)?.focus();
  }

  async #more(button) {
    button.disabled = true;
    try {
      const fresh = fromServer(await listHtml({ after: button.dataset.more, ...this.#query() }));
      const first = find(".conversation-link", fresh);
      find(".side-archive", this.#list)?.remove();
      button.replaceWith(fresh);
      first?.focus();
    } catch {
      button.disabled = false;
      toast(t("list_failed"));
    }
  }

  async #change(id, fields) {
    await conversationUpdate(id, fields).catch((error) => toast(`${t("change_failed")} ${error.message}`));
    await this.refresh();
    const place = this.#item(id) ?? find(".conversation", this.#list);
    (place ? find("summary", place) : this.#filter).focus();
  }

  /** Pin or archive, or undo that. */
  async #set(button) {
    const { set, to } = button.dataset;
    const change = (value) => this.#change(itemOf(button).dataset.conversationItem, { [set]: value });
    await change(Boolean(to));
    if (set !== "archived") return;
    toast(t(to ? "archived" : "brought_back"), { action: { label: t("undo"), run: () => change(!to) } });
  }

  #rename(item) {
    const dialog = find("#rename");
    const input = find("input", dialog);
    input.value = nameOf(item);
    dialog.returnValue = "";
    dialog.onclose = () => {
      const title = input.value.trim();
      if (dialog.returnValue && title) this.#change(item.dataset.conversationItem, { title });
    };
    dialog.showModal();
    input.select();
  }

  #delete(item) {
    const id = item.dataset.conversationItem;
    if (id !== this.current) return this.#goAway(id, nameOf(item));
    sessionStorage.setItem(LEAVING, JSON.stringify({ id, title: nameOf(item) }));
    location.assign(find("[data-chat]").dataset.homeUrl);
  }

  #goAway(id, title) {
    this.#item(id)?.setAttribute("hidden", "");
    const finish = async (isLeaving) => {
      if (!this.#going.delete(id)) return;
      try {
        await conversationDelete(id, { keepalive: isLeaving });
      } catch (error) {
        if (error.status !== 404) toast(`${t("delete_failed", { title })} ${error.message}`);
      }
      if (!isLeaving) this.refresh();
    };
    const run = () => {
      this.#going.delete(id);
      this.#item(id)?.removeAttribute("hidden");
    };
    this.#going.set(id, finish);
    toast(t("deleted", { title }), {
      action: { label: t("undo"), run },
      done: () => finish(false),
      seconds: UNDO_SECONDS,
    });
  }
}

const itemOf = (button) => button.closest("[data-conversation-item]");
const nameOf = (item) => find("[data-name]", item).textContent;
