// The reading page: brings the cited passage into view.

import { find } from "./dom.js";

const passage = find("#passage");
if (passage && (!location.hash || location.hash === "#passage")) {
  passage.scrollIntoView({ block: "center" });
}
