// What a person can have done, from wherever it is asked for: tools, keys, panel.

import * as actions from "./state/actions.js";
import { areasOf, sharesOf } from "./state/areas.js";
import * as edits from "./state/edits.js";
import { asked, hasResult, isTooLarge, newPhoto, resultName } from "./state/photo.js";
import { kindOf } from "./media/kind.js";
import { say } from "./text/words.js";

/** @typedef {import("./state/types.js").Photo} Photo */
/** @typedef {import("./state/types.js").Rectangle} Rectangle */

const AT_ONCE = 10;
const ZIP_ADDRESS_MS = 60_000;

export class Commands {
  /** @type {(text: string) => void} */ announce = () => {};
  /** @type {(text: string) => void} */ complain = () => {};
  #number = Date.now();

  /** @param {{store: import("./state/store.js").Store, files: import("./storage/files.js").Files,
   * keeper: import("./storage/keeper.js").Keeper, runner: import("./server/runner.js").Runner,
   * applier: import("./server/applier.js").Applier, thumbnails: import("./media/thumbnails.js").Thumbnails}} parts */
  constructor({ store, files, keeper, runner, applier, thumbnails }) {
    this.store = store;
    this.files = files;
    this.keeper = keeper;
    this.runner = runner;
    this.applier = applier;
    this.thumbnails = thumbnails;
  }

  get chosen() {
    return actions.chosen(this.store.state);
  }

  /** Take files in, a few at a time, so that hundreds never hold the page up.
   * @param {File[]} list */
  async addFiles(list) {
    this.complain("");
    for (let start = 0; start < list.length; start += AT_ONCE) {
      await this.#addSome(list.slice(start, start + AT_ONCE));
      await new Promise((resolve) => { setTimeout(resolve); });
    }
    this.announce(say("announce_added", { n: list.length }));
  }

