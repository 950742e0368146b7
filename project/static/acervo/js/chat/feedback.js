// Thumbs, with a reason for who wants to give one; copying an answer.

import { messageJudge } from "./api.js";
import { copyOf, find, findAll, on } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

export function startFeedback(thread) {
  on(thread, "click", "[data-feedback]", (_event, button) => judge(button));
  on(thread, "click", "[data-copy]", (_event, button) => copy(button));
}

async function judge(button) {
  const answer = button.closest(".answer");
  const value = Number(button.dataset.feedback);
  const before = findAll("[data-feedback]", answer).map((each) => each.getAttribute("aria-pressed"));
  press(answer, value);
  try {
    await messageJudge(answer.dataset.message, { value });
    askWhy(answer, value, button);
  } catch (error) {
    findAll("[data-feedback]", answer).forEach((each, at) => each.setAttribute("aria-pressed", before[at]));
    toast(error.message);
  }
}

function press(answer, value) {
  for (const each of findAll("[data-feedback]", answer)) {
    each.setAttribute("aria-pressed", String(Number(each.dataset.feedback) === value));
  }
}

function askWhy(answer, value, opener) {
  const place = find("[data-feedback-place]", answer);
  const form = copyOf("feedback-template");
  find(value > 0 ? "[data-label-good]" : "[data-label-bad]", form).hidden = false;
  const close = () => {
    place.replaceChildren();
    opener.focus();
  };
  find("[data-cancel]", form).addEventListener("click", close);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reason = find("textarea", form).value.trim();
    try {
      if (reason) await messageJudge(answer.dataset.message, { value, reason });
      close();
      toast(t("feedback_thanks"));
    } catch (error) {
      toast(error.message);
    }
  });
  place.replaceChildren(form);
  find("textarea", form).focus();
}

async function copy(button) {
  const answer = button.closest(".answer");
  const text = find("[data-body]", answer).dataset.source ?? find("[data-body]", answer).innerText;
  try {
    await navigator.clipboard.writeText(withSources(text, answer));
  } catch {
    toast(t("copy_failed"));
    return;
  }
  const drawing = button.innerHTML;
  button.replaceChildren(document.getElementById("copied-template").content.cloneNode(true));
  toast(t("copied"), { seconds: 2 });
  setTimeout(() => (button.innerHTML = drawing), 2000);
}

/** Return the text with its numbered sources, so that the numbers mean something elsewhere. */
function withSources(text, answer) {
  const sources = findAll(".source", answer).map((item) => {
    const { citation, node, version, start, end } = item.dataset;
    const title = find("[data-title]", item).textContent;
    const address = node ? `${location.origin}/knowledge/nodes/${node}/?${new URLSearchParams({ version, start, end })}` : "";
    return `[${citation}] ${title} ${address}`.trim();
  });
  return sources.length ? `${text.trim()}\n\n${t("sources_heading")}:\n${sources.join("\n")}\n` : text;
}
