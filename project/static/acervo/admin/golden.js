/* Tries a golden question out as it stands in the form, without saving it; what was found can be
 * named as an answer with a button. */

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
  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-name-node]");
    if (button) nameNode(button);
  });
}

/** Put a node that was found into the first free row below the question, or into a new one. */
function nameNode(button) {
  let select = freeSelect();
  if (!select) {
    document.querySelector("#targets-group a.add-row, #targets-group .add-row a")?.click();
    select = freeSelect();
  }
  if (!select) return;
  const { nameNode: node, title } = button.dataset;
  select.append(new Option(title, node, true, true));
  select.dispatchEvent(new Event("change", { bubbles: true }));
  const said = document.createElement("span");
  said.className = "ac-badge ac-success";
  said.textContent = `✓ ${card.dataset.named}`;
  said.tabIndex = -1;
  button.replaceWith(said);
  said.focus();
}

function freeSelect() {
  const rows = [...form.querySelectorAll('select[name^="targets-"][name$="-node"]')];
  return rows.find((each) => !each.value && !each.name.includes("__prefix__"));
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
