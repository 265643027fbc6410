// The page: a list of photos that are worked on a few at a time, and an editor for the chosen one.

import { key, work } from "./api.js";
import { Editor } from "./editor.js";
import { language, say, sayError, translate } from "./words.js";
import { uniqueNames, zip } from "./zip.js";

const AT_ONCE = 4;
const THUMBNAIL = 320;
const EXTENSIONS = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/tiff": "tiff" };
const TAKEN = /\.(jpe?g|png|webp|gif|tiff?|hei[cf]|avif|bmp)$/i;
const at = (id) => document.getElementById(id);

/** Photos: {file, state, error?, picture?, boxes?, size?, report?, manifest?, models?, edited?, item}. */
let photos = [];
let chosen = null;
let running = 0;
let aborter = new AbortController();
let waitingForKey = false;
let urls = [];

const done = (photo) => photo.picture !== undefined;
const failed = (photo) => photo.state === "failed";
const busy = (photo) => !done(photo) && !failed(photo);

function announce(text) {
  at("announce").textContent = text;
}

function complain(text) {
  at("problem").hidden = text === "";
  at("problem").textContent = text;
}

// --- names ------------------------------------------------------------------------------------------

function nameOf(photo) {
  const extension = EXTENSIONS[photo.picture.type] ?? "bin";
  return `${photo.file.name.replace(/\.[^.]*$/, "") || "photo"}_hidden.${extension}`;
}

function boxName(photo, box) {
  const alike = photo.boxes.filter((other) => other.class === box.class);
  return say("box_name", { class: say(box.class), n: alike.indexOf(box) + 1 });
}

function boxOrigin(box) {
  if (box.drawn) return say("box_drawn");
  if (box.suspect) return say("box_suspect");
  return say("box_score", { percent: Math.round(100 * box.confidence) });
}

const describe = {
  short: (box) => `${boxName(chosen, box)} · ${boxOrigin(box)}`,
  long: (box) => {
    const [x, y, x2, y2] = box.xyxy.map(Math.round);
    const places = { box: boxName(chosen, box), state: say(box.on ? "box_on" : "box_off"), x, y, w: x2 - x, h: y2 - y };
    return `${say("box_position", places)}, ${boxOrigin(box)}`;
  },
};

const editor = new Editor(at("stage"), at("boxes"), { changed: () => onEdit(), describe });

// --- the list ---------------------------------------------------------------------------------------

function stateOf(photo) {
  if (failed(photo)) return ["error", say("state_failed")];
  if (!done(photo)) return ["", say(`state_${photo.state}`)];
  const verdict = photo.edited ? "edited" : photo.report.verdict;
  return [verdict === "needs_review" ? "care" : "good", say(`state_${verdict}`)];
}

function listItem(photo) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = photo.file.name;
  name.title = photo.file.name;
  const state = document.createElement("span");
  button.append(canvas, name, state);
  button.addEventListener("click", () => choose(photo, true));
  item.append(button);
  photo.item = { item, button, canvas, state };
  return item;
}

async function thumbnail(photo, blob) {
  try {
    const bitmap = await createImageBitmap(blob, { resizeWidth: THUMBNAIL, resizeQuality: "medium" });
    const { canvas } = photo.item;
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  } catch {
    // HEIC and TIFF: most browsers cannot show the original; its name stands there.
  }
}

function showState(photo) {
  const [kind, text] = stateOf(photo);
  photo.item.state.className = `state ${kind}`;
  photo.item.state.textContent = text;
  photo.item.button.toggleAttribute("aria-current", false);
  if (photo === chosen) photo.item.button.setAttribute("aria-current", "true");
}

function showCounts() {
  const ended = photos.filter((photo) => !busy(photo)).length;
  const lost = photos.filter(failed).length;
  at("photos").hidden = photos.length === 0;
  at("progress").max = Math.max(1, photos.length);
  at("progress").value = ended;
  at("count").textContent =
    say("count", { done: ended - lost, all: photos.length }) + (lost ? `, ${say("count_failed", { failed: lost })}` : "");
  at("retry").hidden = lost === 0;
  at("zip").disabled = !photos.some(done);
}

