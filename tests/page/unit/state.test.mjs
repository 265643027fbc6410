// The state of the page, without a page: node's own test runner.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as actions from "../../../gateway_service/web/state/actions.js";
import { areasOf, sharesOf } from "../../../gateway_service/web/state/areas.js";
import * as edits from "../../../gateway_service/web/state/edits.js";
import * as facts from "../../../gateway_service/web/state/photo.js";
import { Store } from "../../../gateway_service/web/state/store.js";
import { taken } from "../../../gateway_service/web/server/answers.js";
import { isAnimation } from "../../../gateway_service/web/media/kind.js";

const OPTIONS = { classes: ["face"], quality: "balanced", metadata: "strip", output: "same" };
const STYLE = { style: "", cells: "", shape: "", color: "" };
const JPEG = { type: "image/jpeg" };
const FACE = { class: "face", xyxy: [10, 10, 50, 50], confidence: 0.9 };
const OTHER = { class: "face", xyxy: [100, 10, 150, 60], confidence: 0.4 };

function photo(part = {}) {
  return { ...facts.newPhoto({ name: "a.jpg", bytes: 1, kind: "photo", added: 1, options: OPTIONS, style: STYLE, areas: [] }), ...part };
}

function answer(detections, report = {}) {
  return { detections, image: { width: 200, height: 100 }, report: { verdict: "clean", ...report } };
}

const done = (detections = [FACE], report = {}, part = {}) => taken(photo(part), answer(detections, report), JPEG);

test("a photo that is done, with everything hidden, is good and needs nobody", () => {
  const ready = done();
  assert.equal(facts.standing(ready).tone, "good");
  assert.equal(facts.needsReview(ready), false);
  assert.equal(facts.isStale(ready), false);
});

test("nothing is good above something that a detector has seen and that is left open", () => {
  const opened = edits.toggle(done(), done().boxes[0].id);
  for (const ready of [done([FACE], { verdict: "needs_review", suspects: [OTHER] }), done([FACE], { verdict: "clean", residual: [OTHER] })]) {
    assert.equal(facts.standing(ready).tone, "care");
    assert.equal(facts.needsReview(ready), true);
    assert.notEqual(facts.standing({ ...ready, approved: true }).tone, "good");
  }
  const base = done();
  const toggled = edits.toggle(base, base.boxes[0].id);
  const redone = taken(facts.asked(toggled, "redact"), { report: { verdict: "clean" } }, JPEG);
  assert.equal(facts.standing(redone).key, "state_left_open");
  assert.notEqual(facts.standing({ ...redone, approved: true }).tone, "good");
  assert.equal(opened.boxes.length, 1);
});

test("a verdict of needs_review without a box is no good either", () => {
  assert.equal(facts.standing(done([FACE], { verdict: "needs_review" })).tone, "care");
});

test("a picture that nobody has looked at again is not good, nor is a video", () => {
  assert.equal(facts.standing(done([FACE], { residual_check: "off" })).tone, "plain");
  assert.equal(facts.standing(done([], { verdict: "clean", hidden: { face: 2 } }, { kind: "video" })).tone, "plain");
});

test("a face that a person opened stays their decision when the check sees it again", () => {
  const base = done();
  const opened = facts.asked(edits.toggle(base, base.boxes[0].id), "redact");
  const again = taken(opened, { report: { verdict: "needs_review", residual: [{ ...FACE, xyxy: [11, 10, 52, 50] }] } }, JPEG);
  assert.equal(again.boxes.length, 1);
  assert.equal(facts.standing(again).key, "state_left_open");
});

test("every edit can be undone and redone, and ends an approval", () => {
  const ready = { ...done(), approved: true, downloaded: true };
  const off = edits.toggle(ready, ready.boxes[0].id);
  assert.equal(off.approved, false);
  assert.equal(facts.isStale(off), true);
  const drawn = edits.addBox(off, "plate", [60, 60, 90, 90], "mine");
  const back = edits.undo(edits.undo(drawn));
  assert.deepEqual(back.boxes, ready.boxes);
  assert.equal(facts.isStale(back), false);
  assert.deepEqual(edits.redo(edits.redo(back)).boxes, drawn.boxes);
  assert.equal(edits.undo(ready), ready);
});

test("a style can be undone like a box", () => {
  const ready = done();
  const solid = edits.withStyle(ready, { style: "solid" });
  assert.equal(facts.isStale(solid), true);
  assert.equal(facts.isStale(edits.undo(solid)), false);
  assert.equal(edits.redo(edits.undo(solid)).style.style, "solid");
});

test("a drawn box is removed, one that was seen is switched off", () => {
  const drawn = edits.addBox(done(), "face", [60, 60, 90, 90], "mine");
  assert.equal(edits.removeBox(drawn, "mine").boxes.length, 1);
  const off = edits.removeBox(drawn, drawn.boxes[0].id);
  assert.deepEqual(off.boxes.map((box) => box.on), [false, true]);
});

test("boxes stay inside the picture and never turn over", () => {
  const size = { width: 200, height: 100 };
  assert.deepEqual(edits.moved([10, 10, 50, 50], -100, 100, size), [0, 60, 40, 100]);
  assert.deepEqual(edits.resized([10, 10, 50, 50], "nw", 100, 100, size), [46, 46, 50, 50]);
  assert.equal(edits.addBox(done(), "face", [5, 5, 6, 6]).boxes.length, 1);
  assert.deepEqual(edits.addBox(done(), "face", [-20, 5, 60, 400]).boxes[1].xyxy, [0, 5, 60, 100]);
});

