// Areas that hold for every photo, in the fields that the server takes: a mask is a picture, zones are rectangles.

import { ServerError } from "./http.js";

/** @typedef {import("../state/types.js").Area} Area */
/** @typedef {{width: number, height: number}} Size */

const MASK_SIDE = 1024;

/** Return a picture of all masks in the shape of the photo; null where there is none. Raises ServerError where the browser
 * cannot tell the photo's shape: it must not go out without its masks.
 * @param {readonly Area[]} areas @param {Blob} file @param {Size | null} known @returns {Promise<Blob | null>} */
export async function maskOf(areas, file, known) {
  const masks = areas.filter((area) => area.kind === "mask");
  if (masks.length === 0) return null;
  const size = known ?? await sizeOf(file);
  if (size === null) throw new ServerError(200, "mask_needs_preview", "the browser cannot tell the shape of this file");
  const factor = Math.min(1, MASK_SIDE / Math.max(size.width, size.height));
  const canvas = new OffscreenCanvas(Math.round(size.width * factor), Math.round(size.height * factor));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#ffffff";
  for (const { area: [x1, y1, x2, y2] } of masks) {
    context.fillRect(x1 * canvas.width, y1 * canvas.height, (x2 - x1) * canvas.width, (y2 - y1) * canvas.height);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

/** Return the zones as the field `keep`: rectangles in pixels of the upright photo; empty where there is none.
 * @param {readonly Area[]} areas @param {Blob} file @param {Size | null} known @returns {Promise<string>} */
export async function keepField(areas, file, known) {
  const zones = areas.filter((area) => area.kind === "zone");
  const size = zones.length > 0 ? known ?? await sizeOf(file) : null;
  if (size === null) return "";
  return JSON.stringify(zones.map(({ area: [x1, y1, x2, y2] }) => [x1 * size.width, y1 * size.height, x2 * size.width, y2 * size.height].map(Math.round)));
}

/** @param {Blob} file @returns {Promise<Size | null>} */
async function sizeOf(file) {
  if (file.type.startsWith("video/")) return videoSize(file);
  try {
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    bitmap.close();
    return { width, height };
  } catch {
    return null;
  }
}

/** @param {Blob} file @returns {Promise<Size | null>} */
function videoSize(file) {
  const video = document.createElement("video");
  const address = URL.createObjectURL(file);
  return new Promise((resolve) => {
    const end = () => {
      URL.revokeObjectURL(address);
      resolve(video.videoWidth ? { width: video.videoWidth, height: video.videoHeight } : null);
    };
    video.addEventListener("loadedmetadata", end);
    video.addEventListener("error", end);
    video.src = address;
  });
}
