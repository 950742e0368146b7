/* Tries the connection that the form of a feed describes, before anything of it is saved. */

const button = document.querySelector("[data-probe]");
const said = document.querySelector("[data-probe-said]");
const form = document.querySelector("#feed_form");

if (button && said && form) {
  button.hidden = false;
  button.addEventListener("click", probe);
}

async function probe() {
  const body = new FormData(form);
  body.set("connector", button.dataset.connector);
  body.set("feed", button.dataset.feed);
  button.disabled = true;
  show(button.dataset.busy, "ac-badge");
  try {
    const answer = await fetch(button.dataset.probe, { method: "POST", body });
    const { ok, message } = await answer.json();
    show(message, ok ? "ac-badge ac-success" : "ac-note ac-error-text");
  } catch {
    show(button.dataset.broken, "ac-note ac-error-text");
  } finally {
    button.disabled = false;
  }
}

function show(text, tone) {
  said.hidden = false;
  said.className = tone;
  said.textContent = text;
}