// --- working ----------------------------------------------------------------------------------------

function add(files) {
  complain("");
  const odd = files.filter((file) => !file.type.startsWith("image/") && !TAKEN.test(file.name));
  const good = files.filter((file) => !odd.includes(file));
  if (odd.length) complain(odd.map((file) => say("not_a_picture", { name: file.name })).join(" "));
  if (good.length === 0) return;
  const fresh = good.map((file) => ({ file, state: "waiting" }));
  photos.push(...fresh);
  at("list").append(...fresh.map(listItem));
  fresh.forEach(showState);
  announce(say("announce_added", { n: fresh.length }));
  showCounts();
  pump();
}

function hideFields() {
  const fields = new FormData(at("options"));
  return { classes: fields.getAll("classes").join(","), quality: fields.get("quality") };
}

function outputFields() {
  const fields = new FormData(at("options"));
  return { metadata: fields.get("metadata"), output: fields.get("output") };
}

const styleFields = () => Object.fromEntries(new FormData(at("style")));

function keep(photo, answer) {
  photo.picture = answer.picture;
  photo.report = answer.report ?? {};
  photo.manifest = answer.manifest;
  photo.size = answer.report?.image ?? answer.image;
}

/** Do `job` for a photo: its state follows, a refusal asks for the key or is shown with the photo. */
async function attend(photo, job) {
  photo.error = undefined;
  photo.state = "sending";
  showState(photo);
  const { signal } = aborter;
  try {
    await job({ signal, onState: (state) => { photo.state = state; showState(photo); } });
    photo.state = "done";
  } catch (error) {
    if (signal.aborted) return;
    photo.state = "failed";
    photo.error = error;
    if (error.status === 401) askForKey();
  }
  showState(photo);
  const [, state] = stateOf(photo);
  announce(say("announce_done", { name: photo.file.name, state }));
  showCounts();
  if (photo === chosen || chosen === null) choose(photo, false);
}

async function begin(photo) {
  await attend(photo, async (watch) => {
    const answer = await work("blur", { file: photo.file, ...hideFields(), ...outputFields() }, watch);
    keep(photo, answer);
    photo.models = answer.models;
    const found = answer.detections.map((box) => ({ ...box, on: true }));
    const suspects = (photo.report.suspects ?? []).map((box) => ({ ...box, suspect: true, on: false }));
    photo.boxes = [...found, ...suspects];
    thumbnail(photo, photo.picture);
  });
}

function pump() {
  if (waitingForKey) return;
  while (running < AT_ONCE) {
    const next = photos.find((photo) => photo.state === "waiting");
    if (!next) return;
    running += 1;
    begin(next).finally(() => { running -= 1; pump(); });
  }
}

async function applyAgain() {
  const photo = chosen;
  const boxes = photo.boxes.filter((box) => box.on).map((box) => ({ class: box.class, xyxy: box.xyxy }));
  at("apply").disabled = true;
  const before = photo.picture;
  photo.picture = undefined;
  await attend(photo, async (watch) => {
    const fields = { file: photo.file, boxes: JSON.stringify(boxes), ...styleFields(), ...outputFields() };
    keep(photo, await work("redact", fields, watch));
    photo.edited = true;
    photo.stale = false;
    thumbnail(photo, photo.picture);
    announce(say("announce_applied", { n: boxes.length }));
  });
  if (!done(photo)) {
    // The picture of before is still a good one; only the wish failed.
    photo.picture = before;
    complain(photo.error ? sayError(photo.error) : "");
    photo.state = "done";
    showState(photo);
  } else {
    complain("");
  }
  showCounts();
  if (photo === chosen) {
    show(photo);
    // On a phone the picture is above what was pressed.
    at("verdict").scrollIntoView({ block: "nearest" });
  }
}

