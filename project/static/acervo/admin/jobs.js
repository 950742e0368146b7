/* Keeps the progress of jobs up to date, wherever a page shows one.
 *
 * A socket a job says when to look; what is shown is always asked of the admin, so both ways show
 * the same. More jobs than sockets, or a line that carries none: the page asks by itself. Uploads
 * hand in jobs that come later: `follow(id, tell)`.
 */

const SOCKETS = 6;
const EVERY = 2000; // milliseconds between two looks without a socket
const PAUSE = 250; // milliseconds in which news is gathered
const ADDRESS = "/admin/knowledge/ingestjob/progress/";
const AT_ONCE = 100; // jobs in one look

const waiting = new Set();
const polled = new Set();
const followed = new Map(); // id → what is told of each look
const live = document.querySelector("[data-live]:not([data-ended])");
let sockets = 0;
let timer = 0;

for (const id of new Set([...document.querySelectorAll("[data-job]:not([data-ended])")].map((e) => e.dataset.job))) watch(id);
if (live) watch(live.dataset.live);
setInterval(() => {
  if (!document.hidden) for (const id of polled) look(id);
}, EVERY);

export function follow(id, tell) {
  followed.set(id, tell);
  watch(id);
}

function watch(id) {
  if (sockets >= SOCKETS) {
    polled.add(id);
    return;
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  let socket;
  try {
    socket = new WebSocket(`${scheme}//${location.host}/ws/jobs/${id}/`);
  } catch {
    polled.add(id);
    return;
  }
  sockets += 1;
  socket.addEventListener("message", () => look(id));
  socket.addEventListener("close", () => {
    sockets -= 1;
    if (isOpen(id)) polled.add(id); // the socket broke, or there is none: ask instead
    look(id);
  });
}

function isOpen(id) {
  if (followed.has(id)) return true;
  if (live && live.dataset.live === id) return !("ended" in live.dataset);
  return document.querySelector(`[data-job="${CSS.escape(id)}"]:not([data-ended])`) !== null;
}

function look(id) {
  waiting.add(id);
  timer ||= setTimeout(ask, PAUSE);
}

async function ask() {
  timer = 0;
  const ids = [...waiting].filter(isOpen);
  waiting.clear();
  if (live && ids.includes(live.dataset.live)) await refresh();
  const rest = ids.filter((id) => !live || id !== live.dataset.live);
  for (let at = 0; at < rest.length; at += AT_ONCE) await askFor(rest.slice(at, at + AT_ONCE));
}

async function askFor(ids) {
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  try {
    const answer = await fetch(`${ADDRESS}?${query}`);
    if (!answer.ok) return;
    for (const [id, job] of Object.entries((await answer.json()).jobs)) show(id, job);
  } catch {
    // the server is away: the next look may find it
  }
}

function show(id, job) {
  for (const place of document.querySelectorAll(`[data-job="${CSS.escape(id)}"]`)) {
    place.outerHTML = job.html;
  }
  followed.get(id)?.(job);
  if (!job.ended) return;
  followed.delete(id);
  polled.delete(id);
  // Other pages of one row show more than the progress: what came of the job, and what to do next.
  if (!live && document.body.classList.contains("change-form")) location.reload();
}

/* The page of one job: everything that changes is one part of it. The keyboard stays where it is. */
async function refresh() {
  try {
    const answer = await fetch(live.dataset.url);
    if (!answer.ok) return;
    const { html, ended, said } = await answer.json();
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    live.innerHTML = html;
    if (focused) (document.getElementById(focused) ?? live.querySelector("button, a"))?.focus();
    const place = document.querySelector("[data-said]");
    if (place.textContent !== said) place.textContent = said;
    if (!ended) return;
    live.dataset.ended = "";
    polled.delete(live.dataset.live);
  } catch {
    // the server is away: the next look may find it
  }
}
