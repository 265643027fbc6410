// Masks and exclusion zones, shown where they lie; and how one is drawn by keyboard.

import { chosen } from "../state/actions.js";
import { areasOf, sharesOf } from "../state/areas.js";
import { say } from "../text/words.js";
import { arrowed, lay, middleOf } from "./arrows.js";
import { at, make } from "./dom.js";

const WHOLE = { width: 1, height: 1 };

export class Areas {
  #commands;
  #layer = at("areas");
  #shown = "";

  /** @param {import("../commands.js").Commands} commands */
  constructor(commands) {
    this.#commands = commands;
    commands.store.subscribe((state) => this.#show(state));
  }

  /** Put an area in the middle and let arrows move it, until Enter keeps it or Escape takes it away.
   * @param {"mask" | "zone"} kind @param {{width: number, height: number}} size of the picture */
  place(kind, size) {
    const { store } = this.#commands;
    store.set({ editing: true, framesHidden: false, overview: false, panorama: false, compare: 0 });
    store.tell();
    const item = make("button", { type: "button", className: `area ${kind} placing` });
    let xyxy = middleOf(size);
    const show = () => {
      lay(item, xyxy, size);
      const [x, y, x2, y2] = xyxy.map(Math.round);
      item.setAttribute("aria-label", say("area_position", { area: say(`area_${kind}`), x, y, w: (x2 ?? 0) - (x ?? 0), h: (y2 ?? 0) - (y ?? 0) }));
    };
    item.addEventListener("keydown", (event) => {
      const next = arrowed(event, xyxy, size);
      if (next !== null) {
        xyxy = next;
        show();
      } else if (event.key === "Enter") {
        this.#end(item);
        this.#commands.addArea(kind, sharesOf(xyxy, size));
      } else if (event.key === "Escape") this.#end(item);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    item.onblur = () => item.remove();
    show();
    this.#layer.append(item);
    item.focus({ preventScroll: true });
    this.#commands.announce(say("announce_placing"));
  }

  /** @param {HTMLElement} item */
  #end(item) {
    item.onblur = null;
    item.remove();
    at("stage").focus({ preventScroll: true });
  }

  /** @param {import("../state/types.js").State} state */
  #show(state) {
    const photo = chosen(state);
    const areas = photo !== null && state.editing && !state.framesHidden ? areasOf(state.areas, photo) : [];
    const name = areas.map((area) => area.id).join();
    if (name === this.#shown) return;
    this.#shown = name;
    this.#layer.replaceChildren(...areas.map(({ kind, area }) => {
      const element = make("div", { className: `area ${kind}` });
      lay(element, area, WHOLE);
      return element;
    }));
  }
}
