// The strip of photos, or all of them over the whole screen. Only those that can be seen are elements, so that hundreds
// cost no more than ten.

import { filtered } from "../state/actions.js";
import { isBusy, isFailed, needsReview, standing } from "../state/photo.js";
import { say } from "../text/words.js";
import { as, at, attributes, button, limit, make } from "./dom.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").State} State */

const GAP = 6;
/** Of what is not seen, as many rows (of the strip: photos) are there all the same. */
const BEYOND = { strip: 4, overview: 2 };
/** Width and height of a photo: of the strip as high as the strip is. */
const WIDE = { strip: [84, 0], overview: [168, 126] };
const NARROW = { strip: [60, 0], overview: [112, 84] };
/** @type {Record<string, string>} */
const MARKS = { good: "✓", care: "!", bad: "×", plain: "•" };

export class Filmstrip {
  #commands;
  #list = at("list");
  #inner = at("list-inner");
  /** @type {Map<string, HTMLElement>} */ #items = new Map();
  /** @type {WeakMap<HTMLElement, string>} */ #dressed = new WeakMap();
  /** What was shown last: the photo that is in sight, and how. */
  #revealed = "";
  #narrow = matchMedia("(max-width: 52rem)");

  /** @param {import("../commands.js").Commands} commands */
  constructor(commands) {
    this.#commands = commands;
    const again = () => this.#show(commands.store.state);
    commands.store.subscribe((state, previous) => {
      this.#show(state);
      if (state.photos !== previous.photos || state.filter !== previous.filter) this.#count(state);
    });
    this.#list.addEventListener("scroll", () => requestAnimationFrame(again), { passive: true });
    new ResizeObserver(again).observe(this.#list);
    this.#list.addEventListener("wheel", (event) => {
      if (event.deltaX === 0 && !commands.store.state.overview) this.#list.scrollLeft += event.deltaY;
    }, { passive: true });
    this.#inner.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest(".thumb") : null;
      if (!(item instanceof HTMLElement)) return;
      commands.choose(item.dataset["id"] ?? "");
      commands.store.set({ overview: false });
    });
    at("overview").addEventListener("click", () => commands.toggleOverview());
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    at("filters").addEventListener("change", (event) => {
      if (event.target instanceof HTMLInputElement) this.#filter(/** @type {import("../state/types.js").Filter} */ (event.target.value));
    });
  }

  /** Show everything anew: a thumbnail was made, or the language has changed.
   * @param {string} [id] */
  refresh(id) {
    for (const [key, item] of this.#items) if (id === undefined || id === key) this.#dressed.delete(item);
    this.#show(this.#commands.store.state);
    if (id === undefined) this.#count(this.#commands.store.state);
  }

  /** @param {import("../state/types.js").Filter} filter */
  #filter(filter) {
    this.#commands.store.update((state) => {
      const next = { ...state, filter };
      const keep = filter === "review" ? needsReview : filter === "failed" ? isFailed : () => true;
      const first = next.photos.find(keep);
      const current = next.photos.find((photo) => photo.id === next.chosenId);
      return current && !keep(current) && first ? { ...next, chosenId: first.id, compare: 0, boxId: null } : next;
    });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { overview } = this.#commands.store.state;
    const { columns, rows } = this.#grid(overview);
    const [line, page] = overview ? [columns, columns * Math.max(1, rows - 1)] : [1, Math.max(1, columns - 1)];
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowUp: -line, ArrowRight: 1, ArrowDown: line, PageUp: -page, PageDown: page, Home: -1e6, End: 1e6 });
    const step = steps[event.key];
    if (event.key === "Enter" && overview) {
      event.preventDefault();
      this.#commands.store.set({ overview: false });
    }
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#commands.step(step);
  }

  /** Return the steps from photo to photo in pixels, and how many columns and rows of them can be seen.
   * @param {boolean} overview */
  #grid(overview) {
    const { clientWidth, clientHeight } = this.#list;
    const [width = 0, height = 0] = (this.#narrow.matches ? NARROW : WIDE)[overview ? "overview" : "strip"];
    const columns = Math.max(1, Math.floor((clientWidth - GAP) / (width + GAP)));
    if (!overview) return { x: width + GAP, y: 0, columns, rows: 1, width };
    // What is left of the width is given to all.
    const x = Math.floor((clientWidth - GAP) / columns);
    return { x, y: height + GAP, columns, rows: Math.max(1, Math.floor(clientHeight / (height + GAP))), width: x - GAP };
  }

  /** @param {State} state */
  #show(state) {
    const photos = filtered(state);
    const { overview } = state;
    at("work").classList.toggle("overview", overview);
    attributes(at("overview"), { "aria-pressed": String(overview) });
    const grid = this.#grid(overview);
    const lines = overview ? Math.ceil(photos.length / grid.columns) : 1;
    Object.assign(this.#inner.style, overview ? { width: "", height: `${lines * grid.y + GAP}px` } : { width: `${photos.length * grid.x + GAP}px`, height: "" });
    const index = photos.findIndex((photo) => photo.id === state.chosenId);
    const revealed = `${state.chosenId} ${overview}`;
    if (revealed !== this.#revealed) {
      this.#revealed = revealed;
      if (index >= 0) this.#reveal(index, grid, overview);
    }
    const { scrollLeft, scrollTop } = this.#list;
    const start = overview ? (Math.floor(scrollTop / grid.y) - BEYOND.overview) * grid.columns : Math.floor(scrollLeft / grid.x) - BEYOND.strip;
    const count = overview ? (grid.rows + 1 + 2 * BEYOND.overview) * grid.columns : grid.columns + 1 + 2 * BEYOND.strip;
    const first = limit(start, 0, photos.length);
    const last = Math.min(photos.length, first + count);
    const shown = photos.slice(first, last);
    if (index >= 0 && (index < first || index >= last)) shown.push(/** @type {Photo} */ (photos[index]));
    const ids = new Set(shown.map((photo) => photo.id));
    for (const [id, item] of this.#items) {
      if (ids.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    for (const photo of shown) this.#dress(photo, photos.indexOf(photo), photos.length, state, grid);
    attributes(this.#list, { "aria-activedescendant": index >= 0 ? `thumb-${state.chosenId}` : null, "aria-orientation": overview ? null : "horizontal" });
  }

  /** @param {number} index @param {{x: number, y: number, columns: number}} grid @param {boolean} overview */
  #reveal(index, { x, y, columns }, overview) {
    const { scrollLeft, clientWidth, scrollTop, clientHeight } = this.#list;
    const left = index * x;
    const top = Math.floor(index / columns) * y;
    if (overview && (top < scrollTop || top + y > scrollTop + clientHeight)) this.#list.scrollTop = top - (clientHeight - y) / 2;
    if (!overview && (left < scrollLeft + x || left > scrollLeft + clientWidth - 2 * x)) this.#list.scrollLeft = left - (clientWidth - x) / 2;
  }

  /** @param {Photo} photo @param {number} index @param {number} count @param {State} state
   * @param {{x: number, y: number, columns: number, width: number}} grid */
  #dress(photo, index, count, state, { x, y, columns, width }) {
    let item = this.#items.get(photo.id);
    if (item === undefined) {
      item = make("div", { className: "thumb", id: `thumb-${photo.id}` });
      item.setAttribute("role", "option");
      item.dataset["id"] = photo.id;
      this.#items.set(photo.id, item);
      this.#inner.append(item);
    }
    const { tone, key, n } = standing(photo);
    const share = photo.job === null ? 0 : photo.job.share;
    const what = [index, count, tone, key, n, Math.round(share * 50), photo.id === state.chosenId, photo.version, x, y, columns].join();
    if (this.#dressed.get(item) === what) return;
    const isNew = !this.#dressed.has(item);
    this.#dressed.set(item, what);
    const [column, row] = state.overview ? [index % columns, Math.floor(index / columns)] : [index, 0];
    const height = state.overview ? `${y - GAP}px` : "";
    Object.assign(item.style, { left: `${column * x + GAP / 2}px`, top: state.overview ? `${row * y + GAP / 2}px` : "", width: `${width}px`, height });
    item.className = `thumb${isBusy(photo) ? " busy" : ""}`;
    item.title = photo.name;
    attributes(item, {
      "aria-selected": String(photo.id === state.chosenId), "aria-setsize": String(count), "aria-posinset": String(index + 1),
      "aria-label": `${photo.name}: ${say(key, { n })}`,
    });
    const bar = make("span", { className: "bar" });
    bar.style.width = `${isBusy(photo) ? Math.max(6, 100 * share) : 0}%`;
    const mark = make("span", { className: `mark ${tone}`, textContent: isBusy(photo) ? busyText(photo) : MARKS[tone] ?? "" });
    const picture = item.querySelector("img");
    item.replaceChildren(...(picture ? [picture] : [make("span", { className: "name", textContent: photo.name })]), bar, mark);
    if (isNew) this.#picture(photo.id, item);
  }

  /** @param {string} id @param {HTMLElement} item */
  async #picture(id, item) {
    const address = await this.#commands.files.address(id, "thumb");
    if (address === null || this.#items.get(id) !== item) return;
    const before = item.querySelector("img, .name");
    const picture = make("img", { alt: "", src: address, decoding: "async" });
    picture.draggable = false;
    if (before) before.replaceWith(picture);
    else item.prepend(picture);
  }

  /** @param {State} state */
  #count({ photos, filter }) {
    const [review, failed, ended] = [photos.filter(needsReview).length, photos.filter(isFailed).length, photos.filter((photo) => !isBusy(photo)).length];
    const set = (/** @type {string} */ id, /** @type {number} */ n, /** @type {string} */ tone) => {
      at(id).textContent = String(n);
      at(id).className = n > 0 ? tone : "";
    };
    set("count-all", photos.length, "");
    set("count-review", review, "care");
    set("count-failed", failed, "bad");
    for (const radio of at("filters").querySelectorAll("input")) radio.checked = radio.value === filter;
    Object.assign(as("progress", HTMLProgressElement), { max: Math.max(1, photos.length), value: ended });
    at("count").textContent = say("count", { done: ended - failed, all: photos.length }) + (failed ? `, ${say("count_failed", { failed })}` : "");
    button("retry").hidden = failed === 0;
  }
}

/** @param {Photo} photo */
function busyText({ job }) {
  if (job === null || job.phase === "waiting") return "…";
  if (job.phase === "sending" && job.share < 1) return `${Math.round(100 * job.share)} %`;
  return job.phase === "running" && job.share > 0 ? `${Math.round(100 * job.share)} %` : "…";
}
