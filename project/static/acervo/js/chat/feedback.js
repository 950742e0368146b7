// Thumbs, with reasons for who wants to give some; copying an answer.

import { api, copyOf, find, findAll, on, postJson, t, tell, thread, toast } from "./ui.js";

on(thread, "click", "[data-feedback]", async (_event, button) => {
  const answer = button.closest(".answer");
  try {
    await judge(answer, { value: Number(button.dataset.feedback) });
    for (const each of findAll("[data-feedback]", answer)) each.ariaPressed = each === button;
    askWhy(answer, button);
  } catch (error) {
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
    if (event.key === "Escape") close(event.stopPropagation());
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
