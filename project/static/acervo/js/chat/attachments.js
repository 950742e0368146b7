// Files of this conversation: by button, drop or paste; chips above the box say how they stand.

import { announce, chat, copyOf, find, fromServer, getHtml, here, mine, on, page, postJson, remove, tell } from "./ui.js";

const LOOK_EVERY = 1500; // milliseconds
const chips = find("[data-attached]");
const dock = find("[data-attaches]");
let timer = 0;

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

  let adding = Promise.resolve();
  const add = (given) => {
    const list = [...given];
    adding = adding.then(() => upload(list));
  };

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

  const button = find("[data-attach]");
  button.onclick = () => files.click();
  files.onchange = () => {
    add(files.files);
    files.value = "";
  };
  on(chips, "click", "[data-detach]", async (_event, { dataset: { detach } }) => {
    await remove(mine(`attachments/${detach}/`)).then(refresh).catch(tell);
    button.focus();
  });
  find("[data-input]").addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    chat.addEventListener(type, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      dock.classList.toggle("is-dropping", type === "dragover");
      if (type === "drop") add(event.dataTransfer.files);
    });
  }
  if (isReading()) refresh().catch(tell);
}
