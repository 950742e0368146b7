/* The inbox: the list stays up to date, and both sides of a conversation speak live. */

import { find, findAll, fromServer, on } from "../js/dom.js";
import { getHtml, postJson } from "../js/http.js";
import { personLine } from "../js/line.js";

const inbox = find("[data-inbox]");
const talk = find("[data-talk]");
const title = document.title;
const TYPING = 4000; // milliseconds that somebody counts as writing
const LIST_EVERY = 30000; // the waiting times go on

let tries = 0;
let known = unanswered();

/* -- the list ------------------------------------------------------------------------------------ */

function unanswered() {
  return new Set(findAll("[data-unanswered]", inbox).map((row) => row.dataset.handoff));
}

async function refresh() {
  const rows = find("[data-rows]");
  const focused = rows.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  try {
    rows.replaceChildren(fromServer(await getHtml(inbox.dataset.list)));
  } catch {
    return; // the next change, or the next half minute, tries again
  }
  if (focused) find(`a[href="${CSS.escape(focused)}"]`, rows)?.focus();
  badge();
  const now = unanswered();
  if ([...now].some((id) => !known.has(id))) announce(inbox.dataset.news);
  known = now;
  document.title = now.size ? `(${now.size}) ${title}` : title;
}

/** Put how many wait beside the name of this page in the navigation, whose own number may be older. */
function badge() {
  const { pathname } = find(".ho-shows a");
  const link = find(`a[href="${pathname}"]:has(.material-symbols-outlined)`);
  const [, , ...before] = link?.children ?? [];
  before.forEach((each) => each.remove());
  link?.append(find("[data-badge]").content.cloneNode(true));
}

function announce(text) {
  const line = find("[data-announcer]");
  line.textContent = "";
  requestAnimationFrame(() => (line.textContent = text));
}

