// Tasks of the server: hand one in, wait for its end, take the result, have the server forget it.

import { ServerError, form, request, upload } from "./http.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").Job} Job */
/** @typedef {{answer: any, result: Blob | null}} Ended */
/** @typedef {{signal: AbortSignal, onJob: (part: Partial<Job>) => void}} Watch */
/** @typedef {Watch & {onLate: (taskId: string) => void}} Entering `onLate` is told of a task that nobody waits for any more */

const FIRST_WAIT_S = 2;
const WAIT_S = 20;
const VIDEO_WAIT_S = 1;
const WITH_CELLS = new Set(["", "mosaic", "pixel_noise"]);
const HARDER = { quality: "thorough", min_confidence: "0.1" };

/** @param {string} taskId */
const addressOf = (taskId) => `task_result/${encodeURIComponent(taskId)}`;

/** Hand a photo in; return its task, or the end itself where the server keeps nothing.
 * @param {Photo} photo @param {Job} job @param {{file: Blob, mask: Blob | null, keep: string}} sent @param {Entering} watch
 * @returns {Promise<{taskId: string} | Ended>} */
export async function handIn(photo, job, sent, { signal, onJob, onLate: tell }) {
  const [path, fields] = requestOf(photo, job, sent);
  const file = sent.file instanceof File ? sent.file : new File([sent.file], photo.name, { type: sent.file.type });
  const idempotencyKey = `page-${photo.id}-${job.kind}-${job.revision}`;
  const onLate = (/** @type {any} */ answer) => { if (answer.task_id !== undefined) tell(answer.task_id); };
  const entered = await upload(path, form({ file, ...fields }), { signal, idempotencyKey, onShare: (share) => onJob({ share }), onLate });
  if (entered.task_id !== undefined) return { taskId: entered.task_id };
  const result = typeof entered.result === "string" ? blobOf(entered.result) : null;
  return { answer: checked(entered), result };
}

/** @param {Photo} photo @param {Job} job @param {{mask: Blob | null, keep: string}} sent
 * @returns {[string, Record<string, Blob | string | null>]} */
function requestOf(photo, job, { mask, keep }) {
  const { classes, quality, metadata, output } = photo.options;
  // Other styles have no cells or colour, and a server may refuse to be asked for some.
  const { style: name, cells, color } = photo.style;
  const style = { ...photo.style, cells: WITH_CELLS.has(name) ? cells : "", color: name === "solid" ? color : "" };
  const frames = photo.kind === "animation" ? "all" : "";
  const looking = { classes: classes.join(","), quality };
  if (photo.kind === "video") return ["blur_video", { ...looking, ...style, metadata, mask, keep }];
  if (job.kind === "detect") return ["detect", { ...looking, ...HARDER, frames }];
  const written = { metadata, output, frames, mask };
  if (job.kind === "blur") return ["blur", { ...looking, ...style, ...written, keep }];
  return ["redact", { boxes: JSON.stringify(requestedBoxes(photo)), ...style, ...written }];
}

/** @param {Photo} photo */
function requestedBoxes(photo) {
  return photo.boxes.filter((box) => box.on).flatMap((box) => {
    if (box.frames === undefined) return [{ class: box.class, xyxy: box.xyxy }];
    return box.frames.map((frame, index) => ({ class: box.class, xyxy: box.places?.[index] ?? box.xyxy, frame }));
  });
}

/** Wait for the end of a task. Its picture or video comes as bytes, apart from the answer.
 * @param {string} taskId @param {Watch} watch @returns {Promise<Ended>} */
export async function waitForEnd(taskId, { signal, onJob }) {
  // The first look comes soon, so that the page can say whether a worker has taken the photo up.
  for (let wait = FIRST_WAIT_S; ;) {
    const answer = await (await request(`${addressOf(taskId)}?wait=${wait}&embed=false`, { signal })).json();
    if (answer.status === "SUCCESS" || answer.status === "FAILURE") {
      checked(answer);
      const link = answer.video ?? answer.picture;
      const result = link ? await (await request(link.url.replace(/^\//, ""), { signal })).blob() : null;
      return { answer, result };
    }
    onJob({ phase: answer.status === "RUNNING" ? "running" : "queued", share: answer.progress ?? 0 });
    // How far a video is, is told only to those who ask.
    wait = answer.frames ? VIDEO_WAIT_S : WAIT_S;
  }
}

/** Have the server erase a task, which may be erased already; raise ServerError where it does not.
 * @param {string} taskId */
export async function erase(taskId) {
  await request(addressOf(taskId), { method: "DELETE" });
}

/** @param {any} answer */
function checked(answer) {
  if (answer.status === "FAILURE") throw new ServerError(200, answer.error.code, answer.error.message);
  return answer;
}

/** @param {string} base64 */
function blobOf(base64) {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: typeOf(bytes) });
}

/** @param {Uint8Array} bytes */
function typeOf(bytes) {
  const begins = (/** @type {number[]} */ ...signature) => signature.every((byte, at) => bytes[at] === byte);
  if (begins(0xff, 0xd8)) return "image/jpeg";
  if (begins(0x89, 0x50)) return "image/png";
  if (begins(0x52, 0x49)) return "image/webp";
  if (begins(0x47, 0x49)) return "image/gif";
  return begins(0x49, 0x49) || begins(0x4d, 0x4d) ? "image/tiff" : "application/octet-stream";
}
