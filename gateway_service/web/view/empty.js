// The page before there is a photo: limits, the sample, before and after; and files that are dropped or pasted.

import { droppedFiles } from "../media/dropped.js";
import { say, sayBytes } from "../text/words.js";
import { at, image, input } from "./dom.js";

/** @typedef {import("../commands.js").Commands} Commands */
/** @typedef {import("../state/types.js").State} State */

/** @param {Commands} commands */
export function mountEmpty(commands) {
  const { store } = commands;
  const show = (/** @type {State} */ state) => {
    const isEmpty = state.photos.length === 0;
    at("empty").hidden = !isEmpty;
    at("work").hidden = isEmpty;
    document.body.classList.toggle("working", !isEmpty);
    const { capabilities } = state;
    at("limits").textContent = capabilities === null ? "" : limitsText(capabilities);
    input("files").accept = "image/*,.heic,.heif,.avif,.tif,.tiff,video/*,.mkv";
    if (capabilities === null) return;
    at("key-open").hidden = !capabilities.keys;
    at("link-api").hidden = !capabilities.docs;
  };
  store.subscribe((state, previous) => {
    show(state);
    // What had the focus is gone.
    if (state.photos.length === 0 && previous.photos.length > 0) at("choose").focus();
    if (state.photos.length > 0 && previous.photos.length === 0) at("list").focus({ preventScroll: true });
  });

  const range = input("demo-range");
  range.addEventListener("input", () => {
    image("demo-before").style.clipPath = `inset(0 ${100 - Number(range.value)}% 0 0)`;
    at("demo-line").style.left = `${range.value}%`;
  });
  at("sample").addEventListener("click", async () => {
    const response = await fetch("web/sample/sample.jpg");
    commands.addFiles([new File([await response.blob()], "sample.jpg", { type: "image/jpeg" })]);
  });
  for (const name of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("over", name === "dragover");
      if (name === "drop") droppedFiles(event.dataTransfer).then((files) => commands.addFiles(files));
    });
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) commands.addFiles(files);
  });
  return { refresh: () => show(store.state) };
}

/** @param {import("../state/types.js").Capabilities} capabilities */
function limitsText({ photo, video }) {
  const names = photo.media_types.map((type) => type.replace("image/", "").toUpperCase());
  const pictures = say("limits_photo", { size: sayBytes(photo.max_bytes), pixels: Math.round(photo.max_pixels / 1e6), formats: names.join(", ") });
  return video === null ? pictures : `${pictures} ${say("limits_video", { size: sayBytes(video.max_bytes), minutes: Math.round(video.max_seconds / 60) })}`;
}
