// Requests to our own server, with the CSRF token and the error envelope understood.

import { getCookie } from "./dom.js";
import { t } from "./text.js";

/** What went wrong with a request. `status` is 0 when the server was not reached. */
export class RequestFailed extends Error {
  constructor(status, code, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may work later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

async function request(method, url, body, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (method !== "GET") headers["X-CSRFToken"] = getCookie("acervo_csrf") || formToken();
  const isForm = body instanceof FormData; // the browser names its type, with a boundary
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined || isForm ? body : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "manual",
      keepalive: options.keepalive ?? false,
      signal: options.signal ?? AbortSignal.timeout(options.timeout ?? 20000),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new RequestFailed(0, "unreachable", t("server_away"));
  }
  // A page that needs a signed-in person answers with a redirect to the sign-in page.
  if (response.type === "opaqueredirect") throw new RequestFailed(401, "unauthenticated", t("signed_out"));
  if (!response.ok) throw await failure(response);
  return response;
}

async function failure(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  const envelope = await response.json().catch(() => null);
  const error = envelope?.error;
  if (response.status === 401) return new RequestFailed(401, "unauthenticated", t("signed_out"));
  const message = error?.message ?? t("server_away");
  return new RequestFailed(response.status, error?.code ?? "", message, retryAfter);
}

function formToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** Return the JSON of an answer, or null when it has none. */
async function json(method, url, body, options) {
  const response = await request(method, url, body, options);
  return response.status === 204 ? null : response.json();
}

export const getJson = (url, options) => json("GET", url, undefined, options);
export const postJson = (url, body = {}, options) => json("POST", url, body, options);
export const patchJson = (url, body, options) => json("PATCH", url, body, options);
export const remove = (url, options) => json("DELETE", url, undefined, options);

/** Return a piece of HTML that the server rendered. */
export async function getHtml(url, options = {}) {
  const response = await request("GET", url, undefined, { ...options, headers: { Accept: "text/html" } });
  return response.text();
}
