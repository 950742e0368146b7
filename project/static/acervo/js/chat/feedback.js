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
  const body = find("[data-body]", button.closest(".answer"));
  const { source = body.innerText, references = "" } = body.dataset;
  // Addresses are whole where they are read next.
  const text = `${source.trim()}\n\n${references}`.replaceAll("](/", `](${location.origin}/`).trim();
  await navigator.clipboard.writeText(text).then(() => toast(t("copied"), { seconds: 2 }), () => toast(t("copy_failed")));
}
