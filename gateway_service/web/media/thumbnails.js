// Thumbnails, one after the other, those that are looked at first.

/** @typedef {import("../storage/files.js").Files} Files */

const AT_ONCE = 2;

export class Thumbnails {
  /** @type {Map<string, Blob>} */ #waiting = new Map();
  /** @type {Map<number, (thumb: Blob | null) => void>} */ #asked = new Map();
  #number = 0;
  #worker = new Worker(new URL("thumbnails.worker.js", import.meta.url), { type: "module" });
  #files;
  #onMade;

  /** @param {Files} files @param {(id: string) => void} onMade */
  constructor(files, onMade) {
    this.#files = files;
    this.#onMade = onMade;
    this.#worker.addEventListener("message", ({ data }) => {
      this.#asked.get(data.number)?.(data.thumb);
      this.#asked.delete(data.number);
      this.#next();
    });
  }

  /** Make a thumbnail of `blob` for a photo. What is asked for last is made first.
   * @param {string} id @param {Blob} blob */
  make(id, blob) {
    this.#waiting.delete(id);
    this.#waiting.set(id, blob);
    this.#next();
  }

  #next() {
    const [id, blob] = [...this.#waiting].at(-1) ?? [];
    if (id === undefined || blob === undefined || this.#asked.size >= AT_ONCE) return;
    this.#waiting.delete(id);
    this.#number += 1;
    this.#asked.set(this.#number, async (thumb) => {
      // HEIC and TIFF: most browsers cannot show the original; its name stands there.
      if (thumb === null) return;
      await this.#files.put(id, "thumb", thumb);
      this.#onMade(id);
    });
    this.#worker.postMessage({ number: this.#number, blob });
  }
}