function attend() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/desk/`);
  const pinging = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('{"type":"ping"}'), 25000);
  socket.addEventListener("message", ({ data }) => {
    tries = 0;
    find("[data-lost]")?.remove();
    if (JSON.parse(data).type === "desk.changed") refresh();
  });
  socket.addEventListener("close", ({ code }) => {
    clearInterval(pinging);
    if (code === 4401 || code === 4403) return lost();
    tries += 1;
    if (tries > 2) lost();
    setTimeout(attend, 1000 + Math.random() * Math.min(29000, 1000 * 2 ** tries));
  });
}

function lost() {
  if (find("[data-lost]")) return;
  const line = document.createElement("p");
  line.className = "ho-lost";
  line.dataset.lost = "";
  line.setAttribute("role", "alert");
  line.textContent = inbox.dataset.away;
  inbox.prepend(line);
}

/* -- the conversation ---------------------------------------------------------------------------- */

function converse() {
  const list = find("[data-messages]");
  const thread = find("[data-thread]");
  let arriving = Promise.resolve();
  let writing = 0;
  toEnd(thread);
  if (talk.dataset.status !== "waiting" && talk.dataset.status !== "active") return;
  const id = talk.dataset.talk;
  const line = personLine({
    address: `/ws/handoffs/${id}/?side=operator`,
    paths: { messages: `/api/v1/handoffs/${id}/messages/`, handoff: `/api/v1/handoffs/${id}/` },
    after: find("[data-messages] > [data-message]:last-child")?.dataset.message ?? "",
  });
  line.addEventListener("message", ({ detail }) => {
    arriving = arriving.then(() => place(detail.message));
  });
  line.addEventListener("typing", () => {
    clearTimeout(writing);
    find("[data-typing]").textContent = talk.dataset.writing;
    writing = setTimeout(() => (find("[data-typing]").textContent = ""), TYPING);
  });
  line.addEventListener("updated", ({ detail: { handoff } }) => {
    const isOther = handoff.status !== talk.dataset.status || (handoff.operator?.name ?? "") !== talk.dataset.operator;
    // Who has it has changed, and with it what may be done: the draft is kept over the reload.
    if (isOther) return location.reload();
    if (handoff.present) presence(handoff.present.person);
  });
  line.addEventListener("over", () => location.reload());
  if ("mine" in talk.dataset) compose({ id, line, thread, list });

  async function place(message) {
    if (find(`[data-message="${message.id}"]`, list)) return;
    const own = message.client_message_id && find(`[data-client-id="${CSS.escape(message.client_message_id)}"]`, list);
    const address = talk.dataset.said.replace(/0{8}-0{4}-0{4}-0{4}-0{12}/, message.id);
    const isAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 120;
    const element = fromServer(await getHtml(address)).firstElementChild;
    if (find(`[data-message="${message.id}"]`, list)) return;
    if (own) own.replaceWith(element);
    else list.append(element);
    if (element.dataset.side === "person") find("[data-typing]").textContent = "";
    if (isAtEnd || own) toEnd(thread);
  }
}

function presence(isHere) {
  find("[data-dot]").toggleAttribute("data-on", isHere);
  find("[data-presence]").textContent = isHere ? talk.dataset.here : talk.dataset.absent;
}

function toEnd(thread) {
  thread.scrollTop = thread.scrollHeight;
}

/* -- writing -------------------------------------------------------------------------------------- */

function compose({ id, line, thread, list }) {
  const form = find("[data-composer]");
  const box = find("[data-answer]");
  const hint = find("[data-hint]");
  const usual = hint.textContent;
  const key = `acervo.answer.${id}`;
  const kept = JSON.parse(sessionStorage.getItem(key) ?? "null");
  const cited = kept?.cited ?? []; // {chunk, title}, in the order of their numbers
  box.value = kept?.text ?? "";
  showChips();
  box.focus();

  const keep = () => {
    if (box.value || cited.length) sessionStorage.setItem(key, JSON.stringify({ text: box.value, cited }));
    else sessionStorage.removeItem(key);
  };
  box.addEventListener("input", () => {
    keep();
    hint.textContent = usual;
    hint.classList.remove("ac-error-text");
    if (box.value) line.typing();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const content = box.value.trim();
    if (!content) return;
    const body = { content, client_message_id: seed(), citations: cited.map((each) => each.chunk) };
    const waiting = pending(body.client_message_id, content);
    list.append(waiting);
    toEnd(thread);
    const taken = cited.splice(0);
    box.value = "";
    showChips();
    keep();
    try {
      await deliver(`/api/v1/handoffs/${id}/messages/`, body);
    } catch (error) {
      waiting.remove();
      cited.push(...taken);
      box.value = content;
      showChips();
      keep();
      hint.textContent = `${talk.dataset.failed} ${error.message}`;
      hint.classList.add("ac-error-text");
      hint.setAttribute("role", "alert");
    }
    box.focus();
  });

  /* -- written answers -- */

  const look = find("[data-look]");
  const looking = find("[data-looking]");
  const words = find("[data-words]");
  let timer = 0;
  let asked = 0;
  const open = (isOpen) => {
    looking.hidden = !isOpen;
    look.setAttribute("aria-expanded", String(isOpen));
    (isOpen ? words : box).focus();
    if (isOpen && !words.value) {
      words.value = findAll(".ho-person .ho-text", list).at(-1)?.textContent.trim().slice(0, 200) ?? "";
      words.select();
      search();
    }
  };
  look.addEventListener("click", () => open(looking.hidden));
  form.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open(true);
    } else if (event.key === "Escape" && !looking.hidden) {
      event.preventDefault();
      open(false);
    } else if (event.key === "Enter" && event.target === words) {
      event.preventDefault();
      search();
    }
  });
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 300);
  });

  async function search() {
    clearTimeout(timer);
    const number = (asked += 1);
    const place = find("[data-found]");
    const query = words.value.trim();
    const html = query ? await getHtml(`${talk.dataset.search}?${new URLSearchParams({ q: query })}`).catch((error) => error) : "";
    if (number !== asked) return;
    if (html instanceof Error) place.textContent = html.message;
    else place.replaceChildren(fromServer(html));
  }

  on(looking, "click", "[data-insert], [data-cite]", (_event, { dataset }) => {
    let at = cited.findIndex((each) => each.chunk === dataset.chunk);
    if (at < 0) at = cited.push({ chunk: dataset.chunk, title: dataset.title }) - 1;
    const text = "insert" in dataset ? `${dataset.text} [${at + 1}]` : `[${at + 1}]`;
    const before = box.value.slice(0, box.selectionStart);
    const gap = before && !/\s$/.test(before) ? " " : "";
    box.setRangeText(gap + text, box.selectionStart, box.selectionEnd, "end");
    showChips();
    keep();
    open(false);
  });

  function showChips() {
    find("[data-chips]").replaceChildren(
      ...cited.map((each, index) => {
        const item = document.createElement("li");
        item.textContent = `[${index + 1}] ${each.title}`;
        const remove = document.createElement("button");
        remove.type = "button";
        remove.textContent = "×";
        remove.setAttribute("aria-label", talk.dataset.remove.replace("{title}", each.title));
        remove.addEventListener("click", () => uncite(index));
        item.append(remove);
        return item;
      }),
    );
  }

  /** Take a source away: its marks go, and the numbers behind it move up. */
  function uncite(index) {
    cited.splice(index, 1);
    box.value = box.value.replace(/ ?\[(\d{1,2})\]/g, (mark, digits) => {
      const number = Number(digits);
      if (number === index + 1) return "";
      return number > index + 1 && number <= cited.length + 1 ? mark.replace(digits, String(number - 1)) : mark;
    });
    showChips();
    keep();
    box.focus();
  }
}

/** Return a message that is being sent, to stand there until the server's takes its place. */
function pending(id, content) {
  const item = document.createElement("li");
  item.className = "ho-said ho-operator ho-sending";
  item.dataset.clientId = id;
  const text = document.createElement("div");
  text.className = "ho-text";
  text.textContent = content;
  item.append(text);
  return item;
}

/** Send until it is taken or refused: the same id makes one message of any number of tries. */
async function deliver(address, body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await postJson(address, body);
    } catch (error) {
      if (!error.isPassing || attempt >= 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfter * 1000 || 500 * 2 ** attempt));
    }
  }
}

function seed() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

on(document, "click", ".ho-how", (_event, link) => {
  const trace = find(link.getAttribute("href"));
  if (trace) trace.open = true;
});
badge();
attend();
setInterval(refresh, LIST_EVERY);
if (talk) converse();
