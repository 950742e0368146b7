// The earlier state of knowledge that questions are asked of: a day or a release, until cleared.

import { announce, find, here, onClick, put, t } from "./ui.js";

const form = find("#state-form");
const menu = find("[data-state-menu]");
const { day, release } = form.elements;
const problem = find("[data-state-problem]");
const key = () => `acervo.state.${here() || "new"}`;
const NOTHING = { body: {}, label: "" };

/** What a question is sent with, {as_of}, {release} or nothing, and its name for people. */
export let asked;

/** Keep the choice; `begin` gives the conversation its name meanwhile. */
export function keep(begin) {
  if (begin) sessionStorage.removeItem(key());
  begin?.();
  sessionStorage.setItem(key(), asked.label && JSON.stringify(asked));
}

function show(state) {
  asked = state;
  find("[data-asked]").hidden = !asked.label;
  put(document, { "asked-text": asked.label });
}

function choose(state, words = state.label) {
  show(state);
  menu.open = false;
  keep();
  announce(words);
  find("[data-input]").focus();
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (release?.value) {
    const name = release.selectedOptions[0].textContent.trim();
    choose({ body: { release: release.value }, label: t("state_release", { name }) });
  } else if (day.value && day.validity.valid) {
    const words = new Date(`${day.value}T00:00`).toLocaleDateString(document.documentElement.lang, { dateStyle: "long" });
    // The end of that day, where the reader is.
    const body = { as_of: new Date(`${day.value}T24:00`).toISOString() };
    choose({ body, label: t("state_day", { day: words }) });
  } else {
    problem.hidden = false;
    day.focus();
  }
};

onClick("[data-asked-clear]", () => {
  form.reset();
  choose(NOTHING, t("state_today"));
});
// Of a day and a release, what is given last is meant.
menu.addEventListener("input", ({ target }) => {
  const other = target === day ? release : day;
  if (other && target.value) other.value = "";
});
for (const type of ["input", "toggle"]) menu.addEventListener(type, () => (problem.hidden = true));
show(JSON.parse((sessionStorage.getItem(key()) ?? find("[data-composer]").dataset.state) || null) ?? NOTHING);
