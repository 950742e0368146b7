"""Scripts that look over a whole page; each returns what is wrong with it."""

CONTRAST = """() => {
  const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colours = [];
    for (let at = element; at; at = at.parentElement) {
      colours.unshift(getComputedStyle(at).backgroundColor);
    }
    return ["white", ...colours];
  };
  const skipped = ":disabled, [aria-hidden=true], .visually-hidden, .skip-link, script";
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const isSeen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text || !isSeen || element.closest(skipped)) continue;
    const ground = behind(element);
    const pair = [luminance(ground), luminance([...ground, getComputedStyle(element).color])];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faults.push(`${ratio.toFixed(2)} ${element.className}: ${text.slice(0, 40)}`);
  }
  return faults;
}"""
"""Texts with less than 4.5:1 between their colour and what lies behind them."""

NAMELESS = """() => {
  const controls = "a[href], button, summary, input:not([type=hidden]), select, textarea";
  const named = (each) =>
    each.ariaLabel || each.labels?.length || each.textContent.trim() || each.title;
  return [...document.querySelectorAll(controls)]
    .filter((each) => each.checkVisibility() && !named(each))
    .map((each) => each.outerHTML.slice(0, 120));
}"""
"""Controls that a screen reader could not call by a name."""
