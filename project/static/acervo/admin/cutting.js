/* How texts are cut: only the numbers that the chosen strategy takes are shown. */

const choice = document.querySelector("[data-cutting]");
if (choice) {
  const numbers = [...document.querySelectorAll("[data-of]")];
  const show = () => {
    for (const number of numbers) {
      const row = number.closest("[data-row], .form-row, .field-row, [class*='field-']") ?? number.parentElement;
      row.hidden = !number.dataset.of.split(" ").includes(choice.value);
    }
  };
  choice.addEventListener("change", () => {
    for (const number of numbers) number.value = ""; // each strategy has defaults of its own
    show();
  });
  show();
}

const outcome = document.querySelector("[data-outcome]");
if (outcome && document.querySelector("form [name=csrfmiddlewaretoken]") && performance.getEntriesByType("navigation")[0]?.type !== "reload") {
  if (location.hash === "#outcome") outcome.focus();
}
