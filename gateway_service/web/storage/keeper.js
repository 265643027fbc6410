// Keeps the state in the browser, so that nothing is lost by a reload, and forgets it when asked to.

import { asked } from "../state/photo.js";
import { Database, PAGE, PHOTOS } from "./database.js";

/** @typedef {import("../state/store.js").Store} Store */
/** @typedef {import("../state/types.js").State} State */
/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("./files.js").Files} Files */

const LOCK = "obscura-photos";
const LOCK_MS = 1500;
const KEPT = /** @type {const} */ (["chosenId", "filter", "options", "style", "areas", "panelOpen", "unerased"]);

export class Keeper {
  /** @type {Database | null} */ #database = null;
  #store;
  #files;

  /** @param {Store} store @param {Files} files */
  constructor(store, files) {
    this.#store = store;
    this.#files = files;
    files.onProblem = () => this.#stop();
  }

  /** Restore what an earlier visit has left, and keep everything from now on. Only one tab does so at a time. */
  async start() {
    if (!(await this.#isOnlyTab())) return;
    try {
      this.#database = await Database.open();
      const photos = /** @type {Photo[]} */ (await this.#database.all(PHOTOS));
      const page = (await this.#database.get(PAGE, "state")) ?? {};
      const earlier = photos.toSorted((a, b) => a.added - b.added).map(resumed);
      this.#store.update((state) => {
        const all = [...earlier, ...state.photos];
        const chosenId = state.chosenId ?? (all.some((photo) => photo.id === page.chosenId) ? page.chosenId : all[0]?.id ?? null);
        return { ...state, ...page, photos: all, chosenId, kept: true };
      });
      await this.#files.use(this.#database);
      await this.#write(this.#store.state, null);
      this.#store.subscribe((state, previous) => { this.#write(state, previous).catch(() => this.#stop()); });
    } catch {
      this.#stop();
    }
  }

  /** Empty the database, except for the tasks that the server still has to be told to erase; memory is the caller's. */
  async forgetAll() {
    await this.#database?.clear();
    const { unerased } = this.#store.state;
    if (unerased.length > 0) await this.#database?.change([{ store: PAGE, key: "state", value: { unerased } }]);
  }

  /** Go on without: a private window, or a disk that is full. */
  #stop() {
    this.#database = null;
    this.#store.set({ kept: false });
  }

  /** @returns {Promise<boolean>} */
  #isOnlyTab() {
    // Pages over plain HTTP from other machines have no locks: there, two tabs see the same photos.
    if (!navigator.locks) return Promise.resolve(true);
    return new Promise((resolve) => {
      // After a reload the page of before may still be going.
      navigator.locks.request(LOCK, { signal: AbortSignal.timeout(LOCK_MS) }, () => {
        resolve(true);
        // Held until the tab is closed.
        return new Promise(() => {});
      }).catch(() => resolve(false));
    });
  }

  /** @param {State} state @param {State | null} previous */
  async #write(state, previous) {
    if (this.#database === null) return;
    const before = new Map(previous?.photos.map((photo) => [photo.id, photo]));
    const changes = state.photos.filter((photo) => before.get(photo.id) !== photo).map((photo) => (
      { store: PHOTOS, value: /** @type {unknown} */ (photo) }));
    const now = new Set(state.photos.map((photo) => photo.id));
    const gone = [...before.keys()].filter((id) => !now.has(id)).map((id) => ({ store: PHOTOS, key: id }));
    const page = KEPT.some((name) => state[name] !== previous?.[name])
      ? [{ store: PAGE, key: "state", value: Object.fromEntries(KEPT.map((name) => [name, state[name]])) }] : [];
    await this.#database.change([...changes, ...gone, ...page]);
  }
}

/** Return a photo as a new visit takes it up: what was being sent is sent again, what the server has is asked for.
 * @param {Photo} photo @returns {Photo} */
function resumed(photo) {
  const { job } = photo;
  if (job === null) return photo;
  // Boxes may have changed since it was sent: as the same request it would be refused.
  if (job.kind !== "blur" && job.taskId === null) return asked(photo, job.kind);
  return { ...photo, job: { ...job, phase: "waiting", share: 0 } };
}
