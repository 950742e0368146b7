// The list of what needs attention: choose all rows of a group at once.

for (const form of document.querySelectorAll("[data-need]")) {
  const all = form.querySelector("[data-all]");
  const boxes = [...form.querySelectorAll('input[name="nodes"]')];
  if (!all || boxes.length < 2) continue;
  all.closest("label").hidden = false;
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  for (const box of boxes) box.addEventListener("change", show);
  show();
}
