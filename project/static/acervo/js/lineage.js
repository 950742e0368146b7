// The graph is wider than most windows: begin where the asked version is.

import { find } from "./dom.js";

const region = find("[data-lineage]");
const focus = region && find(".is-focus", region);
if (focus) {
  const box = focus.getBoundingClientRect();
  const view = region.getBoundingClientRect();
  region.scrollLeft += box.left - view.left - (view.width - box.width) / 2;
}
