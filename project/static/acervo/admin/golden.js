/* Tries a golden question out as it stands in the form, without saving it. */

const card = document.querySelector("[data-try]");
const form = document.getElementById("goldenquestion_form");
if (card && form) start();

function start() {
  const go = card.querySelector("[data-try-go]");
  const place = card.querySelector("[data-try-found]");
  card.hidden = false;
  go.addEventListener("click", async () => {
    go.disabled = true;
    say(place, card.dataset.busy);
    try {
      const answer = await fetch(card.dataset.try, { method: "POST", body: asked() });
      if (!answer.ok) throw new Error(String(answer.status));
      const template = document.createElement("template");
      template.innerHTML = await answer.text(); // our own server's, escaped there
      place.replaceChildren(template.content);
    } catch {
      say(place, card.dataset.broken);
    }
    go.disabled = false;
    go.focus();
  });
}

function asked() {
  const typed = new FormData(form);
  const data = new FormData();
  data.set("csrfmiddlewaretoken", typed.get("csrfmiddlewaretoken"));
  data.set("space", card.dataset.space ?? typed.get("space") ?? "");
  data.set("question", typed.get("question") ?? "");
  data.set("language", typed.get("language") ?? "");
  for (const [name, value] of typed) {
    if (/^targets-\d+-node$/.test(name) && value) data.append("node", value);
  }
  return data;
}

function say(place, text) {
  const line = document.createElement("p");
  line.className = "ac-empty";
  line.textContent = text;
  place.replaceChildren(line);
}
