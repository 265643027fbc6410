// The finished panorama as it is seen from its middle: drag, wheel and arrow keys look around.

import { chosen } from "../state/actions.js";
import { hasResult } from "../state/photo.js";
import { as, at, limit } from "./dom.js";

const STEP = 0.12;
const LEAST_WIDTH = 2048;

/** Whether a photo is a full circle: twice as wide as high, and as wide as only panoramas are.
 * @param {import("../state/types.js").Photo} photo */
export const isPanorama = (photo) => hasResult(photo) && photo.size !== null && photo.size.width >= LEAST_WIDTH
  && (photo.size.width === 2 * photo.size.height || (photo.report["metadata_kept"] ?? []).includes("pano"));

/** @param {import("../commands.js").Commands} commands */
export function mountSphere({ store, files }) {
  const canvas = as("sphere", HTMLCanvasElement);
  /** @type {import("../media/panorama.js").Sphere | null} */ let sphere = null;
  let shown = "";
  let isDue = false;

  const draw = () => {
    if (isDue || sphere === null) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; sphere?.draw(); });
  };
  const turn = (/** @type {number} */ yaw, /** @type {number} */ pitch) => {
    if (sphere === null) return;
    sphere.yaw += yaw;
    sphere.pitch = limit(sphere.pitch + pitch, -Math.PI / 2, Math.PI / 2);
    draw();
  };
  const zoom = (/** @type {number} */ factor) => {
    if (sphere !== null) sphere.zoom = limit(sphere.zoom * factor, 0.1, 1.6);
    draw();
  };

  store.subscribe(async (state) => {
    const photo = chosen(state);
    const canShow = photo !== null && isPanorama(photo);
    at("sphere-toggle").hidden = !canShow;
    canvas.hidden = !(canShow && state.panorama);
    const name = canvas.hidden || photo === null ? "" : `${photo.id}/${photo.version}`;
    if (name === shown || photo === null) return;
    shown = name;
    if (name === "") return;
    try {
      sphere ??= new (await import("../media/panorama.js")).Sphere(canvas);
      const blob = await files.get(photo.id, "result");
      if (blob !== null) await sphere.load(blob);
      canvas.focus({ preventScroll: true });
      draw();
    } catch {
      store.set({ panorama: false });
    }
  });
  new ResizeObserver(draw).observe(canvas);
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId) || sphere === null) return;
    const angle = (2 * sphere.zoom) / canvas.clientHeight;
    turn(-event.movementX * angle, event.movementY * angle);
  });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); event.stopPropagation(); zoom(Math.exp(event.deltaY * 0.001)); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const turns = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] });
    const step = turns[event.key];
    if (step !== undefined) turn(...step);
    else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 0.8 : 1.25);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
