// Makes thumbnails away from the page, so that large photos never hold it up.

const HEIGHT = 144;

addEventListener("message", async (event) => {
  const { number, blob } = event.data;
  try {
    const bitmap = await createImageBitmap(blob, { resizeHeight: HEIGHT, resizeQuality: "medium" });
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(bitmap, 0, 0);
    bitmap.close();
    postMessage({ number, thumb: await canvas.convertToBlob({ type: "image/webp", quality: 0.8 }) });
  } catch {
    postMessage({ number, thumb: null });
  }
});
