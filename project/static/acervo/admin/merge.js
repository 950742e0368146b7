/* The page of a save that came too late: choices replace the marked places of the result.

The result is the form below. Each place of the text is a range of the content, which moves along
with whatever is typed around it; typing inside one makes its choice "own". */

const text = document.getElementById("id_content");
const form = text.form;
const list = document.querySelector("[data-merge]");
const places = list ? JSON.parse(document.getElementById("merge-places").textContent).map(placeOf) : [];
let known = text.value;
let isOurs = false; // this script is changing the text

for (const place of places) setUp(place);
text.addEventListener("input", follow);
for (const button of document.querySelectorAll("[data-all]")) {
  button.hidden = !places.some((place) => place.isOpen);
  button.addEventListener("click", () => {
    for (const place of places) if (place.isOpen) choose(place, button.dataset.all);
  });
}
tell();
guard();

function placeOf(values) {
  const card = list.querySelector(`[data-place="${values.number}"]`);
  const isText = typeof values.mine === "string";
  const range = isText ? marked(values.number) : null;
  // Back from the server with a mistake elsewhere: what has no marks is decided, and stays so.
  return { ...values, card, isText, range, isOpen: !isText || range !== null, choice: null };
}

function marked(number) {
  const pattern = new RegExp(`^<{7} ${number}\\n[^]*?^>{7} ${number}(?:\\n|$)`, "m");
  const found = pattern.exec(text.value);
  return found && { start: found.index, end: found.index + found[0].length };
}

function setUp(place) {
  if (!place.isOpen) {
    place.choice = "own";
    show(place);
    return;
  }
  place.card.querySelector("[data-choices]").hidden = false;
  for (const radio of radios(place)) {
    radio.checked = false; // browsers remember choices across reloads
    radio.addEventListener("change", () => choose(place, radio.value));
  }
  const own = place.card.querySelector("[data-own]");
  own?.addEventListener("input", () => put(place, own.value));
}

function radios(place) {
  return place.card.querySelectorAll("input[type=radio]");
}

function choose(place, choice) {
  place.choice = choice;
  if (!place.isText) putFields(place[choice], place.labels[choice]);
  else if (choice !== "own") put(place, place[choice]);
  else if (undecided(place)) put(place, place.mine);
  show(place);
  tell();
  if (choice === "own") place.card.querySelector("[data-own]").focus();
}

function undecided(place) {
  return text.value.slice(place.range.start, place.range.end).startsWith(`<<<<<<< ${place.number}\n`);
}

/* -- the text -- */

function put(place, made) {
  const { start, end } = place.range;
  const needsEnd = made && !made.endsWith("\n") && end < text.value.length;
  const whole = needsEnd ? `${made}\n` : made;
  text.setRangeText(whole, start, end, "preserve");
  known = text.value;
  moveOthers(place, end, whole.length - (end - start));
  place.range.end = start + whole.length;
  isOurs = true;
  text.dispatchEvent(new Event("input", { bubbles: true })); // the preview and the counter follow
  isOurs = false;
}

function moveOthers(place, from, by) {
  for (const other of places) {
    if (other === place || !other.range || other.range.start < from) continue;
    other.range.start += by;
    other.range.end += by;
  }
}

/* Somebody typed: find the one changed stretch, and what it means for each place. */
function follow() {
  if (isOurs) return;
  const value = text.value;
  const most = Math.min(known.length, value.length);
  let start = 0;
  while (start < most && known[start] === value[start]) start += 1;
  let tail = 0;
  while (tail < most - start && known.at(-1 - tail) === value.at(-1 - tail)) tail += 1;
  const end = known.length - tail;
  const by = value.length - known.length;
  known = value;
  for (const place of places) {
    if (!place.range || place.range.end <= start) continue;
    if (place.range.start >= end) {
      place.range.start += by;
      place.range.end += by;
    } else if (place.range.start <= start && end <= place.range.end) {
      place.range.end += by;
      place.choice = undecided(place) ? null : "own";
      show(place);
    } else {
      close(place); // its text went with more than itself: from here on, by hand
    }
  }
  tell();
}

function close(place) {
  place.range = null;
  place.isOpen = false;
  place.choice = "own";
  for (const radio of radios(place)) radio.disabled = true;
  show(place);
}

/* -- the other fields -- */

function putFields(side, label) {
  if (side.path) {
    const input = document.getElementById("id_metadata");
    const tree = JSON.parse(input.value.trim() || "{}");
    set(tree, side.path, side);
    input.value = JSON.stringify(tree, null, 2);
    return;
  }
  for (const [name, value] of Object.entries(side.inputs)) {
    const input = document.getElementById(`id_${name}`);
    if (input.tagName === "SELECT" && value && ![...input.options].some((each) => each.value === value)) {
      input.add(new Option(label, value));
    }
    input.value = value;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function set(tree, [key, ...rest], side) {
  if (rest.length) {
    if (typeof tree[key] !== "object" || tree[key] === null) tree[key] = {};
    set(tree[key], rest, side);
  } else if ("value" in side) {
    tree[key] = side.value;
  } else {
    delete tree[key];
  }
}

/* -- what is shown -- */

function show(place) {
  for (const radio of radios(place)) radio.checked = radio.value === place.choice;
  const own = place.card.querySelector("[data-own]");
  if (own) {
    own.hidden = place.choice !== "own" || !place.range;
    if (!own.hidden && own !== document.activeElement) {
      own.value = text.value.slice(place.range.start, place.range.end);
    }
  }
  const state = place.card.querySelector("[data-place-state]");
  state.dataset.undecided ??= state.textContent;
  state.textContent = place.choice ? state.dataset.decided : state.dataset.undecided;
  state.classList.toggle("ac-warning", !place.choice);
  state.classList.toggle("ac-success", Boolean(place.choice));
  place.card.toggleAttribute("data-decided", Boolean(place.choice));
}

function tell() {
  const line = document.querySelector("[data-merge-progress]");
  if (!line) return;
  const done = places.filter((place) => place.choice).length;
  line.textContent = list.dataset.progress.replace("{done}", done).replace("{all}", places.length);
}

/* -- leaving -- */

function guard() {
  let isSaved = false;
  form.addEventListener("submit", (event) => {
    const open = places.find((place) => !place.choice);
    if (open) {
      event.preventDefault();
      event.stopImmediatePropagation();
      open.card.scrollIntoView({ block: "center" });
      open.card.querySelector("input[type=radio]")?.focus({ preventScroll: true });
      return;
    }
    isSaved = true;
  }, { capture: true });
  const leave = document.querySelector("[data-leave]");
  leave.addEventListener("click", (event) => {
    if (window.confirm(leave.dataset.leave)) isSaved = true;
    else event.preventDefault();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
}
