// Making a golden question of an answer, for those who edit what it cites.

import { goldenDelete, messageGolden } from "./api.js";
import { copyOf, find, on } from "../dom.js";
import { t } from "../text.js";
import { toast } from "../toast.js";

export function startGolden(thread) {
  on(thread, "click", "[data-golden]", (_event, button) => make(button));
}

async function make(button) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const answer = button.closest(".answer");
  button.setAttribute("aria-disabled", "true"); // not `disabled`: that would lose the focus
  try {
    show(answer, button, await messageGolden(answer.dataset.message));
    button.setAttribute("aria-pressed", "true");
  } catch (error) {
    toast(error.message);
  }
  button.removeAttribute("aria-disabled");
}

function show(answer, button, { golden_question: golden, created, edit_url: address }) {
  const note = copyOf("golden-template");
  const text = created ? t("golden_made", { count: golden.nodes.length }) : t("golden_known");
  find("[data-text]", note).textContent = text;
  const edit = find("[data-edit-golden]", note);
  if (address) {
    edit.href = address;
    edit.hidden = false;
  }
  const undo = find("[data-undo]", note);
  undo.hidden = !created;
  undo.addEventListener("click", async () => {
    try {
      await goldenDelete(golden.id);
    } catch (error) {
      toast(error.message);
      return;
    }
    find("[data-golden-place]", answer).replaceChildren();
    button.setAttribute("aria-pressed", "false");
    button.focus();
    toast(t("golden_undone"));
  });
  find("[data-golden-place]", answer).replaceChildren(note);
}
