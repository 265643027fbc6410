// What follows from a photo's state: what it asks for, how it stands, whether a person has to look.

/** @typedef {import("./types.js").Photo} Photo */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Style} Style */

const EXTENSIONS = /** @type {Record<string, string>} */ ({
  "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/tiff": "tiff",
  "video/mp4": "mp4", "video/webm": "webm", "video/quicktime": "mov", "video/x-matroska": "mkv", "video/x-msvideo": "avi",
});

/** @returns {string} a name that nobody else has; `crypto.randomUUID` needs HTTPS, this does not */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Return a photo that waits for its first look.
 * @param {{name: string, bytes: number, kind: Photo["kind"], added: number, options: Options, style: Style,
 * areas: readonly import("./types.js").Area[]}} given
 * @returns {Photo}
 */
export function newPhoto(given) {
  return asked({
    ...given, id: newId(), job: null, revision: 0, problem: null, size: null, boxes: [], past: [], future: [], resultType: "",
    applied: "", version: 0, report: {}, manifest: null, models: [], edited: false, approved: false, downloaded: false,
  }, "blur");
}

/** Return the photo with a new job that waits to be sent.
 * @param {Photo} photo
 * @param {"blur" | "redact" | "detect"} kind
 * @returns {Photo}
 */
export function asked(photo, kind) {
  const revision = photo.revision + 1;
  return { ...photo, revision, problem: null, job: { kind, revision, wish: wish(photo), taskId: null, phase: "waiting", share: 0 } };
}

/** @param {Photo} photo */
export const hasResult = (photo) => photo.resultType !== "";

/** @param {Photo} photo */
export const isBusy = (photo) => photo.job !== null;

/** Whether the server is sure to refuse the file each time, so that it need not be sent.
 * @param {Photo} photo */
export const isTooLarge = (photo) => photo.problem?.code === "photo_too_large";

/** @param {Photo} photo */
export const isFailed = (photo) => photo.job === null && photo.problem !== null;

/** Wishes that were written down before: photos are never changed, only replaced.
 * @type {WeakMap<Photo, string>} */
const wishes = new WeakMap();

/** Return what tells a hidden place from others: its class and its sides in whole pixels.
 * @param {Box} box */
export const boxKey = (box) => [box.class, ...box.xyxy.map(Math.round)];

/** Return what the finished picture shall show, as a text: equal texts ask for equal pictures.
 * @param {Photo} photo */
export function wish(photo) {
  if (photo.kind === "video") return "video";
  const known = wishes.get(photo);
  if (known !== undefined) return known;
  const masks = photo.areas.filter((area) => area.kind === "mask").map((area) => area.area);
  const made = JSON.stringify([photo.style, hiddenBoxes(photo).map(boxKey), masks]);
  wishes.set(photo, made);
  return made;
}

/** Whether the result shows something else than what is asked for by now.
 * @param {Photo} photo */
export const isStale = (photo) => hasResult(photo) && photo.applied !== wish(photo);

/** Return the boxes that a detector has seen and that are left open.
 * @param {Photo} photo */
export const openBoxes = (photo) => photo.boxes.filter((box) => !box.on && box.origin !== "drawn");

/** @param {Photo} photo */
export const hiddenBoxes = (photo) => photo.boxes.filter((box) => box.on);

/**
 * How a photo stands, for people.
 *
 * `good` is said only of a picture in which nothing that a detector has seen is left open, whoever left it so.
 * @param {Photo} photo
 * @returns {{tone: "good" | "care" | "bad" | "busy" | "plain", key: string, n: number}}
 */
export function standing(photo) {
  const n = hiddenBoxes(photo).length;
  if (photo.job !== null) {
    const key = photo.job.phase === "sending" && photo.job.share >= 1 ? "queued" : photo.job.phase;
    return { tone: "busy", key: `state_${hasResult(photo) ? "applying" : key}`, n };
  }
  if (photo.problem !== null) return { tone: "bad", key: hasResult(photo) ? "state_not_applied" : "state_failed", n };
  if (isStale(photo)) return { tone: "plain", key: "state_changed", n };
  // Nobody has looked at a finished video again: the server does not, and a person has not yet.
  if (photo.kind === "video") return { tone: "plain", key: photo.approved ? "state_approved" : "state_video", n: hiddenTracks(photo) };
  const open = openBoxes(photo).length;
  if (open > 0) return { tone: photo.approved ? "plain" : "care", key: photo.approved ? "state_approved_open" : openKey(photo), n: open };
  if (photo.report.verdict === "needs_review") {
    return { tone: photo.approved ? "plain" : "care", key: photo.approved ? "state_approved" : "state_needs_review", n };
  }
  if (n === 0) return { tone: "plain", key: photo.approved ? "state_approved" : "state_nothing_found", n };
  if (photo.report["residual_check"] === "off") return { tone: "plain", key: photo.approved ? "state_approved" : "state_unchecked", n };
  if (photo.approved) return { tone: "good", key: "state_approved", n };
  return { tone: "good", key: photo.edited ? "state_edited" : "state_clean", n };
}

/** @param {Photo} photo @returns {number} */
const hiddenTracks = ({ report }) => Object.values(report["tracks"] ?? report["hidden"] ?? {}).reduce((sum, n) => sum + Number(n), 0);

/** @param {Photo} photo */
function openKey(photo) {
  return openBoxes(photo).some((box) => box.origin === "residual") ? "state_needs_review" : "state_left_open";
}

/** Whether a person has to look at it before it goes anywhere.
 * @param {Photo} photo */
export const needsReview = (photo) => !isBusy(photo) && hasResult(photo) && !photo.approved && standing(photo).tone === "care";

/** @param {Photo} photo */
export const isUnsaved = (photo) => isBusy(photo) || (hasResult(photo) && !photo.downloaded);

/** Return the name under which the result is downloaded.
 * @param {Photo} photo */
export function resultName(photo) {
  return `${photo.name.replace(/\.[^.]*$/, "") || "photo"}_hidden.${EXTENSIONS[photo.resultType] ?? "bin"}`;
}
