// Masks and exclusion zones, shown where they lie.

import { chosen } from "../state/actions.js";
import { at, make } from "./dom.js";

/** @param {import("../commands.js").Commands} commands */
export function mountAreas({ store }) {
  let shown = "";
  store.subscribe((state) => {
    const isSeen = state.editing && !state.framesHidden && chosen(state) !== null;
    const name = isSeen ? state.areas.map((area) => area.id).join() : "";
    if (name === shown) return;
    shown = name;
    const areas = isSeen ? state.areas : [];
    at("areas").replaceChildren(...areas.map(({ kind, area: [x1, y1, x2, y2] }) => {
      const element = make("div", { className: `area ${kind}` });
      Object.assign(element.style, { left: `${100 * x1}%`, top: `${100 * y1}%`, width: `${100 * (x2 - x1)}%`, height: `${100 * (y2 - y1)}%` });
      return element;
    }));
  });
}
