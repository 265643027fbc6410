// A video on the stage, with a strip of frames to jump to.

import { chosen } from "../state/actions.js";
import { hasResult } from "../state/photo.js";
import { say } from "../text/words.js";
import { as, at, make } from "./dom.js";

/** @typedef {import("../state/types.js").Photo} Photo */

const FRAMES = 10;
const FRAME_HEIGHT = 54;

/** @param {import("../commands.js").Commands} commands */
export function mountVideo({ store, files, thumbnails }) {
  const video = as("video", HTMLVideoElement);
  const strip = at("frame-strip");
  let shown = "";

  store.subscribe(async (state) => {
    const photo = chosen(state);
    const isVideo = photo !== null && photo.kind === "video";
    video.hidden = strip.hidden = !isVideo;
    // Before it is done, and where it is compared with, the original.
    const kind = isVideo && hasResult(photo) && state.compare < 0.5 ? "result" : "file";
    const name = isVideo ? `${photo.id}/${photo.version}/${kind}` : "";
    if (name === shown) return;
    const isSame = name !== "" && shown.split("/")[0] === photo?.id;
    shown = name;
    video.pause();
    if (!isVideo) {
      video.removeAttribute("src");
      strip.replaceChildren();
      return;
    }
    const time = isSame ? video.currentTime : 0;
    const address = await files.address(photo.id, kind);
    if (shown !== name || address === null) return;
    video.src = address;
    video.currentTime = time;
    const made = await framesOf(address);
    const middle = made[Math.floor(made.length / 2)];
    middle?.canvas.toBlob((blob) => { if (blob !== null) thumbnails.make(photo.id, blob); });
    if (shown === name) strip.replaceChildren(...made.map(({ canvas, time: place }) => frameButton(canvas, place, video)));
  });
}

/** @param {HTMLCanvasElement} canvas @param {number} time @param {HTMLVideoElement} video */
function frameButton(canvas, time, video) {
  const text = `${Math.floor(time / 60)}:${String(Math.floor(time % 60)).padStart(2, "0")}`;
  const item = make("button", { type: "button", title: text }, canvas);
  item.setAttribute("aria-label", say("frame_at", { time: text }));
  item.addEventListener("click", () => { video.currentTime = time; });
  return item;
}

/** Return frames spread evenly over a video; none where the browser cannot show it.
 * @param {string} address @returns {Promise<{canvas: HTMLCanvasElement, time: number}[]>} */
async function framesOf(address) {
  const source = make("video", { muted: true, preload: "auto", src: address });
  const told = (/** @type {string} */ name) => new Promise((resolve, reject) => {
    source.addEventListener(name, resolve, { once: true });
    source.addEventListener("error", reject, { once: true });
  });
  const frames = [];
  try {
    await told("loadeddata");
    for (let number = 0; number < FRAMES; number += 1) {
      const time = (source.duration * (number + 0.5)) / FRAMES;
      const sought = told("seeked");
      source.currentTime = time;
      await sought;
      const canvas = make("canvas", { height: FRAME_HEIGHT, width: Math.round((FRAME_HEIGHT * source.videoWidth) / source.videoHeight) });
      canvas.getContext("2d")?.drawImage(source, 0, 0, canvas.width, canvas.height);
      frames.push({ canvas, time });
    }
  } catch {
    // A container that the browser does not play can be downloaded all the same.
  }
  source.removeAttribute("src");
  return frames;
}
