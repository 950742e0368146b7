// Making a golden question of an answer, for those who edit what it cites.

import { api, tell, thread } from "./ui.js";
import { copyOf, find, on } from "../dom.js";
import { postJson, remove } from "../http.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

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
  const [edit, undo] = [find("[data-edit-golden]", note), find("[data-undo]", note)];
  edit.href = address;
  edit.hidden = !address;
  undo.hidden = !created;
  undo.onclick = async () => {
    try {
      await remove(api(`golden-questions/${golden.id}`));
    } catch (error) {
      return tell(error);
    }
    place.replaceChildren();
    button.ariaPressed = "false";
    button.focus();
    toast(t("golden_undone"));
  };
  place.replaceChildren(note);
  button.ariaPressed = "true";
}
