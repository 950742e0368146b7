// The summary of a topic: a language model writes while what is quoted can be read.

import { find, on } from "./dom.js";
import { toast } from "./toast.js";

const waiting = find("[data-synthesis-write]");
if (waiting) write(waiting);

async function write(form) {
  const stop = new AbortController();
  const seconds = form.querySelector("[data-seconds]");
  const began = Date.now();
  const clock = setInterval(() => {
    seconds.textContent = `${Math.round((Date.now() - began) / 1000)} s`;
  }, 1000);
  form.querySelector("[data-stop]").addEventListener("click", () => stop.abort());
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      credentials: "same-origin",
      redirect: "manual",
      signal: stop.signal,
    });
    if (!answer.ok) throw new Error(answer.status === 429 ? await answer.text() : "");
    find("[data-synthesis]").innerHTML = await answer.text();
    form.remove();
  } catch (error) {
    if (stop.signal.aborted) form.remove();
    else tell(form, error.message);
  } finally {
    clearInterval(clock);
  }
}

function tell(form, reason) {
  form.querySelector("p").textContent = reason || form.dataset.failed;
  form.querySelector("[data-stop]").remove();
  form.querySelector(".synthesis-pulse").remove();
  form.classList.add("notice-warning");
}

on(document, "click", "[data-copy-text]", async (_event, button) => {
  try {
    await navigator.clipboard.writeText(find("[data-text-to-copy]").value);
    toast(button.dataset.copied);
  } catch {
    toast(button.dataset.failed);
  }
});
