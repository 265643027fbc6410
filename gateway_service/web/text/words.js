// The texts of the page in the language of the person. A language is loaded when it is wanted.

import { en } from "./en.js";

/** @typedef {Record<string, string>} Words */

const KEPT = "obscura-language";
/** @type {Record<string, () => Promise<Words>>} */
const LOADERS = {
  en: async () => en,
  ja: async () => (await import("./ja.js")).ja,
  ko: async () => (await import("./ko.js")).ko,
  ru: async () => (await import("./ru.js")).ru,
};
export const LANGUAGES = Object.keys(LOADERS);

let current = "en";
/** @type {Words} */
let words = en;

export const language = () => current;

/** Return the language that was chosen here before, or else the browser's. */
export function preferred() {
  const wanted = [localStorage.getItem(KEPT) ?? "", ...navigator.languages.map((tag) => tag.split("-")[0] ?? "")];
  return wanted.find((tag) => tag in LOADERS) ?? "en";
}

/** Load every text of a language.
 * @param {string} tag @returns {Promise<Words>} */
export const load = (tag) => (LOADERS[tag] ?? LOADERS["en"] ?? (async () => en))();

/** Return the text of `key` with its {places} filled; what a language lacks is said in English.
 * @param {string} key @param {Record<string, unknown>} [places] */
export function say(key, places = {}) {
  const text = words[key] ?? en[key] ?? key;
  return text.replaceAll(/\{(\w+)\}/g, (whole, name) => String(places[name] ?? whole));
}

/** @param {string} key */
export const isKnown = (key) => key in en;

let classTitles = /** @type {Record<string, string>} */ ({});

/** Set the names of the classes that this server offers besides, in English. @param {Record<string, string>} titles */
export function nameClasses(titles) {
  classTitles = titles;
}

/** Return the name of a class of objects, or of several of them. @param {string} name */
export function sayClass(name, areMany = false) {
  const key = areMany ? `${name}s` : name;
  return isKnown(key) ? say(key) : classTitles[name] ?? name.replaceAll("_", " ");
}

/** Return a person's words for why a photo has failed.
 * @param {import("../state/types.js").Photo} photo @param {import("../state/types.js").Capabilities | null} capabilities */
export function sayProblem({ problem, bytes, kind }, capabilities) {
  if (problem === null) return "";
  const known = `error_${problem.code}`;
  const limit = (kind === "video" ? capabilities?.video : capabilities?.photo)?.max_bytes;
  return isKnown(known) ? say(known, { size: sayBytes(bytes), limit: limit ? sayBytes(limit) : "?" }) : say("error", { message: problem.message, code: problem.code });
}

/** @param {number} bytes */
export function sayBytes(bytes) {
  const megabytes = bytes / 2 ** 20;
  if (megabytes >= 1024) return `${Math.round(megabytes / 102.4) / 10} GB`;
  return megabytes >= 10 ? `${Math.round(megabytes)} MB` : `${Math.max(0.1, megabytes).toFixed(1)} MB`;
}

/** Write every fixed text of the page in a language, and keep the choice where a person made it.
 * @param {string} tag @param {boolean} [isChoice] */
export async function speak(tag, isChoice = false) {
  words = await load(tag);
  current = tag in LOADERS ? tag : "en";
  if (isChoice) localStorage.setItem(KEPT, current);
  document.documentElement.lang = current;
  translate(document);
}

/** @param {ParentNode} part */
export function translate(part) {
  const each = (/** @type {string} */ name, /** @type {(node: HTMLElement, text: string) => void} */ write) => {
    for (const node of part.querySelectorAll(`[data-${name}]`)) {
      if (node instanceof HTMLElement) write(node, say(node.dataset[name] ?? ""));
    }
  };
  each("text", (node, text) => { node.textContent = text; });
  each("title", (node, text) => { node.title = text; });
  each("alt", (node, text) => { node.setAttribute("alt", text); });
  each("label", (node, text) => { if (!node.classList.contains("box")) node.setAttribute("aria-label", text); });
}
