// The picture: fitted to the stage, zoomed and moved by wheel, pointer and keys.

import { chosen } from "../state/actions.js";
import { boxKey, hasResult, hiddenBoxes } from "../state/photo.js";
import { say } from "../text/words.js";
import { as, at, image, limit } from "./dom.js";

/** @typedef {import("../commands.js").Commands} Commands */
/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").State} State */

const MARGIN = 4;
const MOST = 16;
const STEP = 1.25;
/** Height of the strip of frames under a video. */
const FRAMES_PX = 64;
const LAYERS = ["after", "peek", "original"];

export class Viewer {
  #commands;
  #stage = at("stage");
  #picture = at("picture");
  /** Scale beyond the fitted size, and the picture's left and top in the stage. */
  #zoom = 1;
  #left = 0;
  #top = 0;
  #size = { width: 1, height: 1 };
  /** Of the screen. Asked for only when it changes: an answer costs a layout of the page. */
  #room = new DOMRect();
  #isDue = false;
  #isVideo = false;
  #shown = "";
  /** @type {(() => void)[]} */ #onPlace = [];
  /** Where the divider stands in the stage, in pixels, or null where the picture is hidden. */
  frame = { left: 0, top: 0, width: 0, height: 0 };

  /** @param {Commands} commands */
  constructor(commands) {
    this.#commands = commands;
    commands.store.subscribe((state) => this.#show(state));
    new ResizeObserver(() => {
      // Under the overview there is none.
      if (this.#stage.clientWidth === 0) return;
      this.#room = this.#stage.getBoundingClientRect();
      this.#place();
    }).observe(this.#stage);
    this.#stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#stage.addEventListener("dblclick", (event) => this.#zoomAtPointer(event));
    image("original").addEventListener("error", () => { this.canCompare = false; this.#place(); });
    image("original").addEventListener("load", () => this.#measured(image("original")));
    image("after").addEventListener("load", () => this.#measured(image("after")));
    const video = as("video", HTMLVideoElement);
    video.addEventListener("loadedmetadata", () => this.#measured({ naturalWidth: video.videoWidth, naturalHeight: video.videoHeight }));
  }

  /** Whether the browser can show the original. */
  canCompare = true;

  /** @param {() => void} listener called whenever the picture has another place or size */
  onPlace(listener) {
    this.#onPlace.push(listener);
  }

  get isZoomed() {
    return this.#zoom > 1.001;
  }

  /** Pixels of the picture for each pixel of the screen. */
  get factor() {
    return this.#size.width / this.frame.width;
  }

  get size() {
    return this.#size;
  }

  fit() {
    this.#zoom = 1;
    this.#place();
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] place in the stage that stays where it is */
  zoomBy(factor, x = this.#room.width / 2, y = this.#room.height / 2) {
    const before = this.#zoom;
    this.#zoom = limit(before * factor, 1, MOST * Math.max(1, this.#size.width / this.#fitted().width));
    const grown = this.#zoom / before;
    this.#left = x - (x - this.#left) * grown;
    this.#top = y - (y - this.#top) * grown;
    this.#place();
  }

  /** @param {number} dx @param {number} dy */
  panBy(dx, dy) {
    this.#left += dx;
    this.#top += dy;
    this.#place();
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was a key of the viewer */
  key(event) {
    if (this.#isVideo) return false;
    if (event.key === "+" || event.key === "=") this.zoomBy(STEP);
    else if (event.key === "-") this.zoomBy(1 / STEP);
    else if (event.key === "0") this.fit();
    else return false;
    return true;
  }

  /** Return a place of the screen in pixels of the stage.
   * @param {{clientX: number, clientY: number}} event @returns {[number, number]} */
  inStage({ clientX, clientY }) {
    return [clientX - this.#room.left, clientY - this.#room.top];
  }

  /** Return a place of the screen in pixels of the picture.
   * @param {{clientX: number, clientY: number}} event @returns {[number, number]} */
  inPicture(event) {
    const [x, y] = this.inStage(event);
    return [(x - this.frame.left) * this.factor, (y - this.frame.top) * this.factor];
  }

  /** @param {State} state */
  async #show(state) {
    const photo = chosen(state);
    const isShown = photo !== null && !state.panorama;
    this.#picture.hidden = !isShown;
    if (!isShown) {
      if (photo === null) this.#shown = "";
      return;
    }
    const name = `${photo.id}/${photo.version}`;
    if (name !== this.#shown) await this.#load(photo, name);
    if (photo.kind === "video") for (const id of [...LAYERS, "tag-before", "tag-after"]) at(id).hidden = true;
    else this.#clip(state, photo);
  }

  /** @param {Photo} photo @param {string} name */
  async #load(photo, name) {
    const isOther = !this.#shown.startsWith(`${photo.id}/`);
    this.#shown = name;
    const { files } = this.#commands;
    this.#isVideo = photo.kind === "video";
    const [original, result] = this.#isVideo ? [null, null] : await Promise.all([files.address(photo.id, "file"), files.address(photo.id, "result")]);
    if (this.#shown !== name) return;
    if (isOther) {
      this.canCompare = true;
      this.#zoom = 1;
    }
    if (photo.size) this.#size = photo.size;
    setSource(image("original"), original);
    setSource(image("peek"), original);
    setSource(image("after"), result);
    image("after").alt = `${say("after")}: ${photo.name}`;
    image("original").alt = `${say("before")}: ${photo.name}`;
    this.#place();
  }

  /** Show the original where it is compared with, and where a change has not reached the result yet.
   * @param {State} state @param {Photo} photo */
  #clip(state, photo) {
    const isReady = hasResult(photo);
    const original = image("original");
    original.hidden = !this.canCompare || (isReady && state.compare === 0);
    original.style.clipPath = isReady ? `inset(0 ${100 - 100 * state.compare}% 0 0)` : "none";
    const peek = image("peek");
    const opened = isReady ? openedSince(photo) : [];
    peek.hidden = opened.length === 0 || !this.canCompare;
    peek.style.clipPath = outline(opened, this.#size);
    at("tag-before").hidden = !(isReady && state.compare > 0.02);
    at("tag-after").hidden = !(isReady && state.compare > 0.02 && state.compare < 0.98);
  }

  /** @param {{naturalWidth: number, naturalHeight: number}} shown */
  #measured(shown) {
    const photo = this.#commands.chosen;
    if (photo === null || photo.size !== null || shown.naturalWidth === 0) return;
    this.#size = { width: shown.naturalWidth, height: shown.naturalHeight };
    this.#place();
  }

  /** What of the stage's height is the picture's. */
  get #height() {
    return this.#room.height - (this.#isVideo ? FRAMES_PX : 0);
  }

  #fitted() {
    const { width, height } = this.#size;
    const scale = Math.min((this.#room.width - 2 * MARGIN) / width, (this.#height - 2 * MARGIN) / height);
    return { width: width * scale, height: height * scale };
  }

  /** Lay the picture out; it never leaves the stage. Of several changes before the next frame, the last one is shown. */
  #place() {
    const fitted = this.#fitted();
    const [width, height] = [fitted.width * this.#zoom, fitted.height * this.#zoom];
    const inside = (/** @type {number} */ start, /** @type {number} */ length, /** @type {number} */ room) =>
      (length <= room ? (room - length) / 2 : limit(start, room - length - MARGIN, MARGIN));
    this.#left = inside(this.#left, width, this.#room.width);
    this.#top = inside(this.#top, height, this.#height);
    this.frame = { left: this.#left, top: this.#top, width, height };
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#isDue = false;
    const { left, top, width, height } = this.frame;
    Object.assign(this.#picture.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${left}px, ${top}px)` });
    this.#stage.classList.toggle("pannable", this.isZoomed);
    at("zoom").textContent = `${Math.round((100 * width) / this.#size.width)} %`;
    for (const listener of this.#onPlace) listener();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    // A video has controls of its own, which would leave the screen.
    if (this.#picture.hidden || this.#isVideo) return;
    event.preventDefault();
    if (event.shiftKey && this.isZoomed) this.panBy(-event.deltaY - event.deltaX, 0);
    else this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), ...this.inStage(event));
  }

  /** @param {MouseEvent} event */
  #zoomAtPointer(event) {
    if (this.#picture.hidden || this.#isVideo || this.#commands.store.state.editing || !(event.target instanceof Element) || event.target.closest(".box, #divider")) return;
    if (this.isZoomed) this.fit();
    else this.zoomBy(Math.max(2, this.factor), ...this.inStage(event));
  }
}

/** @param {HTMLImageElement} element @param {string | null} address */
function setSource(element, address) {
  if (address === null) element.removeAttribute("src");
  else if (element.getAttribute("src") !== address) element.src = address;
  if (element.id === "after") element.hidden = address === null;
}

/** Return the boxes that the result still hides and that were switched off since.
 * @param {Photo} photo */
function openedSince(photo) {
  if (photo.applied === "") return [];
  const [, applied] = JSON.parse(photo.applied);
  const hidden = new Set(hiddenBoxes(photo).map((box) => JSON.stringify(boxKey(box))));
  return applied.filter((/** @type {unknown} */ box) => !hidden.has(JSON.stringify(box)));
}

/** Return the clip path of several rectangles: one polygon that comes back to the corner after each.
 * @param {[string, number, number, number, number][]} rectangles @param {{width: number, height: number}} size */
function outline(rectangles, { width, height }) {
  const corners = rectangles.flatMap(([, x1, y1, x2, y2]) => [[0, 0], [x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1], [0, 0]]);
  return `polygon(${corners.map(([x = 0, y = 0]) => `${(100 * x) / width}% ${(100 * y) / height}%`).join(", ")})`;
}
