// Files of this conversation: by button, drop or paste; chips above the box say how they stand.

import { announce, chat, copyOf, find, fromServer, getHtml, here, mine, onClick, page, postJson, remove, tell } from "./ui.js";

const LOOK_EVERY = 1500; // milliseconds
const chips = find("[data-attached]");
const dock = find("[data-attaches]");
let timer = 0;
let adding = Promise.resolve();

export const isReading = () => Boolean(find("[data-reading]", chips));

async function refresh() {
  clearTimeout(timer);
  const wasReading = isReading();
  chips.replaceChildren(fromServer(await getHtml(page("attachments/"))));
  if (isReading()) timer = setTimeout(() => refresh().catch(tell), LOOK_EVERY);
  else if (wasReading) announce(chips.innerText);
}

/** `begin()` makes the conversation where there is none yet. */
export function startAttachments(begin) {
  if (!dock) return;
  const files = find("[data-files]");
  const button = find("[data-attach]");

  /** Take the files that an event brought, when it did. */
  function take(event, given) {
    if (!given.length) return;
    event.preventDefault();
    const list = [...given];
    adding = adding.then(() => upload(list));
  }

  async function upload(list) {
    chips.append(...list.map(({ name }) => copyOf("attaching-template", { name })));
    try {
      if (!here()) await begin();
      for (const file of list) {
        const body = new FormData();
        body.append("file", file);
        await postJson(mine("attachments/"), body, { timeout: 120000 });
      }
    } catch (error) {
      tell(error);
    }
    if (here()) await refresh().catch(tell);
    else chips.replaceChildren();
  }

  button.onclick = () => files.click();
  files.onchange = (event) => {
    take(event, files.files);
    files.value = "";
  };
  onClick("[data-detach]", async ({ dataset }) => {
    await remove(mine(`attachments/${dataset.detach}/`)).then(refresh).catch(tell);
    button.focus();
  });
  find("[data-input]").addEventListener("paste", (event) => take(event, event.clipboardData.files));
  for (const type of ["dragover", "dragleave", "drop"]) {
    chat.addEventListener(type, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      dock.classList.toggle("is-dropping", type === "dragover");
      if (type === "drop") take(event, event.dataTransfer.files);
    });
  }
  if (isReading()) refresh().catch(tell);
}
