/* Kinds in the admin: steps are added to a plan, a migration is followed, a form shows what its kind wants. */

const EVERY = 1000; // milliseconds

const steps = document.querySelector("[data-steps]");
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => add(JSON.parse(button.dataset.step)));
}

function add(step) {
  let known;
  try {
    known = JSON.parse(steps.value.trim() || "[]");
  } catch {
    steps.focus(); // what is typed cannot be read: nothing of it is touched
    return;
  }
  if (!Array.isArray(known)) return;
  known.push(step);
  steps.value = `[\n${known.map((each) => `  ${JSON.stringify(each)}`).join(",\n")}\n]`;
  const end = steps.value.length - 2;
  steps.focus();
  steps.setSelectionRange(end - JSON.stringify(step).length, end);
}

const running = document.querySelector("[data-migration]");
if (running) setInterval(look, EVERY);

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(running.dataset.migration);
    if (!answer.ok) return;
    const { percent, is_running: isRunning } = await answer.json();
    running.querySelector("progress").value = percent;
    if (!isRunning) location.reload();
  } catch {
    // the server is away: the next look may find it
  }
}

const wanted = [...document.querySelectorAll("[data-kind-fields]")];
const kind = document.querySelector("#id_kind");
const space = document.querySelector("#id_space");
if (wanted.length && kind) {
  for (const field of [kind, space]) field?.addEventListener("input", choose);
  space?.addEventListener("change", choose);
  choose();
}

/** Show the fields of the kind that is typed: a space's own goes before that of all. */
function choose() {
  const where = space?.value || document.querySelector("#editor-facts")?.dataset.space || "";
  const fits = wanted.filter((each) => each.dataset.kindFields === kind.value.trim());
  const shown = fits.find((each) => each.dataset.space === where) ?? fits.find((each) => !each.dataset.space);
  for (const each of wanted) each.hidden = each !== shown;
}