test("a harder look adds what is new and leaves decisions alone", () => {
  const base = done();
  const off = edits.toggle(base, base.boxes[0].id);
  const looked = taken(facts.asked(off, "detect"), { detections: [{ ...FACE, xyxy: [11, 11, 51, 51] }, OTHER] }, null);
  assert.deepEqual(looked.boxes.map((box) => box.on), [false, true]);
  assert.equal(looked.resultType, "image/jpeg");
});

test("a style that is chosen while a photo is on its way is applied after it", () => {
  const sent = photo();
  const ready = taken({ ...sent, style: { ...STYLE, style: "solid" } }, answer([FACE]), JPEG);
  assert.equal(facts.isStale(ready), true);
  assert.equal(facts.isStale({ ...ready, style: STYLE }), false);
});

test("what lies wholly inside an exclusion zone is left open, and is not good", () => {
  const areas = [{ id: "z", kind: "zone", area: [0, 0, 0.5, 1] }];
  const ready = done([FACE, OTHER], {}, { areas });
  assert.deepEqual(ready.boxes.map((box) => box.on), [false, true]);
  assert.equal(facts.standing(ready).tone, "care");
});

test("a mask changes what is asked for", () => {
  const ready = done();
  const masked = { ...ready, areas: [{ id: "m", kind: "mask", area: [0, 0, 0.1, 0.1] }] };
  assert.equal(facts.isStale(masked), true);
});

test("frames of an animation become one box for each object", () => {
  const frames = [0, 1, 2].flatMap((frame) => [{ ...FACE, xyxy: [10 + frame, 10, 50 + frame, 50], frame }, { ...OTHER, frame }]);
  const ready = done(frames.toReversed(), {}, { kind: "animation" });
  assert.deepEqual(ready.boxes.map((box) => box.frames), [[0, 1, 2], [0, 1, 2]]);
});

test("the queue of review goes round, approves and moves on", () => {
  const needs = () => done([FACE], { suspects: [OTHER], verdict: "needs_review" });
  const photos = [needs(), done(), needs(), needs()].map((item, index) => ({ ...item, id: String(index) }));
  let state = { ...actions.initialState(), photos, chosenId: "0" };
  assert.equal(actions.nextToReview(state, 1)?.id, "2");
  assert.equal(actions.nextToReview(state, -1)?.id, "3");
  state = actions.approve(actions.approve(state));
  assert.equal(state.chosenId, "3");
  state = actions.approve(state);
  assert.equal(state.chosenId, "3");
  assert.equal(actions.nextToReview(state, 1), null);
});

test("filters keep the chosen photo until another is chosen", () => {
  const photos = [done(), done([FACE], { suspects: [OTHER] }), photo({ job: null, problem: { status: 422, code: "x", message: "" } })];
  const state = { ...actions.initialState(), photos, chosenId: photos[0].id };
  assert.deepEqual(actions.filtered({ ...state, filter: "review" }), [photos[0], photos[1]]);
  assert.deepEqual(actions.filtered({ ...state, filter: "failed", chosenId: null }), [photos[2]]);
});

test("a removed photo gives its place to its neighbour; nothing is left of the last one", () => {
  const photos = [photo(), photo()];
  const state = actions.add(actions.initialState(), photos);
  const one = actions.remove(state, photos[0].id);
  assert.equal(one.chosenId, photos[1].id);
  const none = actions.remove(one, photos[1].id);
  assert.deepEqual([none.photos, none.chosenId], [[], null]);
});

test("each new request for a photo has a revision of its own", () => {
  const first = photo();
  const second = facts.asked(first, "redact");
  assert.notEqual(first.job.revision, second.job.revision);
  assert.equal(actions.retried({ ...second, job: null, problem: { status: 500, code: "x", message: "" } }).job.revision, 3);
});

test("the store tells its listeners once for many changes, with what was told before", () => {
  const due = [];
  const store = new Store(actions.initialState(), (tell) => due.push(tell));
  const told = [];
  store.subscribe((state, previous) => told.push([state.compare, previous.compare]));
  store.set({ compare: 0.1 });
  store.set({ compare: 0.2 });
  store.update((state) => state);
  due.forEach((tell) => tell());
  assert.deepEqual(told, [[0.2, 0]]);
});

test("animations are known by their first bytes", () => {
  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  assert.equal(isAnimation(bytes("GIF89a...")), true);
  assert.equal(isAnimation(bytes("RIFF....WEBPVP8X....\x02...")), true);
  assert.equal(isAnimation(bytes("RIFF....WEBPVP8X....\x10...")), false);
  assert.equal(isAnimation(bytes("\x89PNG....acTL..IDAT")), true);
  assert.equal(isAnimation(bytes("\x89PNG......IDAT.acTL")), false);
});

test("an area of a video holds for this video alone, and goes with it", () => {
  const areas = [{ id: "a", kind: "mask", area: [0, 0, 1, 1] }, { id: "b", kind: "zone", area: [0, 0, 1, 1], photoId: "film" }];
  assert.deepEqual(areasOf(areas, { id: "film" }), areas);
  assert.deepEqual(areasOf(areas, { id: "other" }), [areas[0]]);
  const state = actions.add({ ...actions.initialState(), areas }, [photo({ id: "film" }), photo({ id: "other" })]);
  assert.deepEqual(actions.remove(state, "film").areas, [areas[0]]);
  assert.deepEqual(sharesOf([20, 10, 100, 40], { width: 200, height: 50 }), [0.1, 0.2, 0.5, 0.8]);
});

test("what is too large for the server is not sent again with the other failures", () => {
  const failed = (code) => photo({ id: code, job: null, problem: { status: 413, code, message: "" } });
  const { photos } = actions.retryFailed(actions.add(actions.initialState(), [failed("photo_too_large"), failed("queue_full")]));
  assert.deepEqual(photos.map((item) => item.job === null), [true, false]);
});
