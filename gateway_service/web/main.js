// Puts the page together.

import { Commands } from "./commands.js";
import { Applier } from "./server/applier.js";
import { capabilities } from "./server/capabilities.js";
import { Runner } from "./server/runner.js";
import { initialState } from "./state/actions.js";
import { isArea } from "./state/areas.js";
import { addBox } from "./state/edits.js";
import { hasResult, newId, standing } from "./state/photo.js";
import { Store } from "./state/store.js";
import { Files } from "./storage/files.js";
import { Keeper } from "./storage/keeper.js";
import { Thumbnails } from "./media/thumbnails.js";
import { nameClasses, preferred, say, speak } from "./text/words.js";
import { Areas } from "./view/areas.js";
import { middleOf } from "./view/arrows.js";
import { Boxes } from "./view/boxes.js";
import { mountDivider } from "./view/divider.js";
import { at, select } from "./view/dom.js";
import { mountEmpty } from "./view/empty.js";
import { Filmstrip } from "./view/filmstrip.js";
import { mountForms } from "./view/forms.js";
import { Gestures } from "./view/gestures.js";
import { mountNotices } from "./view/notices.js";
import { Panel } from "./view/panel.js";
import { mountShortcuts } from "./view/shortcuts.js";
import { mountSphere } from "./view/sphere.js";
import { mountToolbar } from "./view/toolbar.js";
import { mountVideo } from "./view/video.js";
import { Viewer } from "./view/viewer.js";

const PHONE = "(max-width: 52rem)";

const store = new Store({ ...initialState(), panelOpen: !matchMedia(PHONE).matches });
const files = new Files();
const keeper = new Keeper(store, files);
const runner = new Runner(store, files);
const applier = new Applier(store);
const thumbnails = new Thumbnails(files, (id) => filmstrip.refresh(id));
const commands = new Commands({ store, files, keeper, runner, applier, thumbnails });

const viewer = new Viewer(commands);
const boxes = new Boxes(commands);
new Gestures(commands, viewer, boxes);
mountDivider(commands, viewer);
const areas = new Areas(commands);
mountSphere(commands);
mountVideo(commands);
const filmstrip = new Filmstrip(commands);
const panel = new Panel(commands, (id) => boxes.focus(id));

/** Put a box in the middle of what is seen and let arrows move it: how one is drawn without a pointer.
 * @param {string} kind */
function drawByKeyboard(kind) {
  const { chosen } = commands;
  if (chosen === null || !hasResult(chosen) || chosen.size === null) return;
  if (isArea(kind) || chosen.kind === "video") {
    areas.place(kind === "zone" ? "zone" : "mask", chosen.size);
    return;
  }
  const middle = middleOf(chosen.size);
  const id = newId();
  commands.edit((photo) => addBox(photo, kind, middle, id));
  store.set({ boxId: id, editing: true, overview: false, compare: 0 });
  boxes.focus(id, true);
}

mountToolbar(commands, viewer, drawByKeyboard);
const parts = [mountNotices(commands), mountShortcuts(commands, viewer, drawByKeyboard), mountEmpty(commands), mountForms(commands), filmstrip, panel, boxes];

/** @param {import("./state/types.js").Photo} photo */
runner.onEnd = (photo) => {
  const { key, n } = standing(photo);
  commands.announce(say("announce_done", { name: photo.name, state: say(key, { n }) }));
  // The strip shows the finished picture, not the faces.
  if (hasResult(photo) && photo.kind !== "video") files.get(photo.id, "result").then((blob) => { if (blob) thumbnails.make(photo.id, blob); });
};

/** @param {string} tag @param {boolean} isChoice */
async function changeLanguage(tag, isChoice) {
  await speak(tag, isChoice);
  for (const part of parts) part.refresh();
  select("language").value = document.documentElement.lang;
  store.update((state) => ({ ...state }));
}

select("language").addEventListener("change", () => changeLanguage(select("language").value, true));
capabilities().then((known) => { if (known !== null) { nameClasses(known.class_titles); store.set({ capabilities: known }); } });
await Promise.all([changeLanguage(preferred(), false), keeper.start()]);
store.tell();
for (const part of parts) part.refresh();
at("main").dataset["ready"] = "true";
