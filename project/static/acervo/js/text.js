// The sentences of the interface, in the language of the page.

const strings = JSON.parse(document.getElementById("strings")?.textContent ?? "{}");

/** Return a sentence with `{name}` replaced by `values.name`. */
export const fill = (sentence, values = {}) => sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** Return the sentence `key`, else the one of `other`, filled. */
export const t = (key, values, other = key) => fill(strings[key] ?? strings[other] ?? key, values);

/** Return a number as the language of the page writes it. */
export const number = (value) => value.toLocaleString(document.documentElement.lang);
