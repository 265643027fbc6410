// Pointers on the stage: pan, pinch, draw a box, move or resize one, switch one by a click.

import { addBox, moved, placeBox, resized, toggle } from "../state/edits.js";
import { at, make } from "./dom.js";
import { idOf } from "./boxes.js";

/** @typedef {import("../state/types.js").Rectangle} Rectangle */

const CLICK_PX = 4;

export class Gestures {
  #commands;
  #viewer;
  #boxes;
  #stage = at("stage");
  /** @type {Map<number, {x: number, y: number}>} */ #pointers = new Map();
  /** @type {((event: PointerEvent) => void) | null} */ #move = null;
  /** @type {((event: PointerEvent, isKept: boolean) => void) | null} */ #end = null;

  /** @param {import("../commands.js").Commands} commands @param {import("./viewer.js").Viewer} viewer
   * @param {import("./boxes.js").Boxes} boxes */
  constructor(commands, viewer, boxes) {
    this.#commands = commands;
    this.#viewer = viewer;
    this.#boxes = boxes;
    this.#stage.addEventListener("pointerdown", (event) => this.#down(event));
    this.#stage.addEventListener("pointermove", (event) => this.#moved(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) this.#stage.addEventListener(name, (event) => this.#up(event));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!(event.target instanceof Element) || event.target.closest("#divider, video, #sphere") || event.button > 1 || at("picture").hidden) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#pointers.size === 2) {
      // A second finger: it was no drawing and no click.
      this.#end?.(event, false);
      this.#move = this.#end = null;
      return;
    }
    this.#stage.setPointerCapture(event.pointerId);
    const { state } = this.#commands.store;
    const id = idOf(event.target);
    const isTouch = event.pointerType === "touch";
    const canEdit = this.#commands.chosen?.resultType !== "" && event.button === 0;
    if (canEdit && (state.drawing !== null || (state.editing && id === null))) this.#draw(event, state.drawing);
    else if (canEdit && id !== null && (state.editing || !isTouch)) this.#onBox(event, id, event.target);
    else this.#pan();
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    if (this.#pointers.size === 2) this.#pinch(event);
    else this.#move?.(event);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    this.#end?.(event, event.type === "pointerup");
    this.#move = this.#end = null;
    this.#stage.classList.remove("panning");
  }

  /** @param {PointerEvent} event */
  #pinch(event) {
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    const before = this.#pointers.get(event.pointerId);
    if (other === undefined || before === undefined) return;
    const distance = (/** @type {{x: number, y: number}} */ point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    const now = { x: event.clientX, y: event.clientY };
    const stage = this.#stage.getBoundingClientRect();
    this.#viewer.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.#viewer.zoomBy(distance(now) / distance(before), (now.x + other.x) / 2 - stage.left, (now.y + other.y) / 2 - stage.top);
  }

  #pan() {
    this.#move = (now) => {
      const before = this.#pointers.get(now.pointerId);
      if (before === undefined || !this.#viewer.isZoomed) return;
      this.#stage.classList.add("panning");
      this.#viewer.panBy(now.clientX - before.x, now.clientY - before.y);
    };
  }

  /** Draw a box, or an area for all photos, from where the pointer went down.
   * @param {PointerEvent} event @param {string | null} kind */
  #draw(event, kind) {
    event.preventDefault();
    const start = this.#viewer.inPicture(event);
    const ghost = make("div", { className: "ghost" });
    /** @type {Rectangle} */ let xyxy = [...start, ...start];
    this.#move = (now) => {
      const { width, height } = this.#viewer.size;
      const end = this.#viewer.inPicture(now);
      const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);
      const [x1, x2] = [start[0], end[0]].map((value) => inside(value, width)).toSorted((a, b) => a - b);
      const [y1, y2] = [start[1], end[1]].map((value) => inside(value, height)).toSorted((a, b) => a - b);
      xyxy = [x1 ?? 0, y1 ?? 0, x2 ?? 0, y2 ?? 0];
      Object.assign(ghost.style, {
        left: `${(100 * xyxy[0]) / width}%`, top: `${(100 * xyxy[1]) / height}%`,
        width: `${(100 * (xyxy[2] - xyxy[0])) / width}%`, height: `${(100 * (xyxy[3] - xyxy[1])) / height}%`,
      });
      if (!ghost.isConnected) at("areas").append(ghost);
    };
    this.#end = (_, isKept) => {
      ghost.remove();
      if (isKept && (xyxy[2] - xyxy[0]) / this.#viewer.factor > CLICK_PX) this.#drawn(kind, xyxy);
    };
  }

  /** @param {string | null} kind @param {Rectangle} xyxy */
  #drawn(kind, xyxy) {
    const { width, height } = this.#viewer.size;
    if (kind === "mask" || kind === "zone") {
      this.#commands.addArea(kind, [xyxy[0] / width, xyxy[1] / height, xyxy[2] / width, xyxy[3] / height]);
      this.#commands.store.set({ drawing: null });
    } else {
      const { drawClass } = this.#commands.store.state;
      const name = kind ?? (drawClass === "mask" || drawClass === "zone" ? "face" : drawClass);
      this.#commands.edit((photo) => addBox(photo, name, xyxy));
      this.#commands.store.set({ drawing: null });
    }
  }

  /** @param {PointerEvent} event @param {string} id @param {Element} target */
  #onBox(event, id, target) {
    const box = this.#commands.chosen?.boxes.find((item) => item.id === id);
    if (box === undefined) return;
    const corner = target.tagName === "I" ? target.className : "";
    const { editing } = this.#commands.store.state;
    const from = [event.clientX, event.clientY];
    let place = box.xyxy;
    let isFar = false;
    this.#move = (now) => {
      const [dx, dy] = [now.clientX - (from[0] ?? 0), now.clientY - (from[1] ?? 0)];
      isFar ||= Math.hypot(dx, dy) > CLICK_PX;
      if (!isFar || !editing) return;
      const { factor, size } = this.#viewer;
      place = corner ? resized(box.xyxy, corner, dx * factor, dy * factor, size) : moved(box.xyxy, dx * factor, dy * factor, size);
      this.#boxes.preview(id, place);
    };
    this.#end = (_, isKept) => {
      if (isKept && !isFar && !corner) this.#commands.edit((photo) => toggle(photo, id));
      else if (isKept && isFar && editing) this.#commands.edit((photo) => placeBox(photo, id, place));
      else this.#boxes.preview(id, box.xyxy);
    };
  }
}
