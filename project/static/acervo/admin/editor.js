/* The Markdown editor of a node: a few keys, a few buttons, and a preview made by the server. */

const DELAY = 350; // milliseconds of rest before the preview is asked for
const VIEW_KEY = "acervo-editor-view";

const facts = document.getElementById("editor-facts");

for (const editor of document.querySelectorAll("[data-editor]")) {
  setUp(editor);
}

for (const [id, list] of [["id_kind", "known-kinds"], ["id_language", "known-languages"]]) {
  document.getElementById(id)?.setAttribute("list", list);
}

function setUp(editor) {
  const text = editor.querySelector("textarea");
  const preview = editor.querySelector("[data-preview]");
  const bar = editor.querySelector("[data-editor-bar]");
  bar.hidden = false;
  preview.hidden = false;
  const show = previewer(editor, text, preview);
  text.addEventListener("input", () => {
    count(editor, text);
    show();
  });
  text.addEventListener("keydown", (event) => onKey(event, text));
  text.addEventListener("scroll", () => follow(text, preview), { passive: true });
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.view) setView(editor, button.dataset.view);
    else format(text, button.dataset);
  });
  bar.addEventListener("keydown", (event) => rove(event, bar));
  setView(editor, stored() ?? (window.innerWidth < 900 ? "write" : "both"));
  count(editor, text);
  show(0);
}

function stored() {
  try {
    return localStorage.getItem(VIEW_KEY);
  } catch {
    return null;
  }
}

function setView(editor, view) {
  editor.querySelector("[data-panes]").dataset.panes = view;
  for (const button of editor.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  try {
    localStorage.setItem(VIEW_KEY, view);
  } catch {
    // a browser that keeps nothing shows both again next time
  }
}

function previewer(editor, text, preview) {
  const state = editor.querySelector("[data-editor-state]");
  let timer = 0;
  let asked = null;
  return (delay = DELAY) => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      const body = new URLSearchParams({ content: text.value, space: space() });
      try {
        const answer = await fetch(facts.dataset.previewUrl, {
          method: "POST",
          body,
          headers: { "X-CSRFToken": token() },
          signal: asked.signal,
        });
        if (!answer.ok) throw new Error(String(answer.status));
        preview.innerHTML = (await answer.json()).html; // sanitised by the server
        state.textContent = "";
      } catch (error) {
        if (error.name !== "AbortError") state.textContent = state.dataset.failed;
      }
    }, delay);
  };
}

function space() {
  return facts.dataset.space || document.getElementById("id_space")?.value || "";
}

function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

function count(editor, text) {
  const place = editor.querySelector("[data-editor-count]");
  const words = text.value.trim() ? text.value.trim().split(/\s+/).length : 0;
  place.textContent = place.dataset.template
    .replace("{words}", words.toLocaleString())
    .replace("{characters}", text.value.length.toLocaleString());
}

function follow(text, preview) {
  const room = text.scrollHeight - text.clientHeight;
  if (room <= 0) return;
  preview.scrollTop = (text.scrollTop / room) * (preview.scrollHeight - preview.clientHeight);
}

function onKey(event, text) {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && key === "s") {
    event.preventDefault();
    text.form.requestSubmit(document.querySelector("[name=_continue]"));
  } else if (command && !event.shiftKey && key in KEYS) {
    event.preventDefault();
    format(text, KEYS[key]);
  } else if (event.key === "Enter" && !command && !event.shiftKey) {
    continueList(event, text);
  }
}

const KEYS = { b: { wrap: "**" }, i: { wrap: "*" }, k: { around: "[|](https://)" } };

function format(text, { wrap, line, around }) {
  text.focus();
  const { selectionStart: start, selectionEnd: end, value } = text;
  const chosen = value.slice(start, end);
  if (wrap || around) {
    const [before, after] = wrap ? [wrap, wrap] : around.split("|");
    insert(text, start, end, before + chosen + after);
    text.setSelectionRange(start + before.length, start + before.length + chosen.length);
    return;
  }
  const first = value.lastIndexOf("\n", start - 1) + 1;
  const lines = value.slice(first, end).split("\n");
  const all = lines.every((each) => each.startsWith(line));
  const made = lines.map((each) => (all ? each.slice(line.length) : line + each)).join("\n");
  insert(text, first, end, made);
  text.setSelectionRange(first, first + made.length);
}

/* execCommand keeps the browser's own undo; setting the value would lose it. */
function insert(text, start, end, made) {
  text.setSelectionRange(start, end);
  const done = made ? document.execCommand("insertText", false, made) : document.execCommand("delete");
  if (!done) {
    text.setRangeText(made, start, end, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function continueList(event, text) {
  const { selectionStart: start, selectionEnd: end, value } = text;
  if (start !== end) return;
  const first = value.lastIndexOf("\n", start - 1) + 1;
  const match = /^(\s*)([-*+]|(\d+)[.)])(\s+)(.*)$/.exec(value.slice(first, start));
  if (!match) return;
  event.preventDefault();
  const [, indent, mark, number, gap, rest] = match;
  if (!rest) {
    insert(text, first, start, "\n");
    return;
  }
  const next = number ? mark.replace(number, String(Number(number) + 1)) : mark;
  insert(text, start, start, `\n${indent}${next}${gap}`);
}

function rove(event, bar) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...bar.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const next = buttons[(at + step + buttons.length) % buttons.length];
  for (const each of buttons) each.tabIndex = each === next ? 0 : -1;
  next.focus();
}
