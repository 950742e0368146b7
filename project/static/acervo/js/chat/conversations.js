// The list of conversations: drawer, search, more, rename, delete with undo.

import { conversationDelete, conversationUpdate, listHtml } from "./api.js";
import { copyOf, find, findAll, fromServer, on, setCookie } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

const NARROW = matchMedia("(max-width: 56rem)");
const UNDO_SECONDS = 7;
const LEAVING = "acervo.deleting"; // a conversation that is deleted from its own page

export class Conversations {
  #list = find("[data-conversations]");
  #filter = find("[data-filter]");
  #sidebar = find("[data-sidebar]");
  #asked = 0;
  #timer = 0;
  #going = new Map(); // conversations that wait for the end of their undo time

  constructor(current) {
    this.current = current;
    on(document, "click", "[data-sidebar-toggle]", () => this.toggle());
    on(document, "click", "[data-sidebar-close]", () => this.#drawer(false));
    on(this.#list, "click", "[data-more]", (_event, button) => this.#more(button));
    on(this.#list, "click", "[data-rename]", (_event, button) => this.#rename(itemOf(button)));
    on(this.#list, "click", "[data-delete]", (_event, button) => this.#delete(itemOf(button)));
    this.#filter.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.refresh(), 220);
    });
    addEventListener("pagehide", () => this.#going.forEach((finish) => finish(true)));
    NARROW.addEventListener("change", () => this.#drawer(false));
    this.#syncButtons();
    this.#resumeDeletion();
  }

  get isDrawerOpen() {
    return document.body.classList.contains("drawer-open");
  }

  toggle() {
    if (NARROW.matches) return this.#drawer(!this.isDrawerOpen);
    const isClosed = document.body.classList.toggle("sidebar-closed");
    setCookie("acervo_sidebar", isClosed ? "closed" : "");
    this.#syncButtons();
    const button = findAll("[data-sidebar-toggle]").find((each) => each.offsetParent);
    button?.focus();
  }

  closeDrawer() {
    if (!this.isDrawerOpen) return false;
    this.#drawer(false);
    return true;
  }

  search() {
    if (NARROW.matches) this.#drawer(true);
    else if (document.body.classList.contains("sidebar-closed")) this.toggle();
    this.#filter.focus();
  }

  /** Load the list again, for instance because a conversation got its name. */
  async refresh() {
    const asked = ++this.#asked;
    const words = this.#filter.value.trim();
    try {
      const html = await listHtml({ q: words, current: this.current ?? "" });
      if (asked !== this.#asked || find(".rename", this.#list)) return;
      this.#list.replaceChildren(fromServer(html));
      for (const id of this.#going.keys()) this.#item(id)?.setAttribute("hidden", "");
      const empty = find("[data-empty-list]", this.#list);
      if (empty && words) empty.textContent = t("no_match");
      const shown = find("[aria-current]", this.#list);
      if (shown) find("[data-chat-title]").textContent = shown.textContent;
    } catch (error) {
      if (asked === this.#asked && words) toast(t("list_failed"));
    }
  }

  #drawer(isOpen) {
    const wasOpen = this.isDrawerOpen;
    document.body.classList.toggle("drawer-open", isOpen);
    find("#main").inert = isOpen;
    this.#syncButtons();
    if (isOpen) find("a, button", this.#sidebar).focus();
    else if (wasOpen) find(".sidebar-open").focus();
  }

  #syncButtons() {
    const isShown = NARROW.matches ? this.isDrawerOpen : !document.body.classList.contains("sidebar-closed");
    for (const button of findAll("[data-sidebar-toggle]")) button.setAttribute("aria-expanded", String(isShown));
  }

  #item(id) {
    return find(`[data-conversation-item="${CSS.escape(id)}"]`, this.#list);
  }

  async #more(button) {
    button.disabled = true;
    try {
      const query = { after: button.dataset.more, q: this.#filter.value.trim(), current: this.current ?? "" };
      const fresh = fromServer(await listHtml(query));
      const first = find(".conversation-link", fresh);
      const last = findAll(".day", this.#list).at(-1);
      const same = find(".day", fresh);
      if (last && same && last.dataset.day === same.dataset.day) {
        find("ul", last).append(...find("ul", same).children);
        same.remove();
      }
      button.replaceWith(fresh);
      first?.focus();
    } catch {
      button.disabled = false;
      toast(t("list_failed"));
    }
  }

  #rename(item) {
    const id = item.dataset.conversationItem;
    const link = find(".conversation-link", item);
    const form = copyOf("rename-template");
    const input = find("input", form);
    const before = link.textContent;
    input.value = before;
    let isOver = false;
    const end = async (isSaved) => {
      if (isOver) return;
      isOver = true;
      const title = input.value.trim();
      form.replaceWith(link);
      if (isSaved === "by key") link.focus();
      if (!isSaved || !title || title === before) return;
      this.#name(id, link, title);
      try {
        await conversationUpdate(id, { title });
      } catch (error) {
        this.#name(id, link, before);
        toast(`${t("rename_failed")} ${error.message}`);
      }
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      end("by key");
    });
    input.addEventListener("blur", () => end("by leaving"));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      input.value = before;
      end("by key");
    });
    link.replaceWith(form);
    input.focus();
    input.select();
  }

  #name(id, link, title) {
    link.textContent = link.title = title;
    if (id !== this.current) return;
    find("[data-chat-title]").textContent = title;
    document.title = `${title} · Acervo`;
  }

  #delete(item) {
    const id = item.dataset.conversationItem;
    const title = find(".conversation-link", item).textContent;
    if (id === this.current) {
      sessionStorage.setItem(LEAVING, JSON.stringify({ id, title }));
      location.assign(find("[data-chat]").dataset.homeUrl);
      return;
    }
    this.#goAway(id, title);
  }

  /** Finish, or take back, what was begun on the page of the conversation itself. */
  #resumeDeletion() {
    const { id, title } = JSON.parse(sessionStorage.getItem(LEAVING) ?? "{}");
    sessionStorage.removeItem(LEAVING);
    if (id && id !== this.current) this.#goAway(id, title);
  }

  #goAway(id, title) {
    this.#item(id)?.setAttribute("hidden", "");
    const finish = async (isLeaving) => {
      if (!this.#going.delete(id)) return;
      try {
        await conversationDelete(id, { keepalive: isLeaving });
        this.#item(id)?.remove();
        for (const day of findAll(".day", this.#list)) if (!find(".conversation", day)) day.remove();
      } catch (error) {
        this.#item(id)?.removeAttribute("hidden");
        if (error.status !== 404) toast(`${t("delete_failed", { title })} ${error.message}`);
      }
    };
    this.#going.set(id, finish);
    const undo = () => {
      this.#going.delete(id);
      this.#item(id)?.removeAttribute("hidden");
    };
    toast(t("deleted", { title }), {
      action: { label: t("undo"), run: undo },
      done: () => finish(false),
      seconds: UNDO_SECONDS,
    });
  }
}

function itemOf(button) {
  return button.closest("[data-conversation-item]");
}
