// The JSON API of this daemon, below wherever the page is served (sub-path, ingress).
import { errorText } from "./words.js";
import { t } from "./text.js";

/** Where homeface begins, with a slash at the end. */
export const root = new URL(document.documentElement.dataset.root || "./", location.href).pathname;
/** Where style sheets, scripts and icons lie. */
export const files = new URL(document.documentElement.dataset.files || "./", location.href).pathname;
export const role = document.documentElement.dataset.role || "";
/** Id of the person who looks, if they are enrolled. */
export const self = document.documentElement.dataset.subject || "";
let csrf = document.querySelector('meta[name="csrf-token"]')?.content || "";

/** After a log-in that does not load the page anew. */
export function useSession(session) {
  csrf = session.csrf || "";
}

const AGAIN_MS = 3000;
/** The server says something at least every 15 seconds. */
const SILENT_MS = 40_000;
const HIDDEN_MS = 60_000;

/** What the API refused: `key` for programs, `message` for people, `field` where one is at fault. */
export class ApiError extends Error {
  constructor(status, key, message, field) {
    super(message);
    this.status = status;
    this.key = key;
    this.field = field;
  }
}

/** One call. `body`: an object becomes JSON; FormData and Blob go as they are. Raises ApiError. */
export async function api(method, path, body, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  let content = body;
  if (body instanceof Blob) headers["Content-Type"] = body.type;
  else if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    content = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`${root}api/v1/${path}`, { method, headers, body: content, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", t("homeface cannot be reached. Is it running, and is this device in the home's network?"), null);
  }
  if (answer.ok) return read(answer);
  throw await problem(answer);
}

async function read(answer) {
  if (answer.status === 204) return null;
  const kind = answer.headers.get("Content-Type") || "";
  return kind.includes("json") ? answer.json() : answer.blob();
}

async function problem(answer) {
  if (answer.status === 401 && document.documentElement.dataset.page !== "login") {
    const next = location.pathname.slice(root.length) + location.search;
    if (!/^(invite|me)\//.test(next)) location.assign(`${root}login?next=${encodeURIComponent(next)}`);
  }
  let told = {};
  try {
    told = (await answer.json()).error || {};
  } catch {
    // Not ours (a proxy's page, say): the status is all there is to tell.
  }
  const fallback = told.message || t("homeface answered with status {status}.", { status: answer.status });
  return new ApiError(answer.status, told.key || "", errorText(told.key, fallback), told.field ?? null);
}

export const get = (path, options) => api("GET", path, undefined, options);
export const post = (path, body, options) => api("POST", path, body ?? {}, options);
export const patch = (path, body) => api("PATCH", path, body);
export const remove = (path) => api("DELETE", path);

/**
 * Server-sent events: `handlers` by kind. `state(true|false)` tells whether the line stands: a silent line counts
 * as cut, for what the page shows could be old. Refused means that the session is over, or homeface starts.
 */
export function listen(handlers, state = () => {}) {
  let source = null;
  let silence = 0;
  let hidden = 0;
  let opened = false;
  const leave = () => {
    clearTimeout(silence);
    source.close();
    state(false);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => cut(true), SILENT_MS);
  };
  const cut = (anew) => {
    state(false);
    if (!anew && source.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    source.close();
    clearTimeout(silence);
    setTimeout(again, AGAIN_MS);
  };
  const connect = () => {
    source?.close();
    source = new EventSource(`${root}api/v1/events`);
    source.onopen = () => {
      heard();
      state(true);
      if (opened) { // the state of the house comes by itself; what else was missed is asked for
        handlers.people?.();
        handlers.visits?.();
      }
      opened = true;
    };
    source.onerror = () => cut(false);
    source.addEventListener("ping", heard);
    for (const [kind, handler] of Object.entries(handlers)) {
      source.addEventListener(kind, (event) => { heard(); handler(event.data ? JSON.parse(event.data) : null); });
    }
  };
  const again = async () => {
    const session = await get("session").catch(() => null);
    if (session && session.role === null) location.reload(); // leads to the log-in page
    else connect();
  };
  connect();
  addEventListener("offline", () => state(false));
  addEventListener("online", connect);
  addEventListener("pagehide", leave);
  // Browsers hold few lines to one host: a page that nobody looks at gives its own back after a while.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(leave, HIDDEN_MS);
    else if (source.readyState === EventSource.CLOSED) connect();
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
