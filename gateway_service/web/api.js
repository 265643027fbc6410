// What the page asks of the server, and how it bears with it when it is busy.

const KEY = "obscura-key";
const FIRST_WAIT_S = 2;
const WAIT_S = 20;
const PATIENCE = 40;

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** An answer that is no success: a stable code and the server's own words. */
export class ServerError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });

async function problemOf(response) {
  try {
    const { error } = await response.json();
    return new ServerError(response.status, error.code, error.message);
  } catch {
    return new ServerError(response.status, "http_error", `HTTP ${response.status}`);
  }
}

async function call(path, init = {}) {
  const headers = key.get() ? { authorization: `Bearer ${key.get()}` } : {};
  for (let left = PATIENCE; ; left -= 1) {
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError(0, "network", String(error));
    }
    if (response.ok) return response;
    if (![429, 503].includes(response.status) || left === 0) throw await problemOf(response);
    // Busy, not broken: it says itself when to come again.
    await pause(Math.min(30, Number(response.headers.get("retry-after")) || 2), init.signal);
  }
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== "" && value !== null && value !== undefined) body.append(name, value);
  return body;
}

function bytesOf(base64) {
  const text = atob(base64);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function typeOf(bytes) {
  const begins = (...signature) => signature.every((byte, at) => bytes[at] === byte);
  if (begins(0xff, 0xd8)) return "image/jpeg";
  if (begins(0x89, 0x50)) return "image/png";
  if (begins(0x52, 0x49)) return "image/webp";
  if (begins(0x47, 0x49)) return "image/gif";
  return begins(0x49, 0x49) || begins(0x4d, 0x4d) ? "image/tiff" : "application/octet-stream";
}

function ended(answer) {
  if (answer.status === "FAILURE") throw new ServerError(200, answer.error.code, answer.error.message);
  const bytes = bytesOf(answer.result);
  return { ...answer, result: undefined, picture: new Blob([bytes], { type: typeOf(bytes) }) };
}

/** Hand a photo in at `path`, wait for its end, take the answer, and have the server forget both. */
export async function work(path, fields, { signal, onState }) {
  const entered = await (await call(path, { method: "POST", body: form(fields), signal })).json();
  // A server that keeps nothing gives the answer itself instead of a task.
  if (entered.task_id === undefined) return ended(entered);
  const task = `task_result/${encodeURIComponent(entered.task_id)}`;
  onState("PENDING");
  try {
    // The first look comes soon, so that the page can say whether a worker has taken the photo up.
    for (let wait = FIRST_WAIT_S; ; wait = WAIT_S) {
      const answer = await (await call(`${task}?wait=${wait}`, { signal })).json();
      if (answer.status === "SUCCESS" || answer.status === "FAILURE") return ended(answer);
      onState(answer.status);
    }
  } finally {
    // Nothing of it needs to wait for its time to run out there.
    call(task, { method: "DELETE" }).catch(() => {});
  }
}
