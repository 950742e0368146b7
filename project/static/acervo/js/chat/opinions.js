// What is done with an answer: judging it, copying it, making a golden question of it.

import { api, copyOf, copyText, find, findAll, onClick, postJson, remove, t, tell, toast } from "./ui.js";

const judge = (answer, body) => postJson(api(`messages/${answer.dataset.message}/feedback`), body);

onClick("[data-feedback]", (button) => {
  const answer = button.closest(".answer");
  const value = Number(button.dataset.feedback);
  const askWhy = () => {
    for (const each of findAll("[data-feedback]", answer)) each.ariaPressed = each === button;
    const form = copyOf(`feedback-template${value}`);
    const close = () => {
      form.remove();
      button.focus();
    };
    find("[data-cancel]", form).onclick = close;
    form.onkeydown = (event) => {
      if (event.key === "Escape") close(event.stopPropagation());
    };
    form.onsubmit = async (event) => {
      event.preventDefault();
      const given = new FormData(form);
      const [reasons, reason] = [given.getAll("reasons"), given.get("reason").trim()];
      try {
        if (reason || reasons.length) await judge(answer, { value, reasons, reason });
        close();
        toast(t("feedback_thanks"));
      } catch (error) {
        tell(error);
      }
    };
    find("[data-feedback-place]", answer).replaceChildren(form);
    find("input", form).focus();
  };
  judge(answer, { value }).then(askWhy).catch(tell);
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
  const [edit, undo] = [find("a", note), find("button", note)];
  edit.href = address;
  edit.hidden = !address;
  undo.hidden = !created;
  const undone = () => {
    place.replaceChildren();
    button.ariaPressed = "false";
    button.focus();
    toast(t("golden_undone"));
  };
  undo.onclick = () => remove(api(`golden-questions/${golden.id}`)).then(undone, tell);
  place.replaceChildren(note);
  button.ariaPressed = "true";
});
