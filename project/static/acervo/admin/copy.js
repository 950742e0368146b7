/* Buttons that copy the value of a field. */

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    const label = button.querySelector("[data-label]");
    try {
      await navigator.clipboard.writeText(field.value);
      label.textContent = button.dataset.done;
    } catch {
      field.select();
      label.textContent = button.dataset.failed;
    }
  });
}
