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

/** Return a fresh name for a message; `crypto.randomUUID` exists on https and localhost only. */
export const freshId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("-");
