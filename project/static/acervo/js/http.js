// Requests to our own server, with the CSRF token and the error envelope understood.

import { find, getCookie } from "./dom.js";
import { t } from "./text.js";

/**
 * Return what went wrong with a request. `status` is 0 when the server was not reached; `isPassing` says whether the
 * same request may work later, `retryAfter` in how many seconds.
 */
const failure = (status, message, code = "", retryAfter = 0) =>
  Object.assign(new Error(message), { status, code, retryAfter, isPassing: !status || status === 429 || status >= 502 });

async function request(method, url, body, { signal, accept = "application/json", timeout = 20000, keepalive } = {}) {
  const headers = { Accept: accept };
  if (method !== "GET") headers["X-CSRFToken"] = getCookie("acervo_csrf") || find("[name=csrfmiddlewaretoken]")?.value;
  const isJson = body && !(body instanceof FormData); // of a form the browser names the type, with a boundary
  if (isJson) headers["Content-Type"] = "application/json";
  const response = await fetch(url, {
    method,
    headers,
    keepalive,
    body: isJson ? JSON.stringify(body) : body,
    redirect: "manual",
    signal: signal ?? AbortSignal.timeout(timeout),
  }).catch((error) => {
    throw signal?.aborted ? error : failure(0, t("server_away"));
  });
  if (response.ok) return response;
  // A page that needs a signed-in person answers with a redirect to the sign-in page.
  if (response.status === 401 || response.type === "opaqueredirect") throw failure(401, t("signed_out"));
  const envelope = await response.json().catch(() => null);
  const { message = t("server_away"), code } = envelope?.error ?? {};
  throw failure(response.status, message, code, Number(response.headers.get("Retry-After")));
}

/** Return the JSON of an answer, or null when it has none. */
async function json(...asked) {
  const response = await request(...asked);
  return response.status === 204 ? null : response.json();
}

export const getJson = (url, options) => json("GET", url, undefined, options);
export const postJson = (url, body = {}, options) => json("POST", url, body, options);
export const patchJson = (url, body) => json("PATCH", url, body);
export const remove = (url, options) => json("DELETE", url, undefined, options);

/** Return a piece of HTML that the server rendered. */
export const getHtml = async (url, options) =>
  (await request("GET", url, undefined, { ...options, accept: "text/html" })).text();
