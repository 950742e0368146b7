// The addresses of chat, in one place.

import { getHtml, getJson, openStream, patchJson, postJson, remove } from "../http.js";

const API = "/api/v1";

export const conversationCreate = (space) => postJson(`${API}/conversations/`, space ? { space } : {});
export const conversationUpdate = (id, fields) => patchJson(`${API}/conversations/${id}/`, fields);
export const conversationDelete = (id, options) => remove(`${API}/conversations/${id}/`, options);
export const messageSend = (conversation, body) =>
  postJson(`${API}/conversations/${conversation}/messages/`, body);
export const messageRegenerate = (id) => postJson(`${API}/messages/${id}/regenerate/`);
export const messageJudge = (id, body) => postJson(`${API}/messages/${id}/feedback/`, body);
export const messageGolden = (id) => postJson(`${API}/messages/${id}/golden-question/`);
export const goldenDelete = (id) => remove(`${API}/golden-questions/${id}/`);
export const turnGet = (id) => getJson(`${API}/turns/${id}/`);
export const turnStop = (id) => postJson(`${API}/turns/${id}/stop/`);
export const turnStream = (id, after, signal) =>
  openStream(`${API}/turns/${id}/events/?after=${after}`, signal);
export const turnPoll = (id, after, signal) =>
  getJson(`${API}/turns/${id}/poll/?after=${after}&wait=25`, { signal });

export const pageOf = (conversation) => `/c/${conversation}/`;
export const answerHtml = (conversation, turn) => getHtml(`/c/${conversation}/turns/${turn}/`);
export const earlierHtml = (conversation, before) =>
  getHtml(`/c/${conversation}/earlier/?before=${before}`);
export const listHtml = (query) => getHtml(`/c/?${new URLSearchParams(query)}`);
export const passageHtml = ({ node, version, start, end, state }, signal) => {
  const query = `${new URLSearchParams({ version, start, end })}${state ? `&${state}` : ""}`;
  return getHtml(`/knowledge/nodes/${node}/passage/?${query}`, { signal });
};
export const whyHtml = (conversation, turn, signal) =>
  getHtml(`/c/${conversation}/turns/${turn}/why/`, { signal });

export function socketAddress(conversation) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.host}/ws/chat/${conversation}/`;
}

/** Return a fresh UUID; `crypto.randomUUID` exists on https and localhost only. */
export function freshId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
