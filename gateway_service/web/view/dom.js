// Elements of the page by their id, each of the kind that its id promises.

/** @param {string} id @returns {HTMLElement} */
export function at(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element ${id}`);
  return element;
}

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function as(id, kind) {
  const element = at(id);
  if (!(element instanceof kind)) throw new TypeError(`element ${id} is no ${kind.name}`);
  return element;
}

export const button = (/** @type {string} */ id) => as(id, HTMLButtonElement);
export const image = (/** @type {string} */ id) => as(id, HTMLImageElement);
export const input = (/** @type {string} */ id) => as(id, HTMLInputElement);
export const select = (/** @type {string} */ id) => as(id, HTMLSelectElement);
export const link = (/** @type {string} */ id) => as(id, HTMLAnchorElement);
export const dialog = (/** @type {string} */ id) => as(id, HTMLDialogElement);

/** Make an element with properties and children.
 * @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(Node | string)[]} children @returns {HTMLElementTagNameMap[K]} */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** @param {Element} element @param {Record<string, string | null>} attributes null takes one away */
export function attributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

/** @param {number} value @param {number} low @param {number} high */
export const limit = (value, low, high) => Math.min(Math.max(value, low), high);
