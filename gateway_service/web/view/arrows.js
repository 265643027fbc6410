// Arrow keys on a rectangle of the picture: move it, with Shift resize it.

import { moved, resized } from "../state/edits.js";

/** @typedef {import("../state/types.js").Rectangle} Rectangle */

const STEP = 0.01;
/** Steps to the right and down. @type {Record<string, [number, number]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Return where an arrow key puts a rectangle; null for any other key.
 * @param {KeyboardEvent} event @param {Rectangle} xyxy @param {{width: number, height: number}} size
 * @returns {Rectangle | null} */
export function arrowed({ key, shiftKey }, xyxy, size) {
  const [x, y] = ARROWS[key] ?? [0, 0];
  if (x === 0 && y === 0) return null;
  const step = Math.max(1, STEP * Math.max(size.width, size.height));
  return shiftKey ? resized(xyxy, "se", x * step, y * step, size) : moved(xyxy, x * step, y * step, size);
}

/** Return a quarter of the picture's shorter side in its middle: where something drawn by keyboard begins.
 * @param {{width: number, height: number}} size @returns {Rectangle} */
export function middleOf({ width, height }) {
  const half = Math.min(width, height) / 8;
  return [width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half];
}

/** Lay an element over a rectangle of the picture.
 * @param {HTMLElement} element @param {Rectangle} xyxy @param {{width: number, height: number}} size */
export function lay({ style }, [x1, y1, x2, y2], { width, height }) {
  Object.assign(style, {
    left: `${(100 * x1) / width}%`, top: `${(100 * y1) / height}%`,
    width: `${(100 * (x2 - x1)) / width}%`, height: `${(100 * (y2 - y1)) / height}%`,
  });
}
