// What was done to a photo, as terms and descriptions.

import { say } from "../text/words.js";
import { make } from "./dom.js";

/** @param {import("../state/types.js").Photo} photo @returns {HTMLElement[]} */
export function factsOf(photo) {
  const { report, size } = photo;
  const listed = (/** @type {string[] | undefined} */ items) => (items?.length ? items.join(", ") : say("fact_nothing"));
  const byClass = (/** @type {Record<string, unknown> | undefined} */ map) => listed(Object.entries(map ?? {}).map(([name, value]) => `${say(name)}: ${value}`));
  /** @type {[string, string][]} */
  const facts = [
    ["fact_size", size ? `${size.width} × ${size.height}` : ""],
    ["fact_hidden", byClass(report["hidden"])],
    ["fact_styles", byClass(report["styles"])],
  ];
  const lossless = report["lossless"];
  if (lossless) {
    const percent = (100 * (1 - lossless.blocks_touched / lossless.blocks_total)).toFixed(1);
    facts.push(["fact_lossless", say("lossless_text", { percent })]);
  }
  facts.push(
    ["fact_removed", listed(report["metadata_removed"])],
    ["fact_kept", listed(report["metadata_kept"])],
    ["fact_warnings", listed(report["warnings"])],
    ["fact_models", listed(photo.models.map((model) => `${model.name} ${model.version} (${model.engine})`))],
  );
  return facts.flatMap(([name, value]) => [make("dt", { textContent: say(name) }), make("dd", { textContent: value })]);
}
