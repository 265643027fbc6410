// The divider on the picture: the original left of it, the result right of it.

import { chosen } from "../state/actions.js";
import { hasResult } from "../state/photo.js";
import { say } from "../text/words.js";
import { at, attributes, limit } from "./dom.js";

const STEP = 0.02;
const HANDLE_PX = 22;

/** @param {import("../commands.js").Commands} commands @param {import("./viewer.js").Viewer} viewer */
export function mountDivider({ store }, viewer) {
  const divider = at("divider");
  const stage = at("stage");

  const set = (/** @type {number} */ share) => store.set({ compare: limit(share, 0, 1) });

  const show = () => {
    const { state } = store;
    const photo = chosen(state);
    divider.hidden = photo === null || !hasResult(photo) || photo.kind === "video" || !viewer.canCompare || state.editing || state.panorama;
    const x = viewer.frame.left + viewer.frame.width * state.compare;
    // At the edge its handle is still wholly there to be grabbed.
    const isAtEdge = state.compare === 0 || state.compare === 1;
    const room = isAtEdge ? HANDLE_PX : 0;
    divider.style.left = `${limit(x, room, stage.clientWidth - room)}px`;
    divider.classList.toggle("at-edge", isAtEdge);
    const n = Math.round(100 * state.compare);
    attributes(divider, { "aria-valuenow": String(n), "aria-valuetext": say("compare_value", { n }) });
  };

  divider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    divider.focus({ preventScroll: true });
    divider.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ now) => set((now.clientX - stage.getBoundingClientRect().left - viewer.frame.left) / viewer.frame.width);
    divider.addEventListener("pointermove", move);
    divider.addEventListener("lostpointercapture", () => divider.removeEventListener("pointermove", move), { once: true });
  });
  divider.addEventListener("keydown", (event) => {
    const { compare } = store.state;
    const targets = /** @type {Record<string, number>} */ ({ ArrowLeft: compare - STEP, ArrowRight: compare + STEP, PageUp: compare + 0.2, PageDown: compare - 0.2, Home: 0, End: 1 });
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    set(target);
  });
  store.subscribe(show);
  viewer.onPlace(show);
}
