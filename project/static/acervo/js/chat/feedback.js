// Thumbs, with reasons for who wants to give some; copying an answer.

import { api, tell, thread } from "./ui.js";
import { copyOf, find, findAll, on } from "../dom.js";
import { postJson } from "../http.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

on(thread, "click", "[data-feedback]", async (_event, button) => {
  const answer = button.closest(".answer");
  const thumbs = findAll("[data-feedback]", answer);
  const before = thumbs.map((each) => each.ariaPressed);
  for (const each of thumbs) each.ariaPressed = each === button;
  try {
    await judge(answer, { value: Number(button.dataset.feedback) });
    askWhy(answer, button);
  } catch (error) {
    thumbs.forEach((each, at) => (each.ariaPressed = before[at]));
    tell(error);
  }
});

const judge = (answer, body) => postJson(api(`messages/${answer.dataset.message}/feedback`), body);

function askWhy(answer, opener) {
  const form = copyOf("feedback-template");
  const { feedback: value } = opener.dataset;
  const choices = find(`[data-value="${value}"]`, form);
  choices.hidden = false;
  const close = () => {
    form.remove();
    opener.focus();
  };
  find("[data-cancel]", form).onclick = close;
  form.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const reasons = findAll(":checked", choices).map((each) => each.value);
    const reason = find("textarea", form).value.trim();
    try {
      if (reason || reasons.length) await judge(answer, { value: Number(value), reasons, reason });
      close();
      toast(t("feedback_thanks"));
    } catch (error) {
      tell(error);
    }
  };
  find("[data-feedback-place]", answer).replaceChildren(form);
  find("input", choices).focus();
}

on(thread, "click", "[data-copy]", async (_event, button) => {
  const body = find("[data-body]", button.closest(".answer"));
  const { source = body.innerText, references = "" } = body.dataset;
  // Addresses are whole where they are read next.
  const text = `${source.trim()}\n\n${references}`.replaceAll("](/", `](${location.origin}/`).trim();
  await navigator.clipboard.writeText(text).then(() => toast(t("copied"), { seconds: 2 }), () => toast(t("copy_failed")));
});
