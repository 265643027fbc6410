// The boxes over the picture, as elements: one stop for the Tab key however many there are.

import { chosen } from "../state/actions.js";
import { inReadingOrder, placeBox, removeBox, toggle } from "../state/edits.js";
import { boxKey, hasResult } from "../state/photo.js";
import { longName, shortName } from "../text/boxes.js";
import { say } from "../text/words.js";
import { ARROWS, arrowed, lay } from "./arrows.js";
import { at, attributes, make } from "./dom.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").Box} Box */
/** @typedef {import("../state/types.js").Rectangle} Rectangle */

export class Boxes {
  #commands;
  #layer = at("boxes");
  /** @type {Map<string, HTMLButtonElement>} */ #elements = new Map();
  /** @type {readonly Box[]} */ #drawn = [];
  #applied = "";
  #photoId = "";
  /** The box that arrows move, and where it began. @type {{id: string, start: Rectangle} | null} */ #placing = null;

  /** @param {import("../commands.js").Commands} commands */
  constructor(commands) {
    this.#commands = commands;
    commands.store.subscribe((state) => {
      const photo = chosen(state);
      at("stage").classList.toggle("editing", state.editing);
      at("stage").classList.toggle("drawing", state.drawing !== null);
      at("stage").classList.toggle("frames-hidden", state.framesHidden);
      this.#show(photo !== null && hasResult(photo) ? photo : null);
      this.#mark(state.boxId);
    });
    this.#layer.addEventListener("keydown", (event) => this.#key(event));
    this.#layer.addEventListener("click", (event) => {
      // A pointer's click is handled where its drag ends.
      const id = idOf(event.target);
      if (event.detail === 0 && id !== null) this.#commands.edit((photo) => toggle(photo, id));
    });
    this.#layer.addEventListener("focusin", (event) => {
      const boxId = idOf(event.target);
      // At once: Tab may be the next key.
      this.#mark(boxId);
      this.#commands.store.set({ boxId });
    });
    this.#layer.addEventListener("focusout", () => { this.#endPlacing(true); });
    this.#layer.addEventListener("pointerover", (event) => { const id = idOf(event.target); if (id !== null) this.#commands.store.set({ boxId: id }); });
    this.#layer.addEventListener("pointerleave", () => { if (!this.#layer.contains(document.activeElement)) this.#commands.store.set({ boxId: null }); });
  }

  /** Focus a box; with `isPlacing` arrows move it at once.
   * @param {string} id @param {boolean} [isPlacing] */
  focus(id, isPlacing = false) {
    this.#commands.store.tell();
    this.#elements.get(id)?.focus({ preventScroll: true });
    if (isPlacing) this.#beginPlacing(id);
  }

  /** Show a box elsewhere, without telling anybody.
   * @param {string} id @param {Rectangle} xyxy */
  preview(id, xyxy) {
    const element = this.#elements.get(id);
    const photo = this.#commands.chosen;
    if (element && photo?.size) lay(element, xyxy, photo.size);
  }

  /** Lay everything out anew: the language has changed. */
  refresh() {
    this.#drawn = [];
    this.#applied = "-";
  }

  /** @param {Photo | null} photo */
  #show(photo) {
    const boxes = photo?.boxes ?? [];
    if (boxes === this.#drawn && photo?.applied === this.#applied && photo?.id === this.#photoId) return;
    this.#drawn = boxes;
    this.#applied = photo?.applied ?? "";
    this.#photoId = photo?.id ?? "";
    const focused = idOf(document.activeElement);
    const ordered = inReadingOrder(boxes);
    const elements = new Map(ordered.map((box) => [box.id, this.#elements.get(box.id) ?? element(box.id)]));
    this.#elements = elements;
    if (photo !== null) for (const box of ordered) this.#dress(/** @type {HTMLButtonElement} */ (elements.get(box.id)), box, photo);
    const wanted = [...elements.values()];
    if (wanted.length !== this.#layer.children.length || wanted.some((item, index) => this.#layer.children[index] !== item)) {
      this.#layer.replaceChildren(...wanted);
      if (focused !== null) (elements.get(focused) ?? wanted[0])?.focus({ preventScroll: true });
    }
    this.#layer.hidden = wanted.length === 0;
  }

  /** @param {HTMLButtonElement} element @param {Box} box @param {Photo} photo */
  #dress(element, box, photo) {
    const isFresh = box.on && !photo.applied.includes(JSON.stringify(boxKey(box)));
    element.className = `box ${box.origin}${box.on ? "" : " off"}${isFresh ? " fresh" : ""}${box.xyxy[1] < (photo.size?.height ?? 0) * 0.05 ? " at-top" : ""}`;
    element.dataset["label"] = shortName(photo, box);
    element.dataset["short"] = `${Math.round(100 * (box.confidence ?? 0))} %`;
    attributes(element, { "aria-pressed": String(box.on), "aria-label": longName(photo, box) });
    if (photo.size) lay(element, box.xyxy, photo.size);
  }

  /** One box can be reached by Tab: the one that was acted on last, or the first. @param {string | null} boxId */
  #mark(boxId) {
    const current = boxId !== null && this.#elements.has(boxId) ? boxId : this.#elements.keys().next().value;
    for (const [id, item] of this.#elements) {
      const tabIndex = id === current ? 0 : -1;
      if (item.tabIndex !== tabIndex) item.tabIndex = tabIndex;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const id = idOf(event.target);
    if (id === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (this.#placing !== null) {
      if (arrow !== undefined) this.#move(event);
      else if (event.key === "Enter" || event.key === "Escape") this.#endPlacing(event.key === "Enter");
      else return;
    } else if (arrow !== undefined) this.#focusNext(id, arrow[0] + arrow[1]);
    else if (event.key === "Home" || event.key === "End") [...this.#elements.values()].at(event.key === "Home" ? 0 : -1)?.focus({ preventScroll: true });
    else if (event.key === "Delete" || event.key === "Backspace") this.#commands.edit((photo) => removeBox(photo, id));
    else if (event.key.toLowerCase() === "m") this.#beginPlacing(id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} id @param {number} step */
  #focusNext(id, step) {
    const ids = [...this.#elements.keys()];
    const next = ids[(ids.indexOf(id) + step + ids.length) % ids.length];
    if (next !== undefined) this.#elements.get(next)?.focus({ preventScroll: true });
  }

  /** @param {string} id */
  #beginPlacing(id) {
    const box = this.#commands.chosen?.boxes.find((item) => item.id === id);
    if (box === undefined) return;
    this.#placing = { id, start: box.xyxy };
    this.#elements.get(id)?.classList.add("placing");
    this.#commands.announce(say("announce_placing"));
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const photo = this.#commands.chosen;
    if (this.#placing === null || photo?.size == null) return;
    const change = arrowed(event, this.#placing.start, photo.size) ?? this.#placing.start;
    this.#placing.start = change;
    this.preview(this.#placing.id, change);
    const box = photo.boxes.find((item) => item.id === this.#placing?.id);
    if (box !== undefined) this.#elements.get(box.id)?.setAttribute("aria-label", longName(photo, { ...box, xyxy: change }));
  }

  /** @param {boolean} isKept */
  #endPlacing(isKept) {
    const placing = this.#placing;
    if (placing === null) return;
    this.#placing = null;
    this.#elements.get(placing.id)?.classList.remove("placing");
    const box = this.#commands.chosen?.boxes.find((item) => item.id === placing.id);
    if (box === undefined) return;
    if (isKept && String(box.xyxy) !== String(placing.start)) this.#commands.edit((photo) => placeBox(photo, placing.id, placing.start));
    else this.preview(placing.id, box.xyxy);
  }
}

/** @param {string} id */
function element(id) {
  const made = make("button", { type: "button", tabIndex: -1 }, ...["nw", "ne", "se", "sw"].map((corner) => make("i", { className: corner })));
  made.dataset["id"] = id;
  return made;
}

/** @param {EventTarget | null} target @returns {string | null} */
export function idOf(target) {
  const box = target instanceof Element ? target.closest(".box") : null;
  return box instanceof HTMLElement ? box.dataset["id"] ?? null : null;
}
