/* Keeps the progress of jobs up to date, wherever a page shows one.
 *
 * A socket a job says when to look; what is shown is always asked of the admin, so both ways show
 * the same. More jobs than sockets, or a line that carries none: the page asks by itself.
 */

const SOCKETS = 6;
const EVERY = 2000; // milliseconds between two looks without a socket
const PAUSE = 250; // milliseconds in which news is gathered

const waiting = new Set();
const polled = new Set();
let timer = 0;

const open = [...document.querySelectorAll("[data-job]:not([data-ended])")].map((e) => e.dataset.job);
for (const [number, id] of [...new Set(open)].entries()) {
  if (number < SOCKETS) listen(id);
  else polled.add(id);
}
setInterval(() => {
  if (!document.hidden) for (const id of polled) look(id);
}, EVERY);

function listen(id) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  let socket;
  try {
    socket = new WebSocket(`${scheme}//${location.host}/ws/jobs/${id}/`);
  } catch {
    polled.add(id);
    return;
  }
  socket.addEventListener("message", () => look(id));
  socket.addEventListener("close", () => {
    if (isOpen(id)) polled.add(id); // the socket broke, or there is none: ask instead
    look(id);
  });
}

function isOpen(id) {
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
  if (!ids.length) return;
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  try {
    const answer = await fetch(`/admin/knowledge/ingestjob/progress/?${query}`);
    if (!answer.ok) return;
    for (const [id, { html, ended }] of Object.entries((await answer.json()).jobs)) show(id, html, ended);
  } catch {
    // the server is away: the next look may find it
  }
}

function show(id, html, ended) {
  for (const place of document.querySelectorAll(`[data-job="${CSS.escape(id)}"]`)) {
    place.outerHTML = html;
  }
  if (!ended) return;
  polled.delete(id);
  if (document.body.classList.contains("change-form")) location.reload(); // timings, nodes, buttons
}
