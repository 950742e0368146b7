/* Keeps the progress of evaluations up to date by asking the admin every now and then. */

const EVERY = 2000; // milliseconds

const running = () => [...document.querySelectorAll("[data-evaluation]:not([data-ended])")];
if (running().length) setInterval(look, EVERY);

async function look() {
  const ids = [...new Set(running().map((each) => each.dataset.evaluation))];
  if (document.hidden || !ids.length) return;
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  try {
    const answer = await fetch(`/admin/knowledge/evaluationrun/progress/?${query}`);
    if (!answer.ok) return;
    for (const [id, run] of Object.entries((await answer.json()).runs)) show(id, run);
  } catch {
    // the server is away: the next look may find it
  }
}

function show(id, { html, ended }) {
  for (const place of document.querySelectorAll(`[data-evaluation="${CSS.escape(id)}"]`)) {
    place.outerHTML = html;
  }
  if (ended && document.body.classList.contains("ac-evaluation-page")) location.reload();
}
