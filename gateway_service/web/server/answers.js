// From an answer of the server to what the page keeps of it.

import { inReadingOrder, merged, outsideZones, overlap, withResidual } from "../state/edits.js";
import { newId, wish } from "../state/photo.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").Box} Box */
/** @typedef {{class: string, xyxy: import("../state/types.js").Rectangle, confidence?: number, score?: number, frame?: number}} Seen */

const SAME_IN_NEXT_FRAME = 0.3;

/** Return the photo with what its job, which has ended, has brought.
 * @param {Photo} photo @param {any} answer @param {Blob | null} result @returns {Photo} */
export function taken(photo, answer, result) {
  const { job } = photo;
  const kind = job?.kind;
  if (kind === "detect") return merged({ ...photo, job: null, models: answer.models ?? photo.models }, boxesOf(answer.detections, "detected"));
  const report = answer.report ?? {};
  const residual = boxesOf(report.residual ?? report.residual_detections ?? report.suspects, "residual");
  const done = {
    ...photo, job: null, problem: null, report, manifest: answer.manifest ?? null, models: answer.models ?? photo.models,
    size: answer.image ?? report.image ?? photo.size, resultType: result?.type ?? "", version: photo.version + 1, downloaded: false,
    edited: kind === "redact", boxes: kind === "blur" ? boxesOf(answer.detections, "detected") : photo.boxes,
  };
  const whole = withResidual(kind === "blur" ? outsideZones(done) : done, residual);
  return { ...whole, applied: kind === "redact" && job ? job.wish : appliedBy(whole, job?.wish ?? "") };
}

/** Return what a first result shows: what was found, in the style and with the masks that were asked for then.
 * @param {Photo} photo @param {string} asked */
function appliedBy(photo, asked) {
  const now = wish(photo);
  if (photo.kind === "video" || asked === "") return now;
  const [style, , masks] = JSON.parse(asked);
  return JSON.stringify([style, JSON.parse(now)[1], masks]);
}

/** @param {Seen[] | undefined} seen @param {"detected" | "residual"} origin @returns {Box[]} */
function boxesOf(seen, origin) {
  const boxes = /** @type {Box[]} */ ([]);
  for (const { class: name, xyxy, confidence, score, frame } of (seen ?? []).toSorted((a, b) => (a.frame ?? 0) - (b.frame ?? 0))) {
    const box = { id: newId(), class: name, xyxy, confidence: confidence ?? score, origin, on: origin === "detected" };
    if (frame === undefined) boxes.push(box);
    else follow(boxes, { ...box, frames: [frame], places: [xyxy] }, frame);
  }
  return inReadingOrder(boxes);
}

/** Join what is seen in frames of an animation: the same object in the frame before is the same box.
 * @param {Box[]} boxes @param {Box} box @param {number} frame */
function follow(boxes, box, frame) {
  const before = boxes.find((item) => {
    const at = item.frames?.indexOf(frame - 1) ?? -1;
    const place = item.places?.[at];
    return item.class === box.class && place !== undefined && !item.frames?.includes(frame) && overlap(place, box.xyxy) > SAME_IN_NEXT_FRAME;
  });
  if (before === undefined) {
    boxes.push(box);
    return;
  }
  before.frames?.push(frame);
  before.places?.push(box.xyxy);
  before.confidence = Math.max(before.confidence ?? 0, box.confidence ?? 0);
}
