/* Sends chosen files one after the other, each with its progress and its own refusal. */

const form = document.querySelector("[data-upload]");
const list = form.querySelector("[data-files]");
const drop = form.querySelector("[data-drop]");
const input = form.querySelector("input[type=file]");
const words = form.dataset;
const queue = [];
let busy = false;

form.querySelector("[data-plain]").hidden = true;
input.addEventListener("change", () => {
  add(input.files);
  input.value = "";
});
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("ac-over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("ac-over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  add(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});

function add(files) {
  for (const file of files) {
    const row = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = file.name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    const state = document.createElement("span");
    state.textContent = words.waiting;
    row.append(name, bar, state);
    list.append(row);
    queue.push({ file, row, bar, state });
  }
  work();
}

async function work() {
  if (busy) return;
  busy = true;
  while (queue.length) await send(queue.shift());
  busy = false;
}

function send({ file, row, bar, state }) {
  if (file.size > Number(words.limit)) {
    refuse(row, state, words.tooLarge);
    return Promise.resolve();
  }
  const body = new FormData(form);
  body.delete("file");
  body.append("file", file);
  const request = new XMLHttpRequest();
  request.open("POST", words.upload);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
  });
  state.textContent = words.sending;
  return new Promise((done) => {
    request.addEventListener("loadend", () => {
      const answer = parsed(request.responseText);
      if (request.status === 202) accept(row, state, bar, answer);
      else refuse(row, state, answer?.message ?? words.broken);
      done();
    });
    request.send(body);
  });
}

function accept(row, state, bar, answer) {
  bar.value = 1;
  row.classList.add("ac-ok");
  const link = document.createElement("a");
  link.href = answer.url;
  link.textContent = words.job;
  link.className = "ac-link";
  state.textContent = `${answer.notice || words.reading} · `;
  state.append(link);
}

function refuse(row, state, why) {
  row.classList.add("ac-refused");
  row.querySelector("progress").hidden = true;
  state.textContent = `${words.failed}: ${why}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
