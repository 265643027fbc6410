// Areas that hold for every photo, or for one video: masks are always hidden, zones never.

/** @typedef {import("./types.js").Rectangle} Rectangle */

/** @typedef {import("./types.js").Area} Area */

/** Return the areas that hold for a photo or video.
 * @param {readonly Area[]} areas @param {{id: string}} photo @returns {readonly Area[]} */
export const areasOf = (areas, { id }) => areas.filter((area) => area.photoId === undefined || area.photoId === id);

/** @param {string | null} kind @returns {kind is "mask" | "zone"} */
export const isArea = (kind) => kind === "mask" || kind === "zone";

/** Return a rectangle of a picture as shares of its width and height, 0..1.
 * @param {Rectangle} xyxy @param {{width: number, height: number}} size @returns {Rectangle} */
export const sharesOf = ([x1, y1, x2, y2], { width, height }) => [x1 / width, y1 / height, x2 / width, y2 / height];