// --- the chosen photo -------------------------------------------------------------------------------

function choose(photo, byPerson) {
  const earlier = chosen;
  chosen = photo;
  if (earlier) showState(earlier);
  showState(photo);
  if (byPerson && earlier !== photo) at("style").reset();
  show(photo);
  if (byPerson) {
    at("view").scrollIntoView({ block: "start" });
    at("view-title").focus({ preventScroll: true });
  }
}

function urlOf(blob) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

function show(photo) {
  urls.forEach(URL.revokeObjectURL);
  urls = [];
  at("view").hidden = false;
  at("view-title").textContent = photo.file.name;
  const ready = done(photo);
  for (const part of document.querySelectorAll(".editor")) part.hidden = !ready;
  showVerdict(photo);
  if (!ready) return;
  at("after").src = urlOf(photo.picture);
  at("after").alt = `${say("after")}: ${photo.file.name}`;
  at("before").hidden = false;
  at("before").src = urlOf(photo.file);
  at("before").alt = `${say("before")}: ${photo.file.name}`;
  compare();
  at("download").href = urlOf(photo.picture);
  at("download").download = nameOf(photo);
  at("apply").disabled = false;
  editor.show(photo.boxes, photo.size);
  showBoxList(photo);
  showFacts(photo);
}

function showVerdict(photo) {
  const place = at("verdict");
  if (failed(photo)) {
    place.className = "notice error";
    place.textContent = sayError(photo.error);
    return;
  }
  const verdict = photo.edited ? "edited" : photo.report?.verdict;
  const n = photo.boxes?.filter((box) => box.on).length ?? 0;
  place.className = verdict === "needs_review" || photo.stale ? "notice" : "notice good";
  place.textContent = done(photo) ? say(photo.stale ? "changed" : `verdict_${verdict}`, { n }) : say(`state_${photo.state}`);
}

function showBoxList(photo) {
  at("no-boxes").hidden = photo.boxes.length > 0;
  at("box-list").replaceChildren(...photo.boxes.map((box, index) => {
    const item = document.createElement("li");
    const label = document.createElement("label");
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = box.on;
    tick.addEventListener("change", () => { box.on = tick.checked; editor.redraw(); onEdit(); at("box-list").children[index]?.querySelector("input").focus(); });
    const name = document.createElement("span");
    name.textContent = describe.short(box);
    label.append(tick, name);
    item.append(label);
    if (box.drawn) {
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = say("box_remove");
      remove.setAttribute("aria-label", say("remove_label", { box: boxName(photo, box) }));
      remove.addEventListener("click", () => { editor.remove(index); at("draw").focus(); });
      item.append(remove);
    }
    return item;
  }));
}

function showFacts(photo) {
  const { report } = photo;
  const listed = (items) => (items?.length ? items.join(", ") : say("fact_nothing"));
  const facts = [
    ["fact_size", `${photo.size.width} × ${photo.size.height}`],
    ["fact_hidden", listed(Object.entries(report.hidden ?? {}).map(([name, n]) => `${say(name)}: ${n}`))],
    ["fact_styles", listed(Object.entries(report.styles ?? {}).map(([name, style]) => `${say(name)}: ${style}`))],
    ["fact_removed", listed(report.metadata_removed)],
    ["fact_kept", listed(report.metadata_kept)],
    ["fact_warnings", listed(report.warnings)],
    ["fact_models", listed(photo.models?.map((model) => `${model.name} ${model.version} (${model.engine})`))],
  ];
  if (report.lossless) {
    const share = 100 * (1 - report.lossless.blocks_touched / report.lossless.blocks_total);
    facts.splice(3, 0, ["fact_lossless", say("lossless_text", { percent: share.toFixed(1) })]);
  }
  at("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = say(name);
    description.textContent = value;
    return [term, description];
  }));
}

function onEdit() {
  if (!chosen) return;
  chosen.stale = true;
  showVerdict(chosen);
  showBoxList(chosen);
}

