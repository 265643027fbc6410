// Pointers on the stage: pan, pinch, draw a box, move or resize one, switch one by a click.

import { isArea, sharesOf } from "../state/areas.js";
import { addBox, moved, placeBox, resized, toggle } from "../state/edits.js";
import { lay } from "./arrows.js";
import { at, make } from "./dom.js";
import { idOf } from "./boxes.js";

/** @typedef {import("../state/types.js").Rectangle} Rectangle */

const CLICK_PX = 4;
const SWIPE_PX = 60;
/** Of its speed a thrown picture loses this share in each millisecond, and rests below this speed in pixels a millisecond. */
const FRICTION = 0.005;
const REST = 0.03;
/** A finger that has stopped for as long throws nothing. */
const STILL_MS = 60;

export class Gestures {
  #commands;
  #viewer;
  #boxes;
  #stage = at("stage");
  /** @type {Map<number, {x: number, y: number}>} */ #pointers = new Map();
  /** Grows with every touch and every throw: a throw goes on for as long as it is the last of them. */
  #throws = 0;
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
    this.#throws += 1;
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
    else this.#pan(event);
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
    // Of two fingers one was lifted: the other goes on moving the picture.
    if (this.#pointers.size === 1) this.#pan(null);
  }

  /** @param {PointerEvent} event */
  #pinch(event) {
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    const before = this.#pointers.get(event.pointerId);
    if (other === undefined || before === undefined) return;
    const distance = (/** @type {{x: number, y: number}} */ point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    const now = { x: event.clientX, y: event.clientY };
    this.#viewer.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
    const middle = this.#viewer.inStage({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
    this.#viewer.zoomBy(distance(now) / distance(before), ...middle);
  }

  /** Move the picture; where all of it is seen, a finger that wipes over it goes to the next photo.
   * @param {PointerEvent | null} start null: after a pinch, which is no wipe */
  #pan(start) {
    let [time, vx, vy] = [0, 0, 0];
    this.#move = (now) => {
      const before = this.#pointers.get(now.pointerId);
      if (before === undefined || !this.#viewer.isZoomed) return;
      this.#stage.classList.add("panning");
      const [dx, dy] = [now.clientX - before.x, now.clientY - before.y];
      const passed = Math.max(1, now.timeStamp - time);
      [time, vx, vy] = [now.timeStamp, dx / passed, dy / passed];
      this.#viewer.panBy(dx, dy);
    };
    this.#end = (end, isKept) => {
      if (!isKept || end.pointerType !== "touch") return;
      const [dx, dy] = start === null ? [0, 0] : [end.clientX - start.clientX, end.clientY - start.clientY];
      if (this.#viewer.isZoomed) {
        if (end.timeStamp - time < STILL_MS) this.#throw(vx, vy);
      } else if (Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 2 * Math.abs(dy)) this.#commands.step(dx < 0 ? 1 : -1);
    };
  }

  /** Let the picture go on and slow down, until it rests or is touched again.
   * @param {number} vx @param {number} vy pixels a millisecond */
  #throw(vx, vy) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.#throws += 1;
    const mine = this.#throws;
    let before = performance.now();
    const step = (/** @type {number} */ now) => {
      if (this.#throws !== mine || Math.hypot(vx, vy) < REST) return;
      const passed = Math.max(0, now - before);
      before = now;
      this.#viewer.panBy(vx * passed, vy * passed);
      vx *= Math.exp(-FRICTION * passed);
      vy *= Math.exp(-FRICTION * passed);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
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
      lay(ghost, xyxy, { width, height });
      if (!ghost.isConnected) at("areas").append(ghost);
    };
    this.#end = (_, isKept) => {
      ghost.remove();
      if (isKept && (xyxy[2] - xyxy[0]) / this.#viewer.factor > CLICK_PX) this.#drawn(kind, xyxy);
    };
  }

  /** @param {string | null} kind @param {Rectangle} xyxy */
  #drawn(kind, xyxy) {
    const { drawClass } = this.#commands.store.state;
    if (isArea(kind) || this.#commands.chosen?.kind === "video") this.#commands.addArea(kind === "zone" ? "zone" : "mask", sharesOf(xyxy, this.#viewer.size));
    else this.#commands.edit((photo) => addBox(photo, kind ?? (isArea(drawClass) ? "face" : drawClass), xyxy));
    this.#commands.store.set({ drawing: null });
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
      // After a click keys are for the picture, and not for the box.
      at("stage").focus({ preventScroll: true });
      if (isKept && !isFar && !corner) this.#commands.edit((photo) => toggle(photo, id));
      else if (isKept && isFar && editing) this.#commands.edit((photo) => placeBox(photo, id, place));
      else this.#boxes.preview(id, box.xyxy);
    };
  }
}
