// Thumbs, with reasons for who wants to give some; copying an answer.

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
  const thumbs = findAll("[data-feedback]", answer);
  const before = thumbs.map((each) => each.getAttribute("aria-pressed"));
  for (const each of thumbs) each.setAttribute("aria-pressed", each === button);
  try {
    await messageJudge(answer.dataset.message, { value });
    askWhy(answer, value, button);
  } catch (error) {
    thumbs.forEach((each, at) => each.setAttribute("aria-pressed", before[at]));
    toast(error.message);
  }
}

function askWhy(answer, value, opener) {
  const place = find("[data-feedback-place]", answer);
  const form = copyOf("feedback-template");
  const choices = find(`[data-value="${value}"]`, form);
  choices.hidden = false;
  const close = () => {
    place.replaceChildren();
    opener.focus();
  };
  find("[data-cancel]", form).addEventListener("click", close);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reasons = findAll(":checked", choices).map((each) => each.value);
    const reason = find("textarea", form).value.trim();
    try {
      if (reason || reasons.length) await messageJudge(answer.dataset.message, { value, reasons, reason });
      close();
      toast(t("feedback_thanks"));
    } catch (error) {
      toast(error.message);
    }
  });
  place.replaceChildren(form);
  find("input", choices).focus();
}

async function copy(button) {
  const answer = button.closest(".answer");
  const body = find("[data-body]", answer);
  try {
    await navigator.clipboard.writeText(withSources(body.dataset.source ?? body.innerText, answer));
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
