// What a person does to the boxes of a photo, with undo and redo. Pure functions of a photo.

import { newId } from "./photo.js";

/** @typedef {import("./types.js").Photo} Photo */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").Rectangle} Rectangle */

const MAX_STEPS = 200;
const SAME_OBJECT = 0.4;
const SMALLEST = 4;

const limit = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(value, low), high);

/** What a person decides of a photo; whatever changes it ends an approval, which is of what was looked at.
 * @typedef {import("./types.js").Decision} Decision */

/** @param {Photo} photo @returns {Decision} */
const decisionOf = ({ boxes, style }) => ({ boxes, style });

/** Change boxes or style, as one step that can be undone.
 * @param {Photo} photo @param {Partial<Decision>} part @returns {Photo} */
function decided(photo, part) {
  const past = [...photo.past.slice(-MAX_STEPS + 1), decisionOf(photo)];
  return { ...photo, ...part, past, future: [], approved: false, downloaded: false, problem: null };
}

/** @param {Photo} photo @param {Box[]} boxes @returns {Photo} */
export const withBoxes = (photo, boxes) => decided(photo, { boxes });

/** @param {Photo} photo @param {Partial<import("./types.js").Style>} style @returns {Photo} */
export const withStyle = (photo, style) => decided(photo, { style: { ...photo.style, ...style } });

/** @param {Photo} photo @returns {Photo} */
export function undo(photo) {
  const before = photo.past.at(-1);
  if (before === undefined) return photo;
  const future = [...photo.future, decisionOf(photo)];
  return { ...photo, ...before, past: photo.past.slice(0, -1), future, approved: false, downloaded: false, problem: null };
}

/** @param {Photo} photo @returns {Photo} */
export function redo(photo) {
  const after = photo.future.at(-1);
  if (after === undefined) return photo;
  const past = [...photo.past, decisionOf(photo)];
  return { ...photo, ...after, past, future: photo.future.slice(0, -1), approved: false, downloaded: false, problem: null };
}

/** @param {Photo} photo @param {string} id @returns {Photo} */
export function toggle(photo, id) {
  return withBoxes(photo, photo.boxes.map((box) => (box.id === id ? { ...box, on: !box.on } : box)));
}

/** @param {Photo} photo @param {boolean} on @returns {Photo} */
export function toggleAll(photo, on) {
  return withBoxes(photo, photo.boxes.map((box) => (box.on === on ? box : { ...box, on })));
}

/** Remove a box that was drawn; switch another off, for what was seen stays on record.
 * @param {Photo} photo @param {string} id @returns {Photo} */
export function removeBox(photo, id) {
  const box = photo.boxes.find((item) => item.id === id);
  if (box === undefined || (box.origin !== "drawn" && !box.on)) return photo;
  return box.origin === "drawn" ? withBoxes(photo, photo.boxes.filter((item) => item.id !== id)) : toggle(photo, id);
}

/** @param {Photo} photo @param {string} name @param {Rectangle} xyxy @param {string} [id] @returns {Photo} */
export function addBox(photo, name, xyxy, id = newId()) {
  const inside = photo.size === null ? xyxy : clipped(xyxy, photo.size);
  if (inside[2] - inside[0] < SMALLEST || inside[3] - inside[1] < SMALLEST) return photo;
  return withBoxes(photo, [...photo.boxes, { id, class: name, xyxy: inside, origin: "drawn", on: true }]);
}

/** Put a box elsewhere. It is the person's from then on, and it hides.
 * @param {Photo} photo @param {string} id @param {Rectangle} xyxy @returns {Photo} */
export function placeBox(photo, id, xyxy) {
  return withBoxes(photo, photo.boxes.map((box) => (box.id === id ? { ...box, xyxy, on: true, frames: undefined, places: undefined } : box)));
}

/** Add what a further look has found; what is known already stays as the person left it.
 * @param {Photo} photo @param {Box[]} found @returns {Photo} */
export function merged(photo, found) {
  const fresh = found.filter((box) => !photo.boxes.some((known) => overlap(known.xyxy, box.xyxy) > SAME_OBJECT));
  return fresh.length === 0 ? photo : withBoxes(photo, [...photo.boxes, ...fresh]);
}

