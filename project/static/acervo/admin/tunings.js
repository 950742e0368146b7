/* Keeps a progress up to date, of the learning of a profile or of an index, and shows what came of it. */

const EVERY = 3000; // milliseconds

const place = document.querySelector("[data-tuning]");
if (place) setInterval(look, EVERY);

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(place.dataset.tuning);
    if (!answer.ok) return;
    const { percent, text, ended } = await answer.json();
    if (ended) return location.reload();
    place.querySelector("progress").value = percent;
    place.querySelector("output").textContent = text ?? `${percent} %`;
  } catch {
    // the server is away: the next look may find it
  }
}
