// A zip file without compression (pictures are compressed already), made in the browser.
// Layout: PKWARE APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16; names are UTF-8 (flag bit 11).

const TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Return a signature and numbers, each given as its size in bytes and its value.
 * @param {number} signature @param {number[][]} fields */
function record(signature, fields) {
  const bytes = new Uint8Array(4 + fields.reduce((sum, [size = 0]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  let at = 4;
  for (const [size = 0, value = 0] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

const FLAGS = 0x0800;
// 1 January 1980: the time of the visit is nobody's business.
const DATE = 0x0021;
const LIMIT = 0xffffffff;

/** Return names in which no two are the same: "a.jpg", "a (2).jpg", ...
 * @param {string[]} names @returns {string[]} */
export function uniqueNames(names) {
  const taken = new Set();
  return names.map((name) => {
    const dot = name.lastIndexOf(".");
    const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let unique = name;
    for (let number = 2; taken.has(unique.toLowerCase()); number += 1) unique = `${stem} (${number})${extension}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Return a zip of files; throws RangeError beyond 4 GiB.
 * @param {{name: string, blob: Blob}[]} files @returns {Promise<Blob>} */
export async function zip(files) {
  const parts = /** @type {BlobPart[]} */ ([]);
  const directory = /** @type {Uint8Array<ArrayBuffer>[]} */ ([]);
  let offset = 0;
  for (const { name, blob } of files) {
    const label = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    const common = [[2, 20], [2, FLAGS], [2, 0], [2, 0], [2, DATE], [4, crc], [4, blob.size], [4, blob.size], [2, label.length], [2, 0]];
    const local = record(0x04034b50, common);
    directory.push(record(0x02014b50, [[2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), label);
    parts.push(local, label, blob);
    offset += local.length + label.length + blob.size;
    if (offset > LIMIT || files.length > 0xffff) throw new RangeError("too much for one zip file");
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
