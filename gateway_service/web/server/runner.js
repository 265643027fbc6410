// Does the jobs of all photos, a few at a time, and bears with a server that is busy or away.

import { chosen, find, patch } from "../state/actions.js";
import { wish } from "../state/photo.js";
import { taken } from "./answers.js";
import { keepField, maskOf } from "./areas.js";
import { ServerError, pause, request } from "./http.js";
import { erase, handIn, waitForEnd } from "./tasks.js";

/** @typedef {import("../state/store.js").Store} Store */
/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").Job} Job */

const AT_ONCE = 4;
const FIRST_PROBE_S = 1;
const LONGEST_PROBE_S = 8;
const FIRST_PAUSE_S = 2;
const LONGEST_PAUSE_S = 30;
const MOST_LOST = 3;

export class Runner {
  /** @type {Map<string, {controller: AbortController, photo: Photo}>} */ #running = new Map();
  /** @type {Map<string, number>} */ #lost = new Map();
  /** Tasks of which the server is being told. @type {Set<string>} */ #erasing = new Set();
  #isWaiting = false;
  #store;
  #files;
  /** @type {(photo: Photo) => void} */ onEnd = () => {};

  /** @param {Store} store @param {import("../storage/files.js").Files} files */
  constructor(store, files) {
    this.#store = store;
    this.#files = files;
    store.subscribe(() => this.pump());
  }

  /** Start what can be started; stop what nobody asks for any more. */
  pump() {
    const { state } = this.#store;
    for (const [id, { controller, photo }] of this.#running) {
      const current = find(state, id);
      if (current?.job?.revision === photo.job?.revision) continue;
      controller.abort();
      this.#running.delete(id);
    }
    if (this.#isWaiting || state.server === "key") return;
    for (const taskId of state.unerased) this.#erase(taskId);
    while (this.#running.size < AT_ONCE) {
      const next = this.#next();
      if (next === null) return;
      this.#run(next);
    }
  }

  /** Use a new key, or try again without waiting. */
  resume() {
    this.#store.set({ server: "ok" });
    this.pump();
  }

  /** Forget a job: here, and on the server where it has got there.
   * @param {Photo} photo */
  drop(photo) {
    const running = this.#running.get(photo.id);
    if (running !== undefined) running.controller.abort();
    else if (photo.job?.taskId) this.#forget(photo.job.taskId);
  }

  /** Have the server erase a task that nobody needs any more: now, or as soon as it answers again.
   * @param {string} taskId */
  #forget(taskId) {
    this.#store.update((state) => ({ ...state, unerased: [...state.unerased, taskId] }));
    this.pump();
  }

  /** @param {string} taskId */
  async #erase(taskId) {
    if (this.#erasing.has(taskId)) return;
    this.#erasing.add(taskId);
    const problem = await erase(taskId).catch((/** @type {ServerError} */ error) => error);
    this.#erasing.delete(taskId);
    if (problem?.status === 401) this.#store.set({ server: "key" });
    else if (problem?.isAway) await this.#waitForServer(problem);
    else if (problem?.isBusy) pause(problem.retryAfter || FIRST_PAUSE_S).then(() => this.pump());
    else this.#store.update((state) => ({ ...state, unerased: state.unerased.filter((id) => id !== taskId) }));
  }