  /** Take files in; those that no server could take are named.
   * @param {File[]} list */
  async #addSome(list) {
    const kinds = await Promise.all(list.map(kindOf));
    const odd = list.filter((_, index) => kinds[index] === null);
    if (odd.length > 0) this.complain(odd.map((file) => say("not_a_picture", { name: file.name })).join(" "));
    const { options, style, capabilities } = this.store.state;
    const areas = areasOf(this.store.state.areas, { id: "" });
    const photos = /** @type {Photo[]} */ ([]);
    for (const [index, file] of list.entries()) {
      const kind = kinds[index];
      if (!kind) continue;
      const fresh = newPhoto({ name: file.name, bytes: file.size, kind, added: (this.#number += 1), options, style, areas });
      const limits = kind === "video" ? capabilities?.video : capabilities?.photo;
      // What the server is sure to refuse need not be sent.
      const isTooLarge = limits != null && file.size > limits.max_bytes;
      const photo = isTooLarge ? { ...fresh, job: null, problem: { status: 413, code: "photo_too_large", message: "" } } : fresh;
      photos.push(photo);
      this.files.put(photo.id, "file", file);
      this.thumbnails.make(photo.id, file);
    }
    if (photos.length === 0) return;
    const first = /** @type {Photo} */ (photos[0]);
    const isFirst = this.store.state.photos.length === 0;
    this.store.update((state) => {
      const added = actions.add(state, photos);
      return isFirst ? actions.choose(added, first.id) : added;
    });
  }

  /** @param {string} id */
  choose(id) {
    this.store.update((state) => actions.choose(state, id));
  }

  toggleOverview() {
    this.store.update((state) => ({ ...state, overview: !state.overview && state.photos.length > 0 }));
  }

  /** @param {number} step */
  step(step) {
    const photo = actions.neighbour(this.store.state, step);
    if (photo !== null) this.choose(photo.id);
  }

  /** @param {1 | -1} step */
  stepToReview(step) {
    const photo = actions.nextToReview(this.store.state, step);
    if (photo === null) this.announce(say("nothing_to_review"));
    else this.choose(photo.id);
  }

  approve() {
    if (this.chosen === null || !hasResult(this.chosen) || this.chosen.job !== null) return;
    this.announce(say("announce_approved", { name: this.chosen.name }));
    this.store.update(actions.approve);
  }

  /** Change the boxes of the chosen photo.
   * @param {(photo: Photo) => Photo} make */
  edit(make) {
    const { chosenId } = this.store.state;
    if (chosenId === null || this.chosen === null || !hasResult(this.chosen) || this.chosen.kind === "video") return;
    this.store.update((state) => actions.change(state, chosenId, make));
    // Seen in this frame already, and not in the next.
    this.store.tell();
  }

  undo() {
    this.edit(edits.undo);
  }

  redo() {
    this.edit(edits.redo);
  }

  /** Switch the box that keys act on. */
  toggleCurrent() {
    const { boxId } = this.store.state;
    if (boxId !== null) this.edit((photo) => edits.toggle(photo, boxId));
    else this.announce(say("announce_no_box"));
  }

  toggleEditing() {
    this.store.update((state) => ({ ...state, editing: !state.editing, drawing: null, framesHidden: false, overview: false, panorama: false }));
  }

  /** Let the next drag draw a box of the class, or an area; the same once more ends it.
   * @param {string} kind @param {boolean} [isSwitch] */
  draw(kind, isSwitch = true) {
    this.store.update((state) => {
      const drawing = isSwitch && state.drawing !== null ? null : kind;
      return { ...state, drawing, editing: true, framesHidden: false, overview: false, panorama: false, compare: 0 };
    });
  }

  /** @param {Partial<import("./state/types.js").Style>} part */
  setStyle(part) {
    this.edit((photo) => edits.withStyle(photo, part));
  }

  /** Use the style of the chosen photo for all photos, and for those to come. */
  styleForAll() {
    const style = this.chosen?.style;
    if (style === undefined) return;
    this.store.update((state) => ({
      ...state, style,
      photos: state.photos.map((photo) => (photo.style === style ? photo : edits.withStyle(photo, style))),
    }));
    this.announce(say("announce_style_all", { n: this.store.state.photos.length }));
  }

  lookHarder() {
    const photo = this.chosen;
    if (photo === null || photo.job !== null || photo.kind === "video") return;
    this.store.update((state) => actions.patch(state, photo.id, asked(photo, "detect")));
  }

  apply() {
    const photo = this.chosen;
    if (photo === null) return;
    if (photo.problem !== null && photo.job === null) this.store.update((state) => actions.patch(state, photo.id, actions.retried(photo)));
    else this.applier.apply(photo.id);
  }

  retryFailed() {
    this.store.update(actions.retryFailed);
  }

  /** Add an area for all photos; on a video, for this video.
   * @param {"mask" | "zone"} kind @param {Rectangle} area shares of the picture */
  addArea(kind, area) {
    const id = `${kind}-${Date.now()}`;
    const of = this.chosen?.kind === "video" ? { photoId: this.chosen.id } : {};
    this.#setAreas([...this.store.state.areas, { id, kind, area, ...of }]);
  }

  /** Hide the place of the box that keys act on in all photos. */
  maskFromBox() {
    const photo = this.chosen;
    const box = photo?.boxes.find((item) => item.id === this.store.state.boxId);
    if (!box || !photo?.size) return;
    this.addArea("mask", sharesOf(box.xyxy, photo.size));
    this.announce(say("area_mask"));
  }

  /** @param {string} id */
  removeArea(id) {
    this.#setAreas(this.store.state.areas.filter((area) => area.id !== id));
  }

  /** Photos that are done are done again, with the boxes that they have; videos, wholly.
   * @param {import("./state/types.js").Area[]} all */
  #setAreas(all) {
    this.store.update((state) => ({
      ...state, areas: all,
      photos: state.photos.map((photo) => {
        const areas = areasOf(all, photo);
        if (areas.length === photo.areas.length && areas.every((area, index) => area === photo.areas[index])) return photo;
        if (isTooLarge(photo)) return { ...photo, areas };
        const held = edits.outsideZones({ ...photo, areas, approved: false, downloaded: false, problem: null });
        return hasResult(photo) && photo.kind !== "video" ? held : asked(held, "blur");
      }),
    }));
    this.store.tell();
  }

  remove() {
    const photo = this.chosen;
    if (photo === null) return;
    this.runner.drop(photo);
    this.store.update((state) => actions.remove(state, photo.id));
    this.files.forget(photo.id);
    this.announce(say("announce_removed", { name: photo.name }));
  }

  /** Forget every photo: in memory, in the browser's database, and on the server. */
  async forgetAll() {
    const { photos } = this.store.state;
    for (const photo of photos) this.runner.drop(photo);
    this.store.update(actions.clear);
    this.store.tell();
    this.files.clear(photos.map((photo) => photo.id));
    await this.keeper.forgetAll();
    this.announce(say("announce_forgotten"));
  }

  /** Note that the chosen photo has been taken away. */
  downloaded() {
    const { chosenId } = this.store.state;
    if (chosenId !== null) this.store.update((state) => actions.patch(state, chosenId, { downloaded: true }));
  }

  /** Download all results as one zip file, with a report. */
  async downloadAll() {
    const ready = this.store.state.photos.filter((photo) => hasResult(photo) && photo.job === null);
    const { uniqueNames, zip } = await import("./media/zip.js");
    const names = uniqueNames(ready.map(resultName));
    const files = /** @type {{name: string, blob: Blob}[]} */ ([]);
    for (const [index, photo] of ready.entries()) {
      const blob = await this.files.get(photo.id, "result");
      if (blob !== null) files.push({ name: names[index] ?? photo.id, blob });
    }
    const about = ready.map((photo, index) => ({ file: names[index], report: photo.report, manifest: photo.manifest }));
    files.push({ name: "report.json", blob: new Blob([JSON.stringify(about, null, 1)]) });
    try {
      const address = URL.createObjectURL(await zip(files));
      Object.assign(document.createElement("a"), { href: address, download: "obscura.zip" }).click();
      setTimeout(() => URL.revokeObjectURL(address), ZIP_ADDRESS_MS);
      const taken = new Set(ready.map((photo) => photo.id));
      this.store.update((state) => ({ ...state, photos: state.photos.map((photo) => (taken.has(photo.id) ? { ...photo, downloaded: true } : photo)) }));
      this.announce(say("announce_zip"));
    } catch (error) {
      this.complain(String(error));
    }
  }
}
