// What this server takes and offers.

import { request } from "./http.js";

/** @returns {Promise<import("../state/types.js").Capabilities | null>} null: it cannot be asked now; defaults will do */
export async function capabilities() {
  try {
    return await (await request("capabilities")).json();
  } catch {
    return null;
  }
}
