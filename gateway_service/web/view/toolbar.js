// The tools above the picture and, on phones, below it.

import { chosen } from "../state/actions.js";
import { isArea } from "../state/areas.js";
import { hasResult, isStale, resultName } from "../state/photo.js";
import { say } from "../text/words.js";
import { at, attributes, button, input, link, select } from "./dom.js";

/** @typedef {import("../commands.js").Commands} Commands */

/** @param {Commands} commands @param {import("./viewer.js").Viewer} viewer @param {(kind: string) => void} drawByKeyboard */
export function mountToolbar(commands, viewer, drawByKeyboard) {
  const { store } = commands;
  const click = (/** @type {string[]} */ ids, /** @type {(event: MouseEvent) => void} */ act) => ids.forEach((id) => at(id).addEventListener("click", act));
  const toggleBefore = () => store.update((state) => ({ ...state, compare: state.compare > 0.5 ? 0 : 1, editing: false, drawing: null }));

  click(["add", "choose"], () => input("files").click());
  input("files").addEventListener("change", () => {
    commands.addFiles([...(input("files").files ?? [])]);
    input("files").value = "";
  });
  click(["undo"], () => commands.undo());
  click(["redo"], () => commands.redo());
  click(["before", "sticky-before"], toggleBefore);
  click(["edit", "sticky-edit"], () => commands.toggleEditing());
  click(["draw"], (event) => {
    // Without a pointer there is nothing to drag: the box appears, and arrows move it.
    if (event.detail === 0) drawByKeyboard(store.state.drawClass);
    else commands.draw(store.state.drawClass);
  });
  select("draw-class").addEventListener("change", () => {
    store.update((state) => ({ ...state, drawClass: select("draw-class").value, drawing: state.drawing === null ? null : select("draw-class").value }));
  });
  click(["frames"], () => store.update((state) => ({ ...state, framesHidden: !state.framesHidden })));
  click(["fit"], () => viewer.fit());
  click(["apply", "sticky-apply"], () => commands.apply());
  click(["download", "sticky-download"], (event) => {
    if (event.currentTarget instanceof Element && event.currentTarget.getAttribute("aria-disabled") === "true") event.preventDefault();
    else commands.downloaded();
  });
  click(["zip"], () => { commands.downloadAll(); });
  click(["retry"], () => commands.retryFailed());
  click(["panel-toggle", "panel-close", "sticky-panel"], () => store.update((state) => ({ ...state, panelOpen: !state.panelOpen })));
  click(["sphere-toggle"], () => store.update((state) => ({ ...state, panorama: !state.panorama, editing: false, drawing: null })));

  for (const id of ["tools", "sticky", "panel"]) {
    // After a click keys are for the picture again, and not for the button; whoever uses the keyboard stays where they are.
    at(id).addEventListener("click", (event) => {
      if (event.detail > 0 && event.target instanceof Element && event.target.closest("button, a")) at("stage").focus({ preventScroll: true });
    });
  }
  let shown = "-";
  store.subscribe(async (state) => {
    const photo = chosen(state);
    const isReady = photo !== null && hasResult(photo);
    const isPicture = isReady && photo.kind !== "video";
    const pressed = (/** @type {string} */ id, /** @type {boolean} */ on) => attributes(at(id), { "aria-pressed": String(on) });
    at("tools").hidden = photo === null;
    for (const id of ["before", "sticky-before"]) { pressed(id, isReady && state.compare > 0.5); button(id).disabled = !isReady; }
    for (const id of ["edit", "sticky-edit"]) { pressed(id, state.editing); button(id).disabled = !isReady; }
    at("zoom").hidden = !isPicture;
    pressed("draw", state.drawing !== null);
    pressed("frames", state.framesHidden);
    pressed("sphere-toggle", state.panorama);
    button("draw").disabled = !isReady;
    for (const id of ["frames", "fit"]) button(id).disabled = !isPicture;
    button("undo").disabled = !isPicture || photo.past.length === 0;
    button("redo").disabled = !isPicture || photo.future.length === 0;
    for (const id of ["apply", "sticky-apply"]) button(id).disabled = !(isPicture && (isStale(photo) || photo.problem !== null));
    for (const id of ["panel-toggle", "sticky-panel"]) attributes(at(id), { "aria-expanded": String(state.panelOpen) });
    button("zip").disabled = !state.photos.some((item) => hasResult(item) && item.job === null);
    at("hint").hidden = state.drawing === null;
    const hint = photo?.kind === "video" ? "hint_video" : isArea(state.drawing) ? "hint_area" : "hint_draw";
    at("hint").textContent = state.drawing === null ? "" : say(hint);
    if (select("draw-class").value !== state.drawClass) select("draw-class").value = state.drawClass;
    // What is downloaded is what is shown: while a change is on its way, there is nothing to take.
    const isCurrent = isReady && photo.job === null && !isStale(photo);
    const name = isCurrent ? `${photo.id}/${photo.version}` : "";
    if (name === shown) return;
    shown = name;
    const address = isCurrent ? await commands.files.address(photo.id, "result") : null;
    if (shown !== name) return;
    for (const id of ["download", "sticky-download"]) {
      attributes(link(id), { href: address, download: address && photo ? resultName(photo) : null, "aria-disabled": address ? null : "true" });
    }
  });
}
