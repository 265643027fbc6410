// The one store of the page's state. Listeners are told once per frame, however much has changed.

/** @typedef {import("./types.js").State} State */
/** @typedef {(state: State, previous: State) => void} Listener */

export class Store {
  /** @type {State} */ #state;
  /** @type {State} */ #told;
  /** @type {Set<Listener>} */ #listeners = new Set();
  #schedule;
  #isScheduled = false;

  /**
   * @param {State} state
   * @param {(tell: () => void) => void} schedule when listeners are told: by default, before the next frame
   */
  constructor(state, schedule = soon) {
    this.#state = state;
    this.#told = state;
    this.#schedule = schedule;
  }

  get state() {
    return this.#state;
  }

  /** Replace the state by what `change` makes of it.
   * @param {(state: State) => State} change */
  update(change) {
    const next = change(this.#state);
    if (next === this.#state) return;
    this.#state = next;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => this.tell());
  }

  /** @param {Partial<State>} part */
  set(part) {
    this.update((state) => ({ ...state, ...part }));
  }

  /** @param {Listener} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tell every listener what has changed since it was told last. */
  tell() {
    this.#isScheduled = false;
    const [now, previous] = [this.#state, this.#told];
    this.#told = now;
    if (now === previous) return;
    for (const listener of this.#listeners) listener(now, previous);
  }
}

/** Call `tell` before the next frame; in a hidden tab, which has no frames, a little later.
 * @param {() => void} tell */
function soon(tell) {
  let isDone = false;
  const once = () => {
    if (isDone) return;
    isDone = true;
    tell();
  };
  if (!document.hidden) requestAnimationFrame(once);
  setTimeout(once, 50);
}
