// The panel beside the picture: how the photo stands, its boxes, and what was done.

import { chosen, nextToReview } from "../state/actions.js";
import { areasOf } from "../state/areas.js";
import { inReadingOrder, toggle, toggleAll } from "../state/edits.js";
import { hasResult, isStale, needsReview, openBoxes, standing } from "../state/photo.js";
import { boxName, boxOrigin, longName } from "../text/boxes.js";
import { say, sayProblem } from "../text/words.js";
import { at, attributes, button, make } from "./dom.js";
import { factsOf } from "./facts.js";

/** @typedef {import("../state/types.js").Photo} Photo */
/** @typedef {import("../state/types.js").State} State */
/** @typedef {import("../commands.js").Commands} Commands */

/** Of these files the server says the same each time. */
const FAULTS_OF_FILES = new Set([
  "photo_too_large", "too_many_pixels", "too_many_scans", "unsupported_format", "unsupported_codec", "video_too_long", "undecodable_photo",
  "truncated_photo", "animated_photo", "empty_photo", "file_gone", "mask_needs_preview",
]);

export class Panel {
  #commands;
  /** @type {Photo | null} */ #shown = null;
  #list = at("box-list");

  /** @param {Commands} commands @param {(id: string) => void} onChoose a box of the list was chosen */
  constructor(commands, onChoose) {
    this.#commands = commands;
    commands.store.subscribe((state) => this.#show(state));
    const click = (/** @type {string} */ id, /** @type {() => void} */ act) => at(id).addEventListener("click", act);
    click("approve", () => commands.approve());
    click("next-review", () => commands.stepToReview(1));
    click("harder", () => commands.lookHarder());
    click("style-all", () => commands.styleForAll());
    click("remove", () => commands.remove());
    click("failed-remove", () => commands.remove());
    click("failed-retry", () => commands.apply());
    click("all-boxes", () => commands.edit((photo) => toggleAll(photo, openBoxes(photo).length > 0 || photo.boxes.some((box) => !box.on))));
    this.#list.addEventListener("click", (event) => {
      const id = rowOf(event.target)?.dataset["id"];
      if (id !== undefined) commands.edit((photo) => toggle(photo, id));
    });
    this.#list.addEventListener("keydown", (event) => this.#key(event, onChoose));
    this.#list.addEventListener("pointerover", (event) => { const id = rowOf(event.target)?.dataset["id"]; if (id) commands.store.set({ boxId: id }); });
    at("area-list").addEventListener("click", (event) => {
      const id = event.target instanceof HTMLElement ? event.target.dataset["area"] : undefined;
      if (id !== undefined) commands.removeArea(id);
    });
  }

  /** Show everything anew: the language has changed. */
  refresh() {
    this.#shown = null;
    this.#show(this.#commands.store.state);
  }

  /** @param {State} state */
  #show(state) {
    document.body.classList.toggle("panel-closed", !state.panelOpen);
    const photo = chosen(state);
    if (photo === null) {
      this.#shown = null;
      return;
    }
    // Over the original it would be said of the wrong picture.
    at("verdict").hidden = state.compare > 0;
    button("next-review").disabled = nextToReview(state, 1) === null;
    this.#areas(state, photo);
    if (photo !== this.#shown) this.#dress(photo);
    for (const row of this.#list.children) row.classList.toggle("current", row instanceof HTMLElement && row.dataset["id"] === state.boxId);
  }

  /** @param {Photo} photo */
  #dress(photo) {
    const before = this.#shown;
    this.#shown = photo;
    at("panel-name").textContent = photo.name;
    const { tone, key, n } = standing(photo);
    at("explain").className = `notice ${tone}`;
    at("explain").textContent = explanation(photo, this.#commands.store.state.capabilities);
    at("verdict").className = `pill ${tone}`;
    at("verdict").textContent = say(key, { n });
    const isReady = hasResult(photo) && photo.job === null;
    at("decide").hidden = !hasResult(photo);
    at("photo-title").textContent = photo.name;
    button("approve").classList.toggle("primary", needsReview(photo));
    const isFailed = photo.problem !== null && photo.job === null && !hasResult(photo);
    at("failed").hidden = !isFailed;
    at("failed-text").textContent = isFailed ? at("explain").textContent : "";
    button("failed-retry").hidden = FAULTS_OF_FILES.has(photo.problem?.code ?? "");
    at("stage").classList.toggle("failed", isFailed);
    button("approve").disabled = !isReady || photo.approved || isStale(photo);
    button("harder").disabled = photo.job !== null || !hasResult(photo);
    const canEdit = hasResult(photo) && photo.kind !== "video";
    for (const id of ["list-title", "style-title"]) at(id).closest("section")?.toggleAttribute("hidden", !canEdit);
    if (before?.boxes !== photo.boxes || before.id !== photo.id) this.#rows(photo);
    if (before?.report !== photo.report || before.id !== photo.id) at("facts").replaceChildren(...factsOf(photo));
    at("report").hidden = !hasResult(photo);
  }

  /** @param {Photo} photo */
  #rows(photo) {
    const focused = rowOf(document.activeElement)?.dataset["id"];
    // What a second look still saw comes first.
    const [residual, others] = [photo.boxes.filter((box) => box.origin === "residual"), photo.boxes.filter((box) => box.origin !== "residual")];
    const rows = [...inReadingOrder(residual), ...inReadingOrder(others)].map((box, index) => {
      const row = make("div", { className: `${box.on ? "on " : ""}${box.origin}`, tabIndex: (focused ?? "") === box.id || (focused === undefined && index === 0) ? 0 : -1 },
        make("span", { className: "dot" }),
        make("span", {}, boxName(photo, box), " ", make("span", { className: "origin", textContent: boxOrigin(box) })),
        make("span", { className: "off", textContent: box.on ? "" : say("box_off") }));
      row.dataset["id"] = box.id;
      attributes(row, { role: "checkbox", "aria-checked": String(box.on), "aria-label": longName(photo, box) });
      return row;
    });
    attributes(this.#list, { role: "group", "aria-labelledby": "list-title" });
    this.#list.replaceChildren(...rows);
    if (focused !== undefined) rows.find((row) => row.dataset["id"] === focused)?.focus();
    at("no-boxes").hidden = rows.length > 0;
    const isAnyOff = photo.boxes.some((box) => !box.on);
    button("all-boxes").hidden = rows.length < 2;
    at("all-boxes").textContent = say(isAnyOff ? "all_on" : "all_off");
  }

  /** @param {State} state @param {Photo} photo */
  #areas(state, photo) {
    const areas = areasOf(state.areas, photo);
    const list = at("area-list");
    const name = `${areas.map((area) => area.id).join()}${say("areas_title")}`;
    at("areas-part").hidden = areas.length === 0;
    if (list.dataset["shown"] === name) return;
    list.dataset["shown"] = name;
    list.replaceChildren(...areas.map((area) => {
      const remove = make("button", { type: "button", className: "link", textContent: say("box_remove") });
      remove.dataset["area"] = area.id;
      return make("li", {}, say(`area_${area.kind}${area.photoId === undefined ? "" : "_video"}`), remove);
    }));
  }

  /** @param {KeyboardEvent} event @param {(id: string) => void} onChoose */
  #key(event, onChoose) {
    const row = rowOf(event.target);
    if (row === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = /** @type {HTMLElement[]} */ ([...this.#list.children]);
    const index = rows.indexOf(row);
    const targets = /** @type {Record<string, number>} */ ({ ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 });
    const target = targets[event.key];
    if (target !== undefined) {
      const next = rows[(target + rows.length) % rows.length];
      row.tabIndex = -1;
      if (next) { next.tabIndex = 0; next.focus(); }
    } else if (event.key === " ") this.#commands.edit((photo) => toggle(photo, row.dataset["id"] ?? ""));
    else if (event.key === "Enter") onChoose(row.dataset["id"] ?? "");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowOf(target) {
  const row = target instanceof Element ? target.closest("#box-list > div") : null;
  return row instanceof HTMLElement ? row : null;
}

/** Say how a photo stands, and what can be done about it.
 * @param {Photo} photo @param {State["capabilities"]} capabilities */
function explanation(photo, capabilities) {
  if (photo.problem !== null && photo.job === null) return sayProblem(photo, capabilities);
  const { key, n } = standing(photo);
  // A second look is claimed only where the report says that one was taken.
  const isLooked = Array.isArray(photo.report["residual"]);
  const verdict = key === "state_clean" && !isLooked ? "verdict_plain" : key.replace("state_", "verdict_");
  if (needsReview(photo) || photo.job === null) return say(verdict, { n, open: openBoxes(photo).length });
  return say(key, { n });
}
