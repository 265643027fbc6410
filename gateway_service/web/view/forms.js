// The forms for options and style, made of what this server offers.

import { chosen } from "../state/actions.js";
import { isKnown, say, sayClass } from "../text/words.js";
import { at, make } from "./dom.js";

/** @typedef {import("../commands.js").Commands} Commands */
/** @typedef {import("../state/types.js").State} State */

const COLOURS = ["#000000", "#ffffff"];
/** Where a colour of one's own begins. */
const OWN = "#808080";
const FALLBACK = /** @type {Record<string, string[]>} */ ({
  classes: ["face", "plate"], quality: ["rapid", "fast", "balanced", "thorough"], metadata: ["strip", "keep_safe", "coarse_gps"],
  output: ["same", "jpeg", "png", "webp"], style: ["mosaic", "solid", "pixel_noise", "blur"], shape: ["box", "ellipse"],
});

/** @param {Commands} commands */
export function mountForms(commands) {
  const { store } = commands;
  let made = "";

  const build = () => {
    const offered = { ...FALLBACK, ...store.state.capabilities?.options };
    const most = store.state.capabilities?.limits.max_cells ?? 5;
    const classes = () => {
      const legend = make("legend", { textContent: say("hide_what") });
      return make("fieldset", {}, legend, ...(offered["classes"] ?? []).map((value) => (
        make("label", { className: "check" }, make("input", { type: "checkbox", name: "classes", value }), sayClass(value, true)))));
    };
    const draw = at("draw-class");
    for (const option of draw.querySelectorAll("[data-extra]")) option.remove();
    for (const value of (offered["classes"] ?? []).filter((name) => name !== "face" && name !== "plate")) {
      const option = make("option", { value, textContent: sayClass(value) });
      option.dataset["extra"] = "";
      draw.querySelector("[value=mask]")?.before(option);
    }
    at("start-options").replaceChildren(classes(), picker("quality", offered["quality"] ?? []));
    at("options").replaceChildren(
      make("p", { className: "small", textContent: say("options_help") }), classes(),
      ...["quality", "metadata", "output"].map((name) => picker(name, offered[name] ?? [])));
    const cells = Array.from({ length: most }, (_, index) => String(index + 1));
    at("style").replaceChildren(picker("style", ["", ...(offered["style"] ?? [])]), picker("cells", ["", ...cells]), colours(), picker("shape", ["", ...(offered["shape"] ?? [])]));
  };

  const show = (/** @type {State} */ state) => {
    const name = `${say("quality")}${JSON.stringify(state.capabilities?.options)}`;
    if (name !== made) build();
    made = name;
    for (const id of ["options", "start-options"]) fill(at(id), state.options);
    const style = chosen(state)?.style;
    if (style === undefined) return;
    fill(at("style"), { ...style, color: style.color ?? "" });
    const part = (/** @type {string} */ name) => at("style").querySelector(`.of-${name}`);
    part("cells")?.toggleAttribute("hidden", !["", "mosaic", "pixel_noise"].includes(style.style));
    part("color")?.toggleAttribute("hidden", style.style !== "solid");
    part("own")?.toggleAttribute("hidden", ["", ...COLOURS].includes(style.color ?? ""));
  };

  for (const id of ["options", "start-options"]) {
    at(id).addEventListener("submit", (event) => event.preventDefault());
    at(id).addEventListener("change", (event) => {
      const { target } = event;
      if (target instanceof HTMLSelectElement) store.update((state) => ({ ...state, options: { ...state.options, [target.name]: target.value } }));
      if (!(target instanceof HTMLInputElement)) return;
      const ticked = [...at(id).querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
      // Nothing ticked would mean everything: the last one stays ticked.
      if (ticked.length === 0) target.checked = true;
      else store.update((state) => ({ ...state, options: { ...state.options, classes: ticked } }));
    });
  }
  at("style").addEventListener("submit", (event) => event.preventDefault());
  at("style").addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement) commands.setStyle({ [event.target.name]: event.target.value });
  });
  store.subscribe(show);
  return { refresh: () => show(store.state) };
}

/** The colour of `solid`: one of a few, or any. */
function colours() {
  const label = picker("color", ["", ...COLOURS, OWN]);
  const own = make("input", { type: "color", name: "color", className: "of-own", value: OWN });
  own.setAttribute("aria-label", say("color_own"));
  return make("div", { className: "of-color grid" }, label, own);
}

/** @param {string} name @param {string[]} values */
function picker(name, values) {
  const options = values.map((value) => {
    const key = `${name}_${value === OWN ? "own" : value.replace("#", "") || "default"}`;
    return make("option", { value, textContent: isKnown(key) ? say(key) : value.replaceAll("_", " ") });
  });
  return make("label", { className: `of-${name}` }, make("span", { textContent: say(name) }), make("select", { name }, ...options));
}

/** @param {HTMLElement} form @param {Record<string, string | string[]>} values */
function fill(form, values) {
  for (const control of form.querySelectorAll("select")) {
    const value = values[control.name];
    if (typeof value !== "string" || control.value === value) continue;
    control.value = value;
    // A colour that is none of the few.
    if (control.value !== value) control.value = OWN;
  }
  for (const own of form.querySelectorAll("input[type=color]")) if (own instanceof HTMLInputElement && values["color"]) own.value = String(values["color"]);
  for (const box of form.querySelectorAll("input[type=checkbox]")) if (box instanceof HTMLInputElement) box.checked = values["classes"]?.includes(box.value) ?? false;
}