/** Show what is still seen in a redacted picture: as an open box, at the place of a known one where there is one.
 * @param {Photo} photo @param {Box[]} residual @returns {Photo} */
export function withResidual(photo, residual) {
  const isOf = (/** @type {Box} */ box) => residual.find((item) => !box.on && overlap(box.xyxy, item.xyxy) > SAME_OBJECT);
  const known = photo.boxes.map((box) => {
    const match = isOf(box);
    if (match === undefined) return box;
    // What a detector had seen before and a person opened is no news; a drawn one that is seen now is.
    const origin = box.origin === "detected" ? box.origin : /** @type {const} */ ("residual");
    return { ...box, origin, confidence: match.confidence ?? box.confidence };
  });
  const fresh = residual.filter((item) => !photo.boxes.some((box) => !box.on && overlap(box.xyxy, item.xyxy) > SAME_OBJECT));
  return { ...photo, boxes: [...known, ...fresh] };
}

/** Leave open what lies wholly inside an exclusion zone, as the server does.
 * @param {Photo} photo @returns {Photo} */
export function outsideZones(photo) {
  const { size } = photo;
  const zones = photo.areas.filter((area) => area.kind === "zone").map((area) => area.area);
  if (size === null || zones.length === 0) return photo;
  const isInside = (/** @type {Rectangle} */ [x1, y1, x2, y2]) => zones.some((zone) => (
    x1 >= zone[0] * size.width && y1 >= zone[1] * size.height && x2 <= zone[2] * size.width && y2 <= zone[3] * size.height));
  const boxes = photo.boxes.map((box) => (box.on && box.origin !== "drawn" && isInside(box.xyxy) ? { ...box, on: false } : box));
  return boxes.some((box, index) => box !== photo.boxes[index]) ? { ...photo, boxes } : photo;
}

/** Move a rectangle inside the picture.
 * @param {Rectangle} start @param {number} dx @param {number} dy @param {{width: number, height: number}} size
 * @returns {Rectangle} */
export function moved(start, dx, dy, { width, height }) {
  const [x1, y1, x2, y2] = start;
  const [mx, my] = [limit(dx, -x1, width - x2), limit(dy, -y1, height - y2)];
  return [x1 + mx, y1 + my, x2 + mx, y2 + my];
}

/** Move the sides of a rectangle that `handle` names ("n", "se", ...).
 * @param {Rectangle} start @param {string} handle @param {number} dx @param {number} dy
 * @param {{width: number, height: number}} size @returns {Rectangle} */
export function resized(start, handle, dx, dy, { width, height }) {
  let [x1, y1, x2, y2] = start;
  if (handle.includes("w")) x1 = limit(x1 + dx, 0, x2 - SMALLEST);
  if (handle.includes("e")) x2 = limit(x2 + dx, x1 + SMALLEST, width);
  if (handle.includes("n")) y1 = limit(y1 + dy, 0, y2 - SMALLEST);
  if (handle.includes("s")) y2 = limit(y2 + dy, y1 + SMALLEST, height);
  return [x1, y1, x2, y2];
}

/** @param {Rectangle} xyxy @param {{width: number, height: number}} size @returns {Rectangle} */
function clipped([x1, y1, x2, y2], { width, height }) {
  return [limit(Math.min(x1, x2), 0, width), limit(Math.min(y1, y2), 0, height), limit(Math.max(x1, x2), 0, width), limit(Math.max(y1, y2), 0, height)];
}

/** Return intersection over union of two rectangles.
 * @param {Rectangle} a @param {Rectangle} b */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared);
}

/** Return boxes in reading order: by rows, then from left to right.
 * @param {readonly Box[]} boxes @returns {Box[]} */
export function inReadingOrder(boxes) {
  const rows = /** @type {Box[][]} */ ([]);
  for (const box of boxes.toSorted((a, b) => a.xyxy[1] + a.xyxy[3] - b.xyxy[1] - b.xyxy[3])) {
    const row = rows.at(-1);
    const first = row?.[0];
    const middle = (box.xyxy[1] + box.xyxy[3]) / 2;
    if (row !== undefined && first !== undefined && middle < first.xyxy[3]) row.push(box);
    else rows.push([box]);
  }
  return rows.flatMap((row) => row.toSorted((a, b) => a.xyxy[0] - b.xyxy[0]));
}
