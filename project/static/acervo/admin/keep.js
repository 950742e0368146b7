/* What is typed stays in this tab until it is stored: a session that ends takes nothing along.

A form names its text by `data-keep`. It is kept while it is typed, and forgotten when it was sent
and the next page says that all went well. */

const BEGIN = "acervo-keep:";
const TYPED = "textarea, input[type=text], input:not([type]), input[type=radio], input[type=checkbox], select";

const isFine = Boolean(document.querySelector("[data-went-well]")) || location.hash.startsWith("#comment-");
const isTold = Boolean(document.querySelector(".ac-error-text[role=alert], .ac-conflict[role=alert]")); // by the server
sweep();
for (const form of document.querySelectorAll("form[data-keep]")) keep(form);

/* Texts that were sent, and are stored. */
function sweep() {
  if (!isFine) return;
  for (const key of keys()) if (read(key)?.isSent) drop(key);
}

function keep(form) {
  const key = BEGIN + form.dataset.keep;
  const entry = read(key);
  if (entry && !isTold) restore(form, entry.values, key);
  let timer;
  const store = (isSent) => {
    clearTimeout(timer);
    write(key, { values: valuesOf(form), isSent });
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => store(false), 400);
  });
  form.addEventListener("submit", () => store(true));
}

function typed(form) {
  return [...form.elements].filter((each) => each.name && !each.name.startsWith("_") && each.matches(TYPED) && each.type !== "hidden" && !each.hidden && !each.readOnly);
}

function valuesOf(form) {
  const values = {};
  for (const each of typed(form)) {
    if (each.type === "radio" || each.type === "checkbox") {
      if (each.checked) (values[each.name] ??= []).push(each.value);
    } else {
      values[each.name] = [each.value];
    }
  }
  return values;
}

function restore(form, values, key) {
  const before = JSON.stringify(valuesOf(form));
  if (before === JSON.stringify(values)) return;
  put(form, values);
  const template = document.querySelector("[data-kept-note]");
  if (!template) return;
  const note = template.content.firstElementChild.cloneNode(true);
  const button = note.querySelector("button");
  button.addEventListener("click", () => {
    put(form, JSON.parse(before));
    drop(key);
    note.remove();
  });
  for (let at = form; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  form.prepend(note);
}

function put(form, values) {
  for (const each of typed(form)) {
    const wanted = values[each.name];
    if (each.type === "radio" || each.type === "checkbox") each.checked = Boolean(wanted?.includes(each.value));
    else if (wanted) each.value = wanted[0];
    else continue;
    each.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/* -- the tab's own store; a browser without one keeps nothing -- */

function keys() {
  try {
    return Object.keys(sessionStorage).filter((key) => key.startsWith(BEGIN));
  } catch {
    return [];
  }
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, entry) {
  try {
    sessionStorage.setItem(key, JSON.stringify(entry));
  } catch {
    // full or forbidden: the page still warns before it is left
  }
}

function drop(key) {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // nothing was kept
  }
}
