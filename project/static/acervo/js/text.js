// The sentences of the interface, in the language of the page.

const element = document.getElementById("strings");
const strings = element ? JSON.parse(element.textContent) : {};

/** Return a sentence with `{name}` replaced by `values.name`. */
export const fill = (sentence, values = {}) => sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** Return the sentence `key`, filled. */
export const t = (key, values) => fill(strings[key] ?? key, values);

/** Whether there is a sentence of that name. */
export function has(key) {
  return key in strings;
}

/** Return a number as the language of the page writes it. */
export function number(value) {
  return new Intl.NumberFormat(document.documentElement.lang).format(value);
}
