// Requests to this server: with the key where there is one, with the progress of uploads, with errors that have a code.

const KEY = "obscura-key";

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  /** @param {string} value */
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** An answer that is no success: a stable code and the server's own words. Status 0: there was no answer. */
export class ServerError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {number} [retryAfter] seconds */
  constructor(status, code, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether nobody answered, or only something in front of the server did. */
  get isAway() {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }

  /** Whether the server asks to come again later. */
  get isBusy() {
    return this.status === 429 || this.status === 503;
  }
}

/** @returns {Record<string, string>} */
const credentials = () => (key.get() ? { authorization: `Bearer ${key.get()}` } : {});

/** @param {number} status @param {string} text @param {string | null} retryAfter */
function problemOf(status, text, retryAfter) {
  const seconds = Number(retryAfter) || 0;
  try {
    const { error } = JSON.parse(text);
    return new ServerError(status, error.code, error.message, seconds);
  } catch {
    return new ServerError(status, "http_error", `HTTP ${status}`, seconds);
  }
}

/** Return a successful response; raise ServerError for any other, and AbortError where `signal` says so.
 * @param {string} path @param {RequestInit} [init] */
export async function request(path, init = {}) {
  let response;
  try {
    response = await fetch(path, { ...init, headers: { ...init.headers, ...credentials() } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ServerError(0, "network", String(error));
  }
  if (response.ok) return response;
  throw problemOf(response.status, await response.text().catch(() => ""), response.headers.get("retry-after"));
}

/** Send a form and return the JSON of the answer; `fetch` cannot tell how much of a body has left.
 *
 * Where it is aborted after everything has been sent, the answer goes to `onLate`: the server has taken the photo.
 * @param {string} path @param {FormData} body
 * @param {{signal: AbortSignal, idempotencyKey: string, onShare: (share: number) => void, onLate: (answer: any) => void}} how
 * @returns {Promise<any>} */
export function upload(path, body, { signal, idempotencyKey, onShare, onLate }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const sending = new XMLHttpRequest();
    let isSent = false;
    const stop = () => (isSent ? reject(signal.reason) : sending.abort());
    signal.addEventListener("abort", stop, { once: true });
    sending.upload.addEventListener("progress", (event) => onShare(event.total ? event.loaded / event.total : 0));
    sending.upload.addEventListener("load", () => { isSent = true; });
    sending.addEventListener("loadend", () => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted && sending.status === 200) onLate(JSON.parse(sending.responseText));
      if (signal.aborted) reject(signal.reason);
      else if (sending.status === 0) reject(new ServerError(0, "network", "no answer"));
      else if (sending.status >= 300) reject(problemOf(sending.status, sending.responseText, sending.getResponseHeader("retry-after")));
      else resolve(JSON.parse(sending.responseText));
    });
    sending.open("POST", path);
    const headers = { ...credentials(), "idempotency-key": idempotencyKey };
    for (const [name, value] of Object.entries(headers)) sending.setRequestHeader(name, value);
    sending.send(body);
  });
}

/** @param {Record<string, Blob | string | null | undefined>} fields those that are empty are left out */
export function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  return body;
}

/** @param {number} seconds @param {AbortSignal} [signal] @returns {Promise<void>} */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
