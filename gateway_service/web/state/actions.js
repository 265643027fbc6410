// Changes of the list of photos. Each takes a state and returns the next one; none changes its argument.

import { asked, isFailed, isTooLarge, needsReview } from "./photo.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Photo} Photo */

/** @returns {State} */
export function initialState() {
  return {
    photos: [], chosenId: null, filter: "all", unerased: [],
    options: { classes: ["face", "plate"], quality: "balanced", metadata: "strip", output: "same" },
    style: { style: "", cells: "", shape: "", color: "" }, areas: [], capabilities: null, server: "ok", kept: false,
    boxId: null, editing: false, drawing: null, drawClass: "face", framesHidden: false, panelOpen: true, compare: 0, overview: false, panorama: false,
  };
}

/** @param {State} state @param {string | null} id @returns {Photo | null} */
export const find = (state, id) => state.photos.find((photo) => photo.id === id) ?? null;

/** @param {State} state @returns {Photo | null} */
export const chosen = (state) => find(state, state.chosenId);

/** @param {State} state @param {Photo[]} photos @returns {State} */
export function add(state, photos) {
  if (photos.length === 0) return state;
  return { ...state, photos: [...state.photos, ...photos], chosenId: state.chosenId ?? photos[0]?.id ?? null };
}

/** Replace parts of one photo.
 * @param {State} state @param {string} id @param {Partial<Photo>} part @returns {State} */
export function patch(state, id, part) {
  return change(state, id, (photo) => ({ ...photo, ...part }));
}

/** @param {State} state @param {string} id @param {(photo: Photo) => Photo} make @returns {State} */
export function change(state, id, make) {
  const index = state.photos.findIndex((photo) => photo.id === id);
  const before = state.photos[index];
  if (before === undefined) return state;
  const after = make(before);
  return after === before ? state : { ...state, photos: state.photos.with(index, after) };
}

/** Take a photo out; its neighbour is chosen instead.
 * @param {State} state @param {string} id @returns {State} */
export function remove(state, id) {
  const index = state.photos.findIndex((photo) => photo.id === id);
  if (index === -1) return state;
  const photos = state.photos.toSpliced(index, 1);
  const neighbour = photos[Math.min(index, photos.length - 1)] ?? null;
  const chosenId = state.chosenId === id ? neighbour?.id ?? null : state.chosenId;
  const areas = state.areas.filter((area) => area.photoId !== id);
  return { ...state, photos, areas, chosenId, ...(photos.length === 0 ? { filter: "all", editing: false, drawing: null, overview: false, panorama: false } : {}) };
}

/** Forget every photo and every area.
 * @param {State} state @returns {State} */
export function clear(state) {
  return { ...state, photos: [], chosenId: null, filter: "all", areas: [], editing: false, drawing: null, overview: false, panorama: false };
}

/** @param {State} state @param {string} id @returns {State} */
export function choose(state, id) {
  if (state.chosenId === id || find(state, id) === null) return state;
  return { ...state, chosenId: id, boxId: null, drawing: null, compare: 0, panorama: false };
}

/** Return the photos of a filter, in the order of adding; the chosen one stays until another is chosen.
 * @param {State} state @returns {readonly Photo[]} */
export function filtered(state) {
  if (state.filter === "all") return state.photos;
  const keep = state.filter === "review" ? needsReview : isFailed;
  return state.photos.filter((photo) => keep(photo) || photo.id === state.chosenId);
}

/** Return the photo `step` places on in the shown list.
 * @param {State} state @param {number} step @returns {Photo | null} */
export function neighbour(state, step) {
  const photos = filtered(state);
  const index = photos.findIndex((photo) => photo.id === state.chosenId);
  return photos[Math.min(Math.max(index + step, 0), photos.length - 1)] ?? null;
}

/** Return the next photo (`step` 1) or the previous one (-1) that a person has to look at; the list is a circle.
 * @param {State} state @param {1 | -1} step @returns {Photo | null} */
export function nextToReview(state, step) {
  const { photos } = state;
  const start = photos.findIndex((photo) => photo.id === state.chosenId);
  for (let distance = 1; distance <= photos.length; distance += 1) {
    const photo = photos[(start + step * distance + photos.length * distance) % photos.length];
    if (photo !== undefined && photo.id !== state.chosenId && needsReview(photo)) return photo;
  }
  return null;
}

/** Say that a person has looked at the chosen photo, and go on to the next that needs it.
 * @param {State} state @returns {State} */
export function approve(state) {
  if (state.chosenId === null) return state;
  const approved = patch(state, state.chosenId, { approved: true });
  const next = nextToReview(approved, 1);
  return next === null ? approved : choose(approved, next.id);
}

/** Ask again for everything that has failed.
 * @param {State} state @returns {State} */
export function retryFailed(state) {
  return { ...state, photos: state.photos.map((photo) => (isFailed(photo) && !isTooLarge(photo) ? retried(photo) : photo)) };
}

/** @param {Photo} photo @returns {Photo} */
export const retried = (photo) => asked(photo, photo.resultType === "" ? "blur" : "redact");
