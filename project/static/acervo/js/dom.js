// Small helpers over the document. Text always enters through textContent.

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Write texts into the elements that are marked `data-<name>`. */
export function put(root, texts) {
  for (const [name, text] of Object.entries(texts)) find(`[data-${name}]`, root).textContent = text;
}

/** Return a copy of the first element of a <template>, with `texts` put in. */
export function copyOf(id, texts = {}) {
  const copy = document.getElementById(id).content.firstElementChild.cloneNode(true);
  put(copy, texts);
  return copy;
}

/** Return the elements of a piece of HTML that our own server rendered. */
export const fromServer = (html) => Object.assign(document.createElement("template"), { innerHTML: html }).content;

/** Call `handler(event, element)` for events on what matches `selector` now or later. */
export function on(root, type, selector, handler) {
  root.addEventListener(type, (event) => {
    const element = event.target.closest?.(selector);
    if (element && root.contains(element)) handler(event, element);
  });
}

/** Call `handler(element)` for clicks on what matches `selector` now or later. */
export const onClick = (selector, handler) => on(document, "click", selector, (_event, element) => handler(element));

/** Remember a choice for a year, where the server sees it too. */
export function setCookie(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=${value ? 31536000 : 0}; SameSite=Lax${secure}`;
}

export function getCookie(name) {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`)) ?? "";
  return decodeURIComponent(found.slice(name.length + 1));
}
