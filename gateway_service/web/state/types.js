// The shapes of what the page keeps. Types only: this module has no code.

/** Left, top, right and bottom in pixels of the upright picture.
 * @typedef {[number, number, number, number]} Rectangle */

/** A place that is hidden (`on`) or left open.
 * @typedef {object} Box
 * @property {string} id
 * @property {string} class such as "face" or "plate"
 * @property {Rectangle} xyxy
 * @property {number} [confidence] score of the detector, 0..1
 * @property {"detected" | "residual" | "drawn"} origin residual: still seen in the redacted picture
 * @property {boolean} on
 * @property {number[]} [frames] in an animation: the frames that it stands for; every frame where absent
 * @property {Rectangle[]} [places] in an animation: where it is in each of those frames */

/** How things are hidden; an empty text asks for the server's default. A colour is "#rrggbb".
 * @typedef {{style: string, cells: string, shape: string, color: string}} Style */

/** @typedef {{boxes: Box[], style: Style}} Decision */

/** What a new photo is asked for.
 * @typedef {{classes: string[], quality: string, metadata: string, output: string}} Options */

/** Work that the server still owes. A request with the same photo, kind and revision is the same request.
 * @typedef {object} Job
 * @property {"blur" | "redact" | "detect"} kind detect: look again harder
 * @property {number} revision
 * @property {string} wish what it was asked to show, see `wish` in photo.js
 * @property {string | null} taskId
 * @property {"waiting" | "sending" | "queued" | "running"} phase
 * @property {number} share of the upload, or of a video's frames, 0..1 */

/** @typedef {{status: number, code: string, message: string}} Problem */

/** @typedef {Record<string, any>} Report */

/** A photo, an animation or a video; its bytes are kept apart, see storage/files.js.
 * @typedef {object} Photo
 * @property {string} id
 * @property {number} added place in the order of adding
 * @property {string} name
 * @property {number} bytes
 * @property {"photo" | "animation" | "video"} kind
 * @property {Options} options
 * @property {Style} style
 * @property {readonly Area[]} areas that hold for it
 * @property {Job | null} job
 * @property {Problem | null} problem of the last job
 * @property {{width: number, height: number, frames?: number} | null} size
 * @property {Box[]} boxes
 * @property {Decision[]} past decisions to go back to
 * @property {Decision[]} future decisions that were undone
 * @property {string} resultType media type of the result; empty while there is none
 * @property {string} applied what the result shows, see `wish`
 * @property {number} version grows with every result
 * @property {number} revision of the newest job: grows whenever another answer is asked for
 * @property {Report} report
 * @property {unknown} manifest
 * @property {{name: string, version: string, engine: string}[]} models
 * @property {boolean} edited
 * @property {boolean} approved
 * @property {boolean} downloaded */

/** An area for every photo, or for one video: `mask` is always hidden, `zone` is never touched. Sides are shares of the
 * picture, 0..1.
 * @typedef {{id: string, kind: "mask" | "zone", area: Rectangle, photoId?: string}} Area */

/** What this server takes and offers; see GET /capabilities.
 * @typedef {object} Capabilities
 * @property {{max_bytes: number, max_pixels: number, media_types: string[]}} photo
 * @property {{max_bytes: number, max_seconds: number, media_types: string[]} | null} video
 * @property {Record<string, string[]>} options
 * @property {Record<string, string>} class_titles English names of the classes besides face and plate
 * @property {{max_cells: number}} limits
 * @property {boolean} keys
 * @property {boolean} docs whether the API is described at /docs
 * @property {string} version */

/** @typedef {"all" | "review" | "failed"} Filter */

/** @typedef {object} State
 * @property {readonly Photo[]} photos
 * @property {string | null} chosenId
 * @property {Filter} filter
 * @property {Options} options
 * @property {Style} style for new photos
 * @property {readonly Area[]} areas
 * @property {Capabilities | null} capabilities
 * @property {"ok" | "away" | "busy" | "key"} server
 * @property {readonly string[]} unerased tasks that the server still has to be told to erase
 * @property {boolean} kept whether photos survive a reload
 * @property {string | null} boxId the box that keys act on: pointed at or focused
 * @property {boolean} editing
 * @property {string | null} drawing what the next drag draws: a class, "mask" or "zone"
 * @property {string} drawClass what is drawn unless something else is said
 * @property {boolean} framesHidden
 * @property {boolean} panelOpen
 * @property {number} compare share of the width that shows the original, 0..1
 * @property {boolean} overview whether the strip has the whole screen
 * @property {boolean} panorama whether the picture is shown as a panorama */

export {};
