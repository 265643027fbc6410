// Keys of the whole page. They can be switched off, and never act while something is typed.

import { say } from "../text/words.js";
import { at, dialog, input, make } from "./dom.js";

const KEPT = "obscura-shortcuts";
/** Keys as they are shown, and the text that says what they do. @type {[string, string][]} */
const SHOWN = [
  ["N", "help_next"], ["P", "help_previous"], ["Space", "help_approve"], ["X", "help_box_off"], ["D", "help_draw"], ["E", "help_edit"],
  ["H", "help_frames"], ["G", "help_overview"], ["B", "help_before"], ["← →", "help_photos"], ["Ctrl Z", "help_undo"], ["Ctrl Shift Z", "help_redo"],
  ["Enter", "help_apply"], ["S", "help_download"], ["+ − 0", "help_zoom"], ["Tab", "help_boxes"], ["M", "help_move"], ["A", "help_area"], ["Delete", "help_delete"], ["Esc", "help_escape"], ["?", "help_help"],
];

/** @param {import("../commands.js").Commands} commands @param {import("./viewer.js").Viewer} viewer @param {(kind: string) => void} drawByKeyboard */
export function mountShortcuts(commands, viewer, drawByKeyboard) {
  const { store } = commands;
  let areOn = localStorage.getItem(KEPT) !== "off";
  input("shortcuts-on").checked = areOn;
  input("shortcuts-on").addEventListener("change", () => {
    areOn = input("shortcuts-on").checked;
    localStorage.setItem(KEPT, areOn ? "on" : "off");
  });
  const help = () => { if (!dialog("help").open) dialog("help").showModal(); };
  at("help-open").addEventListener("click", help);
  let isPointed = false;
  addEventListener("pointermove", () => { isPointed = true; }, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Tab" || event.key.startsWith("Arrow")) isPointed = false; }, { capture: true });

  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const keys = {
    n: () => commands.stepToReview(1),
    p: () => commands.stepToReview(-1),
    " ": () => commands.approve(),
    x: () => commands.toggleCurrent(),
    d: () => (isPointed ? commands.draw(store.state.drawClass) : drawByKeyboard(store.state.drawClass)),
    e: () => commands.toggleEditing(),
    h: () => store.update((state) => ({ ...state, framesHidden: !state.framesHidden })),
    a: () => commands.maskFromBox(),
    g: () => {
      commands.toggleOverview();
      at("list").focus({ preventScroll: true });
    },
    b: () => at("before").click(),
    s: (event) => at(event.shiftKey ? "zip" : "download").click(),
    enter: () => commands.apply(),
    "?": help,
    arrowleft: () => commands.step(-1),
    arrowright: () => commands.step(1),
    escape: () => store.update((state) => (
      state.drawing !== null ? { ...state, drawing: null } : { ...state, editing: false, compare: 0, overview: false })),
  };

  document.addEventListener("keydown", (event) => {
    if (store.state.photos.length === 0 || event.defaultPrevented || event.altKey || document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const name = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (name !== "z" && name !== "y") return;
      event.preventDefault();
      if (name === "y" || event.shiftKey) commands.redo();
      else commands.undo();
      return;
    }
    if (!areOn && event.key.length === 1) return;
    // Arrows choose among radio buttons.
    if (name.startsWith("arrow") && event.target instanceof HTMLInputElement) return;
    if ((name === " " || name === "enter") && isControl(event.target, name)) return;
    const act = keys[name];
    if (act === undefined && !viewer.key(event)) return;
    event.preventDefault();
    act?.(event);
  });
  return {
    refresh: () => at("help-list").replaceChildren(...SHOWN.flatMap(([name, text]) => [
      make("dt", {}, make("kbd", { textContent: name })), make("dd", { textContent: say(text) })])),
  };
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
    || (target instanceof HTMLInputElement && !["checkbox", "radio", "file"].includes(target.type)) || target instanceof HTMLVideoElement;
}

/** Whether a control has a use of its own for Space or Enter; a link has none for Space.
 * @param {EventTarget | null} target @param {string} name */
function isControl(target, name) {
  const controls = `button, summary, input, [role=checkbox], [role=slider]${name === "enter" ? ", a" : ""}`;
  return target instanceof Element && target.closest(controls) !== null;
}
