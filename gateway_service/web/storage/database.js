// IndexedDB with promises: three stores, of which "files" holds all bytes.

const NAME = "obscura";
const VERSION = 1;
export const PHOTOS = "photos";
export const FILES = "files";
export const PAGE = "page";

/** @template T @param {IDBRequest<T>} asked @returns {Promise<T>} */
const answered = (asked) =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

export class Database {
  #base;

  /** @param {IDBDatabase} base */
  constructor(base) {
    this.#base = base;
  }

  /** Open the database; raises where the browser has none for this page.
   * @returns {Promise<Database>} */
  static async open() {
    const asked = indexedDB.open(NAME, VERSION);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(PHOTOS, { keyPath: "id" });
      asked.result.createObjectStore(FILES);
      asked.result.createObjectStore(PAGE);
    };
    return new Database(await answered(asked));
  }

  /** Write and delete in one step, all of it or nothing.
   * @param {{store: string, key?: IDBValidKey, value?: unknown, range?: IDBKeyRange}[]} changes a value is put; without one
   * the key or the range is deleted
   * @returns {Promise<void>} */
  change(changes) {
    if (changes.length === 0) return Promise.resolve();
    const step = this.#base.transaction([...new Set(changes.map((item) => item.store))], "readwrite");
    for (const { store, key, value, range } of changes) {
      const at = step.objectStore(store);
      if (value !== undefined) at.put(value, at.keyPath === null ? key : undefined);
      else at.delete(range ?? /** @type {IDBValidKey} */ (key));
    }
    return new Promise((resolve, reject) => {
      step.oncomplete = () => resolve();
      step.onabort = () => reject(step.error);
    });
  }

  /** @param {string} store @param {IDBValidKey} key @returns {Promise<any>} */
  get(store, key) {
    return answered(this.#base.transaction(store).objectStore(store).get(key));
  }

  /** @param {string} store @returns {Promise<any[]>} */
  all(store) {
    return answered(this.#base.transaction(store).objectStore(store).getAll());
  }

  /** Empty every store. @returns {Promise<void>} */
  clear() {
    const names = [...this.#base.objectStoreNames];
    const step = this.#base.transaction(names, "readwrite");
    for (const name of names) step.objectStore(name).clear();
    return new Promise((resolve, reject) => {
      step.oncomplete = () => resolve();
      step.onabort = () => reject(step.error);
    });
  }
}
