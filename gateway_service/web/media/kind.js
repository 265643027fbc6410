// What a file is, by its name, its type and its first bytes.

const PICTURE = /\.(jpe?g|png|webp|gif|tiff?|hei[cf]|avif|bmp)$/i;
const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi)$/i;
const MAY_MOVE = /gif|webp|png/i;
const HEAD_BYTES = 1024;

/** @param {File} file @returns {Promise<"photo" | "animation" | "video" | null>} null: the server takes no such files */
export async function kindOf(file) {
  if (file.type.startsWith("video/") || VIDEO.test(file.name)) return "video";
  if (!file.type.startsWith("image/") && !PICTURE.test(file.name)) return null;
  if (file.type === "image/svg+xml") return null;
  if (!MAY_MOVE.test(file.type || file.name)) return "photo";
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer().catch(() => new ArrayBuffer(0)));
  return isAnimation(head) ? "animation" : "photo";
}

/** Whether the first bytes of a GIF, WebP or PNG announce several frames. Of a GIF only its end would tell: it counts as one.
 * @param {Uint8Array} head */
export function isAnimation(head) {
  const text = String.fromCharCode(...head);
  if (text.startsWith("GIF8")) return true;
  // RIFF container, chunk VP8X, flag 2 of its first byte: https://developers.google.com/speed/webp/docs/riff_container
  if (text.startsWith("RIFF") && text.startsWith("WEBPVP8X", 8)) return ((head[20] ?? 0) & 2) !== 0;
  // An animation control chunk stands before the picture's data.
  if (text.startsWith("\x89PNG")) {
    const control = text.indexOf("acTL");
    const data = text.indexOf("IDAT");
    return control !== -1 && (data === -1 || control < data);
  }
  return false;
}
