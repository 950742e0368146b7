/* The workbench by keyboard: from result to result, and labels; how many are labelled; the link. */

const results = [...document.querySelectorAll("[data-result]")];
const count = document.querySelector("[data-labels-count]");
const keys = document.querySelector("[data-keys]");
const copy = document.querySelector("[data-copy-address]");

if (keys) keys.hidden = false;
tell();
document.addEventListener("change", tell);
document.addEventListener("keydown", press);

if (copy) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const label = copy.querySelector("[data-label]");
    try {
      await navigator.clipboard.writeText(location.href);
      label.textContent = copy.dataset.done;
    } catch {
      label.textContent = copy.dataset.failed;
    }
  });
}

function tell() {
  if (!count) return;
  const labelled = results.filter((each) => each.querySelector("input[type=radio]:checked")).length;
  count.textContent = labelled ? `${labelled} ${count.dataset.some}` : count.dataset.none;
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !results.length) return;
  const target = event.target;
  const isTyping = target.matches("input:not([type=radio]), select, textarea, [contenteditable]");
  if (isTyping) return;
  const here = results.findIndex((each) => each.contains(document.activeElement));
  const onRadio = target.matches("input[type=radio]"); // arrows change the choice there
  if (["ArrowDown", "ArrowUp"].includes(event.key) && !onRadio && here >= 0) {
    const next = results[here + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  } else if (["j", "k"].includes(event.key)) {
    const next = results[here < 0 ? 0 : here + (event.key === "j" ? 1 : -1)];
    if (next) next.focus();
  } else if (/^[0-3]$/.test(event.key) && here >= 0) {
    const radio = results[here].querySelector(`input[type=radio][value="${event.key}"]`);
    if (!radio) return;
    radio.checked = true;
    radio.dispatchEvent(new Event("change", { bubbles: true }));
  }
}
