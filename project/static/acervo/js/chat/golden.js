// Making a golden question of an answer, for those who edit what it cites.

import { goldenDelete, messageGolden } from "./api.js";
import { copyOf, find, on } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

export function startGolden(thread) {
  on(thread, "click", "[data-golden]", async (_event, button) => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true"); // not `disabled`: that would lose the focus
    try {
      show(button, await messageGolden(button.closest(".answer").dataset.message));
      button.setAttribute("aria-pressed", "true");
    } catch (error) {
      toast(error.message);
    }
    button.removeAttribute("aria-disabled");
  });
}

function show(button, { golden_question: golden, created, edit_url: address }) {
  const place = find("[data-golden-place]", button.closest(".answer"));
  const note = copyOf("golden-template");
  const [edit, undo] = [find("[data-edit-golden]", note), find("[data-undo]", note)];
  find("[data-text]", note).textContent = created ? t("golden_made", { count: golden.nodes.length }) : t("golden_known");
  edit.href = address;
  edit.hidden = !address;
  undo.hidden = !created;
  undo.addEventListener("click", async () => {
    try {
      await goldenDelete(golden.id);
    } catch (error) {
      return toast(error.message);
    }
    place.replaceChildren();
    button.setAttribute("aria-pressed", "false");
    button.focus();
    toast(t("golden_undone"));
  });
  place.replaceChildren(note);
}
