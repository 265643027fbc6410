// The banner, the problem line, the spoken line, and the dialogs for key and forgetting.

import { key } from "../server/http.js";
import { chosen } from "../state/actions.js";
import { isUnsaved, standing } from "../state/photo.js";
import { say } from "../text/words.js";
import { as, at, button, dialog, input } from "./dom.js";

/** @typedef {import("../commands.js").Commands} Commands */
/** @typedef {import("../state/types.js").State} State */

/** @param {Commands} commands */
export function mountNotices(commands) {
  const { store } = commands;
  commands.announce = (text) => { at("announce").textContent = text; };
  commands.complain = (text) => {
    at("problem").hidden = text === "";
    at("problem-text").textContent = text;
  };
  at("problem-close").addEventListener("click", () => commands.complain(""));

  const show = (/** @type {State} */ state) => {
    const isTrouble = state.server === "away" || state.server === "busy";
    at("banner").hidden = !isTrouble;
    at("banner").className = "notice care";
    const text = isTrouble ? say(`banner_${state.server}`, { n: state.photos.filter((photo) => photo.job !== null).length }) : "";
    if (at("banner").textContent !== text) at("banner").textContent = text;
    showWaiting(state);
    at("kept").textContent = say(state.kept ? "kept_yes" : "kept_no");
  };
  store.subscribe((state, previous) => {
    show(state);
    if (state.server === "key" && previous.server !== "key") askForKey(key.get() !== "");
    if (state.server === "ok" && previous.server === "away") commands.announce(say("announce_back"));
  });
  addEventListener("beforeunload", (event) => { if (store.state.photos.some(isUnsaved)) event.preventDefault(); });

  at("key-open").addEventListener("click", () => askForKey(false));
  dialog("key-dialog").addEventListener("close", () => {
    if (dialog("key-dialog").returnValue === "save") {
      key.set(input("key").value.trim());
      commands.runner.resume();
    }
    input("key").value = "";
  });
  at("forget").addEventListener("click", () => {
    const n = store.state.photos.length;
    at("forget-text").textContent = say("forget_text", { n, open: store.state.photos.filter(isUnsaved).length });
    dialog("forget-dialog").returnValue = "";
    dialog("forget-dialog").showModal();
  });
  dialog("forget-dialog").addEventListener("close", () => { if (dialog("forget-dialog").returnValue === "forget") commands.forgetAll(); });
  return { refresh: () => show(store.state) };
}

/** @param {boolean} isWrong */
function askForKey(isWrong) {
  button("key-open").hidden = false;
  at("key-wrong").hidden = !isWrong;
  dialog("key-dialog").returnValue = "";
  if (!dialog("key-dialog").open) dialog("key-dialog").showModal();
}

/** Say over the picture that it is being worked on. @param {State} state */
function showWaiting(state) {
  const photo = chosen(state);
  const isWaiting = photo !== null && photo.job !== null && (photo.resultType === "" || photo.kind === "video");
  at("wait").hidden = !isWaiting;
  if (!isWaiting || photo.job === null) return;
  const { key: name, n } = standing(photo);
  const { phase, share } = photo.job;
  const isMeasured = share > 0 && share < 1 && (phase === "sending" || photo.kind === "video");
  at("wait-text").textContent = say(name, { n }) + (isMeasured ? ` ${Math.round(100 * share)} %` : "");
  const bar = as("wait-bar", HTMLProgressElement);
  if (isMeasured) bar.value = share;
  else bar.removeAttribute("value");
}