function compare() {
  const share = Number(at("slider").value);
  at("before").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  at("slider").setAttribute("aria-valuetext", say("compare_value", { n: share }));
}

// --- key, zip, page ---------------------------------------------------------------------------------

function askForKey() {
  waitingForKey = true;
  at("key-open").hidden = false;
  if (key.get()) complain(say("key_wrong"));
  at("key").value = "";
  if (!at("key-dialog").open) at("key-dialog").showModal();
}

function onKeyClosed() {
  waitingForKey = false;
  if (at("key-dialog").returnValue !== "save") return;
  key.set(at("key").value.trim());
  at("key").value = "";
  complain("");
  for (const photo of photos) if (photo.error?.status === 401) photo.state = "waiting";
  photos.forEach(showState);
  pump();
}

async function downloadAll() {
  const ready = photos.filter(done);
  const names = uniqueNames(ready.map(nameOf));
  const files = ready.map((photo, index) => ({ name: names[index], blob: photo.picture }));
  const about = ready.map((photo, index) => ({ file: names[index], report: photo.report, manifest: photo.manifest }));
  files.push({ name: "report.json", blob: new Blob([JSON.stringify(about, null, 1)]) });
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await zip(files));
    link.download = "obscura.zip";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    announce(say("announce_zip"));
  } catch (error) {
    complain(String(error.message));
  }
}

function clearAll() {
  if (!confirm(say("confirm_clear", { n: photos.length }))) return;
  aborter.abort();
  aborter = new AbortController();
  photos = [];
  chosen = null;
  at("list").replaceChildren();
  at("view").hidden = true;
  complain("");
  showCounts();
  at("files").focus();
}

function draw(event) {
  const name = at("draw-class").value;
  // Without a pointer there is nothing to drag: the box appears, and arrows move it.
  if (event.detail === 0) { editor.addInMiddle(name); return; }
  const on = !editor.isDrawing;
  editor.drawing(on ? name : null);
  at("draw").setAttribute("aria-pressed", String(on));
}

function take(list) {
  const files = [...list].filter((file) => file instanceof File);
  if (files.length) add(files);
}

at("files").addEventListener("change", () => { take(at("files").files); at("files").value = ""; });
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => { if (event.clipboardData) take(event.clipboardData.files); });
at("options").addEventListener("submit", (event) => event.preventDefault());
at("options").addEventListener("change", (event) => {
  // Nothing ticked would mean everything: the last one stays ticked.
  if (event.target.name === "classes" && !at("options").querySelector("[name=classes]:checked")) event.target.checked = true;
});
at("style").addEventListener("submit", (event) => event.preventDefault());
at("style").addEventListener("change", onEdit);
at("slider").addEventListener("input", compare);
at("before").addEventListener("error", () => { at("before").hidden = true; at("verdict").textContent += ` ${say("no_preview")}`; });
at("apply").addEventListener("click", applyAgain);
at("draw").addEventListener("click", draw);
at("draw-class").addEventListener("change", () => { if (editor.isDrawing) editor.drawing(at("draw-class").value); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && editor.isDrawing) { editor.drawing(null); at("draw").setAttribute("aria-pressed", "false"); }
});
at("retry").addEventListener("click", () => {
  for (const photo of photos.filter(failed)) { photo.state = "waiting"; showState(photo); }
  showCounts();
  pump();
});
at("zip").addEventListener("click", downloadAll);
at("clear").addEventListener("click", clearAll);
at("key-open").addEventListener("click", askForKey);
at("key-dialog").addEventListener("close", onKeyClosed);
at("language").addEventListener("change", () => {
  translate(at("language").value);
  photos.forEach(showState);
  showCounts();
  if (chosen) show(chosen);
});
globalThis.addEventListener("beforeunload", (event) => { if (photos.some(busy)) event.preventDefault(); });
if (key.get()) at("key-open").hidden = false;
translate();
at("language").value = language();
