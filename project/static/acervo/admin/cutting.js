/* How texts are cut: only the numbers that the chosen strategy takes are shown. */

const choice = document.querySelector("[data-cutting]");
if (choice) {
  const numbers = [...document.querySelectorAll("[data-of]")];
  const show = () => {
    for (const number of numbers) {
      const row = number.closest("[data-row], .form-row, .field-row, [class*='field-']") ?? number.parentElement;
      row.hidden = !number.dataset.of.split(" ").includes(choice.value);
      number.placeholder = JSON.parse(number.dataset.defaults)[choice.value] ?? "";
    }
  };
  choice.addEventListener("change", () => {
    for (const number of numbers) number.value = ""; // each strategy has defaults of its own
    show();
  });
  show();
}

if (location.hash === "#outcome") document.querySelector("[data-outcome]")?.focus();
