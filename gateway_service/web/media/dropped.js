// What was dropped: files, and the files of folders.

/** Return every file of a drop; folders are walked through.
 * @param {DataTransfer} transfer @returns {Promise<File[]>} */
export async function droppedFiles(transfer) {
  // The list of a drop is empty as soon as its event has ended: everything is asked for now.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  return (await Promise.all(entries.map((entry) => (entry === null ? [] : filesOf(entry))))).flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function filesOf(entry) {
  if (entry instanceof FileSystemFileEntry) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  if (!(entry instanceof FileSystemDirectoryEntry)) return [];
  const reader = entry.createReader();
  const found = [];
  // A reader gives at most some hundred entries at a time, and none at the end.
  for (;;) {
    const some = /** @type {FileSystemEntry[]} */ (await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); }));
    if (some.length === 0) return found;
    for (const inner of some) if (!inner.name.startsWith(".")) found.push(...await filesOf(inner));
  }
}
