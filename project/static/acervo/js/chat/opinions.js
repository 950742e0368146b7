// What is done with an answer: judging it, copying it, making a golden question of it.

import { api, copyOf, copyText, find, findAll, onClick, postJson, remove, t, tell, toast } from "./ui.js";

const judge = (answer, body) => postJson(api(`messages/${answer.dataset.message}/feedback`), body);

onClick("[data-feedback]", (button) => {
  const answer = button.closest(".answer");
  const value = Number(button.dataset.feedback);
  const form = copyOf(`feedback-template${value}`);
  const close = () => {
    form.remove();
    button.focus();
  };
  const thank = () => toast(t("feedback_thanks"), close());
  const askWhy = () => {
    for (const each of findAll("[data-feedback]", answer)) each.ariaPressed = each === button;
    find("[data-feedback-place]", answer).replaceChildren(form);
    find("input", form).focus();
  };
  form.onreset = close;
  form.onkeydown = (event) => {
    if (event.key === "Escape") close(event.stopPropagation());
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const [reasons, reason] = [given.getAll("reasons"), given.get("reason").trim()];
    if (reason || reasons.length) judge(answer, { value, reasons, reason }).then(thank, tell);
    else thank();
  };
  judge(answer, { value }).then(askWhy, tell);
});

onClick("[data-copy]", (button) => {
  const body = find("[data-body]", button.closest(".answer"));
  const { source = body.innerText, references = "" } = body.dataset;
  // Addresses are whole where they are read next.
  copyText(`${source.trim()}\n\n${references}`.replaceAll("](/", `](${location.origin}/`).trim(), "copied");
});

// For those who edit what the answer cites.
onClick("[data-golden]", async (button) => {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true"; // not `disabled`: that would lose the focus
  const answer = button.closest(".answer");
  const made = await postJson(api(`messages/${answer.dataset.message}/golden-question`)).catch(tell);
  button.ariaDisabled = null;
  if (!made) return;
  const { golden_question: golden, created, edit_url: address } = made;
  const place = find("[data-golden-place]", answer);
  const note = copyOf("golden-template", { text: created ? t("golden_made", { count: golden.nodes.length }) : t("golden_known") });
  Object.assign(find("a", note), { href: address, hidden: !address });
  const undone = () => {
    place.replaceChildren();
    button.ariaPressed = "false";
    button.focus();
    toast(t("golden_undone"));
  };
  const onclick = () => remove(api(`golden-questions/${golden.id}`)).then(undone, tell);
  Object.assign(find("button", note), { onclick, hidden: !created });
  place.replaceChildren(note);
  button.ariaPressed = "true";
});
