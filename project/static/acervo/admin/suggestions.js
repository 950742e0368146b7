// Suggested relations: choose all at once, turn round, and decide by keyboard.

const form = document.querySelector("[data-suggestions]");
const rows = form ? [...form.querySelectorAll("[data-suggestion]")] : [];
const PLACE = "acervo-suggestion";

for (const row of rows) {
  const turn = row.querySelector("[data-turn]");
  if (!turn) continue;
  const show = () => {
    row.querySelector("[data-relation]").classList.toggle("is-turned", turn.checked);
  };
  turn.addEventListener("change", show);
  show(); // the browser may have kept the choice
}

const boxes = rows.map((row) => row.querySelector('input[name="chosen"]')).filter(Boolean);
const all = form?.querySelector("[data-all]");
if (all && boxes.length > 1) {
  all.closest("label").hidden = false;
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  for (const box of boxes) box.addEventListener("change", show);
  show();
}

if (form) keyboard();

function keyboard() {
  const hint = form.querySelector("[data-keys]");
  if (hint) hint.hidden = false;
  let at = -1;
  const go = (to) => {
    if (!rows.length) return;
    rows[at]?.classList.remove("is-here");
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at].classList.add("is-here");
    rows[at].focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "nearest" });
  };
  // Deciding loads the page again: the next row then stands where the decided one stood.
  const kept = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (kept !== null) go(Number(kept));
  form.addEventListener("submit", () => {
    if (at >= 0) sessionStorage.setItem(PLACE, String(at));
  });
  form.addEventListener("focusin", (event) => {
    const found = rows.indexOf(event.target.closest("[data-suggestion]"));
    if (found < 0 || found === at) return;
    rows[at]?.classList.remove("is-here");
    at = found;
    rows[at].classList.add("is-here");
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (field) return;
    const press = (selector) => (rows[at] ?? form).querySelector(selector)?.click();
    const keys = {
      j: () => go(at + 1),
      k: () => go(at - 1),
      c: () => at >= 0 && press("[data-confirm]"),
      r: () => at >= 0 && press("[data-refuse]"),
      s: () => at >= 0 && press("[data-turn]"),
      x: () => at >= 0 && press('input[name="chosen"]'),
      u: () => form.querySelector("[data-undo]")?.click(),
    };
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