  /** Return the photo that is most waited for: the one that is looked at, edits, then the others in order. */
  #next() {
    const { state } = this.#store;
    const waits = (/** @type {Photo} */ photo) => photo.job?.phase === "waiting" && !this.#running.has(photo.id);
    const waiting = state.photos.filter(waits);
    const looked = chosen(state);
    if (looked !== null && waits(looked)) return looked;
    return waiting.find((photo) => photo.job?.kind !== "blur" || photo.job.taskId) ?? waiting[0] ?? null;
  }

  /** @param {Photo} photo */
  async #run(photo) {
    const controller = new AbortController();
    const entry = { controller, photo };
    this.#running.set(photo.id, entry);
    try {
      await this.#attend(photo, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) await this.#onError(photo, error);
    } finally {
      if (this.#running.get(photo.id) === entry) this.#running.delete(photo.id);
      this.pump();
    }
  }

  /** @param {Photo} photo @param {AbortSignal} signal */
  async #attend(photo, signal) {
    const job = /** @type {Job} */ (photo.job);
    const onJob = (/** @type {Partial<Job>} */ part) => this.#patchJob(photo.id, job.revision, part);
    const watch = { signal, onJob, onLate: (/** @type {string} */ id) => this.#forget(id) };
    let taskId = job.taskId;
    let end = null;
    if (taskId === null) {
      const file = await this.#files.get(photo.id, "file");
      if (file === null) throw new ServerError(0, "file_gone", "the browser has not kept this file");
      onJob({ phase: "sending", share: 0, wish: wish(photo) });
      const sent = { file, mask: await maskOf(photo.areas, file, photo.size), keep: await keepField(photo.areas, file, photo.size) };
      const entered = await handIn(photo, job, sent, watch);
      if ("taskId" in entered) taskId = entered.taskId;
      else end = entered;
    }
    if (taskId !== null) {
      this.#setServer("ok");
      onJob({ taskId, phase: "queued", share: 0 });
    }
    try {
      end ??= await waitForEnd(/** @type {string} */ (taskId), watch);
      await this.#take(photo, end);
    } catch (error) {
      // Nobody waits for it any more: another answer is asked for, or the photo is gone.
      if (signal.aborted && taskId !== null) this.#forget(taskId);
      throw error;
    }
    if (taskId !== null) this.#forget(taskId);
  }

  /** Keep what has come, and only then say that it is there.
   * @param {Photo} sent @param {import("./tasks.js").Ended} end */
  async #take(sent, { answer, result }) {
    if (result !== null) await this.#files.put(sent.id, "result", result);
    this.#setServer("ok");
    this.#lost.delete(sent.id);
    const current = find(this.#store.state, sent.id);
    if (current === null) await this.#files.forget(sent.id);
    if (current?.job?.revision !== sent.job?.revision || current === null) return;
    const next = taken(current, answer, result);
    this.#store.update((state) => patch(state, sent.id, next));
    this.onEnd(next);
  }

  /** @param {Photo} photo @param {unknown} error */
  async #onError(photo, error) {
    const known = error instanceof ServerError ? error : new ServerError(200, "page_error", String(error));
    const revision = photo.job?.revision ?? 0;
    if (known.status === 401) {
      this.#patchJob(photo.id, revision, { phase: "waiting", share: 0 });
      this.#store.set({ server: "key" });
    } else if (known.code !== "file_gone" && (known.isAway || known.isBusy)) {
      this.#patchJob(photo.id, revision, { phase: "waiting", share: 0 });
      await this.#waitForServer(known);
    } else if (known.status === 404 && this.#isLostOften(photo.id) === false) {
      // The server does not know the task (any more): the photo is handed in again, as another request.
      this.#patchJob(photo.id, revision, { phase: "waiting", share: 0, taskId: null, revision: revision + 1 });
      this.#store.update((state) => patch(state, photo.id, { revision: revision + 1 }));
    } else {
      const { status, code, message } = known;
      if (photo.job?.taskId) this.#forget(photo.job.taskId);
      this.#store.update((state) => patch(state, photo.id, { job: null, problem: { status, code, message } }));
      const failed = find(this.#store.state, photo.id);
      if (failed !== null) this.onEnd(failed);
    }
  }

  /** @param {string} id */
  #isLostOften(id) {
    const times = (this.#lost.get(id) ?? 0) + 1;
    this.#lost.set(id, times);
    return times > MOST_LOST;
  }

  /** Ask until the server answers again; everything else waits meanwhile.
   * @param {ServerError} error */
  async #waitForServer(error) {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#setServer(error.isAway ? "away" : "busy");
    if (error.isBusy) await pause(Math.min(LONGEST_PAUSE_S, error.retryAfter || FIRST_PAUSE_S));
    for (let seconds = FIRST_PROBE_S; error.isAway; seconds = Math.min(2 * seconds, LONGEST_PROBE_S)) {
      if (await request("livez").then(() => true, (problem) => !problem.isAway)) break;
      await Promise.race([pause(seconds), isOnlineAgain()]);
    }
    this.#isWaiting = false;
    // A busy server is said to be so until it has taken something.
    if (error.isAway) this.#setServer("ok");
    this.pump();
  }

  /** @param {"ok" | "away" | "busy"} server */
  #setServer(server) {
    const now = this.#store.state.server;
    if (now !== server && now !== "key") this.#store.set({ server });
  }

  /** Change a photo's job, unless another one has taken its place.
   * @param {string} id @param {number} revision @param {Partial<Job>} part */
  #patchJob(id, revision, part) {
    this.#store.update((state) => {
      const photo = find(state, id);
      if (!photo?.job || photo.job.revision !== revision) return state;
      return patch(state, id, { job: { ...photo.job, ...part } });
    });
  }
}

/** Resolves when the browser says that there is a network again. */
const isOnlineAgain = () => new Promise((resolve) => { addEventListener("online", resolve, { once: true }); });
