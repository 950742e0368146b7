// Making a golden question of an answer, for those who edit what it cites.

import { api, copyOf, find, on, postJson, remove, t, tell, thread, toast } from "./ui.js";

on(thread, "click", "[data-golden]", async (_event, button) => {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true"; // not `disabled`: that would lose the focus
  const { message } = button.closest(".answer").dataset;
  const made = await postJson(api(`messages/${message}/golden-question`)).catch(tell);
  button.ariaDisabled = null;
  if (made) show(button, made);
});

function show(button, { golden_question: golden, created, edit_url: address }) {
  const place = find("[data-golden-place]", button.closest(".answer"));
  const text = created ? t("golden_made", { count: golden.nodes.length }) : t("golden_known");
  const note = copyOf("golden-template", { text });
  const edit = find("[data-edit-golden]", note);
  const undo = find("[data-undo]", note);
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
}
