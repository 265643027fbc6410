// Applies what a person changes by itself, a moment after the last change.

import { find, patch } from "../state/actions.js";
import { asked, isStale, wish } from "../state/photo.js";

/** @typedef {import("../state/store.js").Store} Store */
/** @typedef {import("../state/types.js").Photo} Photo */

const PAUSE_MS = 500;

export class Applier {
  /** @type {Map<string, {timer: ReturnType<typeof setTimeout>, wish: string}>} */ #timers = new Map();
  #store;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    store.subscribe((state, previous) => {
      if (state.photos === previous.photos) return;
      const before = new Set(previous.photos);
      for (const photo of state.photos) if (!before.has(photo)) this.#look(photo);
    });
  }

  /** Apply the changes of a photo at once.
   * @param {string} id */
  apply(id) {
    clearTimeout(this.#timers.get(id)?.timer);
    this.#timers.delete(id);
    this.#store.update((state) => {
      const photo = find(state, id);
      return photo === null || !isStale(photo) || photo.job?.wish === wish(photo) ? state : patch(state, id, asked(photo, "redact"));
    });
  }

  /** @param {Photo} photo */
  #look(photo) {
    const wanted = wish(photo);
    const waiting = this.#timers.get(photo.id);
    if (waiting?.wish === wanted) return;
    clearTimeout(waiting?.timer);
    this.#timers.delete(photo.id);
    const isRedacting = photo.job?.kind === "redact";
    if (isRedacting && photo.applied === wanted) {
      // Taken back before it was done.
      this.#store.update((state) => patch(state, photo.id, { job: null }));
    } else if (isStale(photo) && photo.problem === null && (photo.job === null || (isRedacting && photo.job.wish !== wanted))) {
      this.#timers.set(photo.id, { wish: wanted, timer: setTimeout(() => this.apply(photo.id), PAUSE_MS) });
    }
  }
}
