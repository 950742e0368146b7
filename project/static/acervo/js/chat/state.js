// The earlier state of knowledge that questions are asked of: a day or a release, until cleared.

import { announce, find, here, t } from "./ui.js";

const menu = find("[data-state-menu]");
const day = find("[data-state-day]");
const release = find("[data-state-release]");
const problem = find("[data-state-problem]");
const key = () => `acervo.state.${here() || "new"}`;
const NOTHING = { body: {}, label: "" };

/** What a question is sent with, {as_of}, {release} or nothing, and its name for people. */
export let asked = JSON.parse((sessionStorage.getItem(key()) ?? find("[data-composer]").dataset.state) || null) ?? NOTHING;

/** Keep the choice; `begin` gives the conversation its name meanwhile. */
export function keep(begin) {
  if (begin) sessionStorage.removeItem(key());
  begin?.();
  sessionStorage.setItem(key(), asked.label && JSON.stringify(asked));
}

function show() {
  find("[data-asked]").hidden = !asked.label;
  find("[data-asked-text]").textContent = asked.label;
  menu.classList.toggle("is-set", Boolean(asked.label));
}

function choose(chosen, words = chosen.label) {
  asked = chosen;
  problem.hidden = true;
  menu.open = false;
  keep();
  show();
  announce(words);
  find("[data-input]").focus();
}

function apply(event) {
  event.preventDefault();
  const named = release?.selectedOptions[0];
  if (named?.value) {
    choose({ body: { release: named.value }, label: t("state_release", { name: named.textContent.trim() }) });
  } else if (day.value && day.validity.valid) {
    const [year, month, date] = day.value.split("-").map(Number);
    const words = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" });
    // The end of that day, where the reader is.
    const body = { as_of: new Date(year, month - 1, date + 1).toISOString() };
    choose({ body, label: t("state_day", { day: words.format(new Date(year, month - 1, date)) }) });
  } else {
    problem.textContent = t("state_choose");
    problem.hidden = false;
    day.focus();
  }
}

find("#state-form").onsubmit = apply;
for (const each of ["[data-state-today]", "[data-asked-clear]"]) {
  find(each).onclick = () => {
    day.value = "";
    if (release) release.value = "";
    choose(NOTHING, t("state_today"));
  };
}
// Of a day and a release, what is given last is meant.
menu.addEventListener("input", ({ target }) => {
  const other = target === day ? release : day;
  if (other && target.value) other.value = "";
  problem.hidden = true;
});
show();
