/* Sends chosen files, a few at once, each with its progress and its own refusal; then follows the
 * jobs that read them. One file that fails stops no other; each can be cancelled and tried again. */

import { follow } from "./jobs.js";

const AT_ONCE = 3;
const SENT = 0.5; // share of the bar for the way to the server; the rest is the job's

const form = document.querySelector("[data-upload]");
const list = form.querySelector("[data-files]");
const drop = form.querySelector("[data-drop]");
const folder = form.querySelector("[data-folder]");
const sum = form.querySelector("[data-sum]");
const said = form.querySelector("[data-said]");
const cancelAll = form.querySelector("[data-cancel-all]");
const retryAll = form.querySelector("[data-retry-all]");
const sample = document.getElementById("file-row");
const words = form.dataset;
const files = [];
const queue = [];
let sending = 0;

form.querySelector("[data-plain]").hidden = true;
for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
    input.value = "";
  });
}
folder.hidden = !("webkitdirectory" in folder.querySelector("input"));
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("ac-over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("ac-over"));
}
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  // The entries are to be had only while the event lasts.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...event.dataTransfer.files].map((file) => ({ file, name: file.name }));
  add(entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(within))).flat() : plain);
});
form.addEventListener("submit", (event) => event.preventDefault());
cancelAll.addEventListener("click", () => files.forEach(stop));
retryAll.addEventListener("click", () => files.filter((each) => each.state === "failed").forEach(again));
window.addEventListener("beforeunload", (event) => {
  if (sending || queue.length) event.preventDefault();
});

/* Returns the files of a dropped entry, those of its folders, too; hidden ones are left out. */
async function within(entry, before = "") {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    return new Promise((done) => entry.file((file) => done([{ file, name: before + file.name }]), () => done([])));
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives so many at once, and none at the end.
    const some = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!some.length) return found;
    for (const each of some) found.push(...(await within(each, `${before}${entry.name}/`)));
  }
}

function add(chosen) {
  for (const { file, name } of chosen) {
    const row = sample.content.firstElementChild.cloneNode(true);
    const part = (what) => row.querySelector(`[data-${what}]`);
    const each = { file, row, bar: part("bar"), text: part("state"), link: part("link"), stop: part("stop"), again: part("again"), state: "waiting" };
    part("name").textContent = name;
    each.bar.setAttribute("aria-label", name);
    each.stop.setAttribute("aria-label", `${words.cancel}: ${name}`);
    each.again.setAttribute("aria-label", `${words.retry}: ${name}`);
    each.link.setAttribute("aria-label", `${words.job}: ${name}`);
    each.stop.addEventListener("click", () => stop(each));
    each.again.addEventListener("click", () => again(each));
    list.append(row);
    files.push(each);
    begin(each);
  }
  work();
}

function begin(each) {
  each.bar.value = 0;
  each.row.className = "";
  each.again.hidden = each.link.hidden = true;
  each.bar.hidden = each.stop.hidden = false;
  each.job = null;
  if (each.file.size > Number(words.limit)) fail(each, words.tooLarge);
  else if (!each.file.size) fail(each, words.empty);
  else {
    set(each, "waiting", words.waiting);
    queue.push(each);
  }
}

function set(each, state, text) {
  each.state = state;
  each.text.textContent = text;
  tell();
}

function tell() {
  const count = (...states) => files.filter((each) => states.includes(each.state)).length;
  sum.hidden = !files.length;
  const failed = count("failed");
  const text = words.of.replace("{done}", count("done")).replace("{all}", files.length).replace("{failed}", failed);
  if (said.textContent !== text) said.textContent = text;
  retryAll.hidden = !failed;
  cancelAll.disabled = !count("waiting", "sending", "reading");
}

function work() {
  while (sending < AT_ONCE && queue.length) send(queue.shift());
}

function send(each) {
  const body = new FormData(form);
  body.delete("file");
  body.append("file", each.file);
  const request = new XMLHttpRequest();
  each.request = request;
  sending += 1;
  request.open("POST", words.upload);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) each.bar.value = (SENT * event.loaded) / event.total;
  });
  request.addEventListener("loadend", () => {
    sending -= 1;
    each.request = null;
    if (each.state === "sending") {
      const answer = parsed(request.responseText);
      if (request.status === 202) accept(each, answer);
      else fail(each, answer?.message ?? words.broken);
    }
    work();
  });
  set(each, "sending", words.sending);
  request.send(body);
}

function accept(each, answer) {
  each.job = answer.job;
  each.link.href = answer.url;
  each.link.hidden = false;
  each.bar.value = SENT;
  set(each, "reading", answer.notice || words.reading);
  follow(answer.job, (job) => progress(each, answer, job));
}

function progress(each, answer, job) {
  if (each.job !== answer.job) return;
  each.bar.value = SENT + (1 - SENT) * job.progress;
  if (!job.ended) {
    if (!answer.notice) each.text.textContent = job.text;
    return;
  }
  each.stop.hidden = true;
  if (job.status === "completed") {
    each.bar.value = 1;
    each.row.className = "ac-ok";
    set(each, "done", answer.notice || job.text);
  } else if (job.status === "failed") {
    fail(each, job.text, "");
  } else {
    leaveOut(each);
  }
}

function fail(each, why, before = `${words.failed}: `) {
  each.row.className = "ac-refused";
  each.bar.hidden = each.stop.hidden = true;
  each.again.hidden = false;
  set(each, "failed", before + why);
}

function leaveOut(each) {
  each.bar.hidden = each.stop.hidden = true;
  each.again.hidden = false;
  set(each, "cancelled", words.leftOut);
}

function stop(each) {
  if (each.state === "reading") {
    tellJob(each, "cancel");
    return;
  }
  if (!["waiting", "sending"].includes(each.state)) return;
  const at = queue.indexOf(each);
  if (at >= 0) queue.splice(at, 1);
  leaveOut(each);
  each.request?.abort();
  each.again.focus();
}

async function again(each) {
  if (each.job && (await tellJob(each, "retry"))) {
    // The file is stored already: only its job runs again.
    each.row.className = "";
    each.again.hidden = true;
    each.bar.hidden = each.stop.hidden = false;
    set(each, "reading", words.reading);
    follow(each.job, (job) => progress(each, { job: each.job }, job));
    return;
  }
  begin(each);
  work();
}

async function tellJob(each, what) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  try {
    const answer = await fetch(`${words.jobs}${each.job}/${what}/`, { method: "POST", body, headers: { Accept: "application/json" } });
    return answer.ok;
  } catch {
    return false;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
