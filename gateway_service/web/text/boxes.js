// What boxes are called.

import { say, sayClass } from "./words.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").Box} Box */

/** Return "Face 3": boxes of a class are numbered in the order of their list.
 * @param {Photo} photo @param {Box} box */
export function boxName(photo, box) {
  const alike = photo.boxes.filter((other) => other.class === box.class);
  return say("box_name", { class: sayClass(box.class), n: alike.indexOf(box) + 1 });
}

/** @param {Box} box */
export function boxOrigin(box) {
  if (box.origin === "drawn") return say("box_drawn");
  const percent = Math.round(100 * (box.confidence ?? 0));
  return say(box.origin === "residual" && !box.on ? "box_residual" : "box_score", { percent });
}

/** @param {Photo} photo @param {Box} box */
export const shortName = (photo, box) => `${boxName(photo, box)} · ${boxOrigin(box)}`;

/** Return everything about a box, for those who do not see it.
 * @param {Photo} photo @param {Box} box */
export function longName(photo, box) {
  const [x, y, x2, y2] = box.xyxy.map(Math.round);
  const places = { box: boxName(photo, box), state: say(box.on ? "box_on" : "box_off"), x, y, w: (x2 ?? 0) - (x ?? 0), h: (y2 ?? 0) - (y ?? 0) };
  return `${say("box_position", places)}, ${boxOrigin(box)}`;
}
