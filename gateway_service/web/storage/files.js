// The bytes of photos: originals, results and thumbnails. In memory, and in the database where there is one.

import { FILES } from "./database.js";

/** @typedef {"file" | "result" | "thumb"} Kind */

export class Files {
  /** @type {Map<string, Blob>} */ #memory = new Map();
  /** @type {Map<string, string>} */ #addresses = new Map();
  /** Photos that were forgotten: what is still being made of them is not kept. @type {Set<string>} */ #forgotten = new Set();
  /** @type {import("./database.js").Database | null} */ #database = null;
  /** @type {(error: unknown) => void} */ onProblem = () => {};

  /** Keep everything from now on, and what is here already.
   * @param {import("./database.js").Database} database */
  async use(database) {
    this.#database = database;
    for (const [name, blob] of this.#memory) await this.#write(name, blob);
  }

  /** @param {string} id @param {Kind} kind @returns {Promise<Blob | null>} */
  async get(id, kind) {
    const name = `${id}/${kind}`;
    const here = this.#memory.get(name);
    if (here !== undefined || this.#database === null) return here ?? null;
    const kept = await this.#database.get(FILES, name).catch(() => undefined);
    if (!(kept instanceof Blob)) return null;
    this.#memory.set(name, kept);
    return kept;
  }

  /** Resolves once it is kept, also where it can only be kept in memory.
   * @param {string} id @param {Kind} kind @param {Blob} blob */
  async put(id, kind, blob) {
    if (this.#forgotten.has(id)) return;
    const name = `${id}/${kind}`;
    this.#memory.set(name, blob);
    this.#revoke(name);
    await this.#write(name, blob);
  }

  /** Return an address of what is kept for pictures and links; it works until the file is replaced or forgotten.
   * @param {string} id @param {Kind} kind @returns {Promise<string | null>} */
  async address(id, kind) {
    const name = `${id}/${kind}`;
    const blob = await this.get(id, kind);
    if (blob === null) return null;
    const known = this.#addresses.get(name) ?? URL.createObjectURL(blob);
    this.#addresses.set(name, known);
    return known;
  }

  /** @param {string} id */
  async forget(id) {
    this.#forgotten.add(id);
    for (const name of [...this.#memory.keys()].filter((item) => item.startsWith(`${id}/`))) this.#drop(name);
    await this.#database?.change([{ store: FILES, range: IDBKeyRange.bound(`${id}/`, `${id}/\uffff`) }]).catch(this.onProblem);
  }

  /** Drop everything from memory; the database is emptied by whoever owns it.
   * @param {string[]} ids of all photos */
  clear(ids) {
    for (const id of ids) this.#forgotten.add(id);
    for (const name of [...this.#memory.keys()]) this.#drop(name);
  }

  /** @param {string} name */
  #drop(name) {
    this.#memory.delete(name);
    this.#revoke(name);
  }

  /** @param {string} name */
  #revoke(name) {
    const address = this.#addresses.get(name);
    if (address !== undefined) URL.revokeObjectURL(address);
    this.#addresses.delete(name);
  }

  /** @param {string} name @param {Blob} blob */
  async #write(name, blob) {
    await this.#database?.change([{ store: FILES, key: name, value: blob }]).catch(this.onProblem);
  }
}
