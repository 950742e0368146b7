// What pages with filters and with addresses to pass on do; the chat has neither.

import { on, onClick } from "./dom.js";
import { copyText } from "./toast.js";

on(document, "change", "[data-submits]", (_event, element) => element.form.requestSubmit());

onClick("[data-copy-link]", ({ dataset }) => copyText(new URL(dataset.copyLink, location.href).href, "link_copied"));
