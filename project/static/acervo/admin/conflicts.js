/* The page of conflicts: the result follows each choice; suggestions come without a new page. */

const REST = 500; // milliseconds

export function conflicts(form) {
  const line = form.querySelector("[data-conflict-progress]");
  const places = [...form.querySelectorAll("[data-conflict]")].map(placeOf);
  let timer;
  let asked = 0;
  for (const button of form.querySelectorAll("[data-plain]")) button.hidden = true;
  for (const place of places) {
    place.card.addEventListener("change", () => changed(place));
    place.own?.addEventListener("input", () => {
      pick(place, "own");
      changed(place);
    });
    suggestions(form, place, () => changed(place));
    show(place);
  }
  for (const button of form.querySelectorAll("[name=_all]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      for (const place of places) {
        if (!chosen(place)) pick(place, button.value);
        show(place);
      }
      refresh(0);
    });
  }
  form.addEventListener("submit", (event) => {
    const name = event.submitter?.name;
    if (name !== "_merge" && name !== "_settle") return;
    const open = places.find((place) => !chosen(place));
    if (open) {
      event.preventDefault();
      event.stopImmediatePropagation();
      open.card.scrollIntoView({ block: "center" });
      open.card.querySelector("input[type=radio]").focus({ preventScroll: true });
    } else if (name === "_merge") {
      form.querySelector("[data-busy-line]").hidden = false;
    }
  }, { capture: true });
  tell();

  function changed(place) {
    show(place);
    refresh(REST);
  }

  function tell() {
    const done = places.filter(chosen).length;
    line.textContent = form.dataset.progress.replace("{done}", done).replace("{all}", places.length);
  }

  function refresh(wait) {
    tell();
    clearTimeout(timer);
    timer = setTimeout(results, wait);
  }

  /* Ask the server what the choices make. Of several answers on their way only the last counts. */
  async function results() {
    const number = (asked += 1);
    const data = new FormData(form);
    data.set("piece", "1");
    let text;
    try {
      const answer = await fetch(form.action || location.href, { method: "POST", body: data, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      text = await answer.text();
    } catch {
      for (const button of form.querySelectorAll("[data-plain]")) button.hidden = false;
      return;
    }
    if (number !== asked) return;
    const found = new DOMParser().parseFromString(text, "text/html");
    for (const piece of found.querySelectorAll("[data-for]")) {
      const box = form.querySelector(`[data-result="${piece.dataset.for}"]`);
      const isOpen = Boolean(box?.querySelector("details[open]"));
      box?.replaceChildren(...piece.childNodes);
      const details = box?.querySelector("details");
      if (details) details.open = isOpen;
    }
  }
}

function placeOf(card) {
  return { card, id: card.dataset.conflict, own: card.querySelector("[data-own]"), box: card.querySelector("[data-own-box]") };
}

function chosen(place) {
  return place.card.querySelector("input[type=radio]:checked")?.value;
}

function pick(place, value) {
  const radio = [...place.card.querySelectorAll("input[type=radio]")].find((each) => each.value === value);
  if (radio) radio.checked = true;
}

function show(place) {
  const choice = chosen(place);
  const state = place.card.querySelector("[data-state]");
  state.textContent = choice ? state.dataset.decided : state.dataset.undecided;
  state.classList.toggle("ac-warning", !choice);
  state.classList.toggle("ac-success", Boolean(choice));
  place.card.toggleAttribute("data-decided", Boolean(choice));
  place.box?.classList.toggle("ac-closed", choice !== "own");
  if (choice === "own" && place.own && !place.own.value) place.own.value = side(place);
}

/* One's own words begin with the proposal's. */
function side(place) {
  if (place.own.tagName !== "TEXTAREA") return "";
  const texts = place.card.querySelectorAll(".ac-place-texts pre");
  return texts.length > 1 && !texts[1].querySelector("em") ? texts[1].textContent : "";
}

function suggestions(form, place, changed) {
  const box = place.card.querySelector("[data-suggest-box]");
  if (!box) return;
  const ask = box.querySelector("[name=_suggest]");
  const state = box.querySelector("[data-suggest-state]");
  const shown = box.querySelector("[data-suggestion]");
  ask.addEventListener("click", async (event) => {
    event.preventDefault();
    ask.disabled = true;
    state.textContent = state.dataset.busy;
    const data = new FormData();
    data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    data.set("conflict", place.id);
    try {
      const answer = await fetch(form.dataset.suggest, { method: "POST", body: data, credentials: "same-origin" });
      const found = await answer.json();
      if (!answer.ok) throw new Refused(found.message);
      box.querySelector("[data-suggestion-text]").textContent = found.suggestion;
      box.querySelector("[data-suggestion-value]").value = found.suggestion;
      shown.hidden = false;
      state.textContent = state.dataset.done;
    } catch (error) {
      state.textContent = error instanceof Refused ? error.message : box.dataset.failed;
    } finally {
      ask.disabled = false;
    }
  });
  box.querySelector("[name=_insert]").addEventListener("click", (event) => {
    event.preventDefault();
    place.own.value = box.querySelector("[data-suggestion-value]").value;
    pick(place, "own");
    changed();
    place.own.focus();
  });
}

class Refused extends Error {}
